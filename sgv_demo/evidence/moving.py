"""Evidence kind: things that move on their own, what the camera's motion doesn't explain, followed over a gap."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from sgv_demo.evidence.flow import Floats, Grey, Motion, Plate, Region, cells
from sgv_demo.evidence.kind import Gap, Kind, Phrase, Record, Topic, Wordings
from sgv_demo.evidence.look import place
from sgv_demo.evidence.words import after_colon, join, join_clauses, percent, sentence, span, when, where
from sgv_demo.types import Evidence, Look, Moving

Matrix: TypeAlias = Sequence[Sequence[float]]

_CHANGED = 6.0
"""Grey levels, on average over a cell of 10 x 10 pixels, from which something is there that wasn't."""
_NOISE = 3.0
"""A cell must also differ so many times more than the cell in the middle of all does."""
_BLUR = 1.5
"""Pixels: pictures are softened before they are compared."""
_SLACK = 0.6
"""Pixels that the camera's motion may be off; the difference this makes at an edge doesn't count."""
_ALIKE = 0.7
"""Correlation of two changes in a row from which a cell turns into something else by and by."""
_EVERYWHERE = 0.4
"""Share of the picture: when more changes, it is a dissolve, not a thing."""
_REACH = 0.2
"""Picture widths: how far a thing may be from where it was expected."""
_SEEN = 0.5
"""Seconds that something must move to be reported."""
_MOST = 3
"""Things reported at most."""
_DIRECTIONS = ("right", "down and right", "down", "down and left", "left", "up and left", "up", "up and right")
_STRAIGHT = 0.5
"""Share of the way gone that the net movement must reach for a direction to be named."""
_STAYS = 0.01
"""Share of the picture: what moves less on the screen while the camera moves is laid over the picture."""
_MINOR = 0.35
"""Share of the largest thing's area: smaller things beside it aren't worth a word."""
_SLOW = 0.01
"""Picture widths a second: what moves slower, moves in place."""

_TINY, _SMALL, _LARGE = 0.005, 0.03, 0.15
"""Shares of the picture up to which something is tiny or small, and from which it is large."""
_CRAWL, _RUSH = 0.05, 0.3
"""Picture widths a second: below is "slowly", above is "quickly"."""


def _measure(gap: Gap) -> Mapping[str, Any]:
    """What moved in each shot of the gap; nothing can be followed across a cut."""
    return {"moving": tuple(thing for shot in gap.shots for thing in moving(shot))}


def regions(first: Plate, middle: Plate, last: Plate, one: Matrix, two: Matrix) -> tuple[Region, ...]:
    """Parts of `last` that differ from both pictures before it, moved along with the camera; largest first.

    Differing from both leaves out the background that a thing uncovers: it was in the first picture. `one` and
    `two` are the camera's transforms from first to middle and from middle to last.
    """
    # Both earlier pictures are moved to where the camera stands now; what still differs has moved by itself.
    to_last = np.vstack([two, (0, 0, 1)]) @ np.vstack([one, (0, 0, 1)])
    soft = cv2.GaussianBlur(last.grey, (0, 0), _BLUR).astype(np.float32)
    across, down = (cv2.Sobel(soft, cv2.CV_32F, *order, scale=1 / 8) for order in ((1, 0), (0, 1)))
    # A camera's motion that is a fraction of a pixel off makes a difference at every edge, as large as its slope.
    slack = _SLACK * cv2.magnitude(across, down)
    now = _difference(middle.grey, soft, np.asarray(two, np.float64))
    # The lesser of two differences is asked for: where the first shows nothing, the second needn't be measured.
    if cells(np.clip(np.abs(now) - slack, 0, None).astype(np.float32)).mean(axis=2).max() <= _CHANGED:
        return ()
    before = _difference(first.grey, soft, to_last[:2])
    change = np.minimum(np.abs(now), np.abs(before)) - slack
    mean = cells(np.clip(change, 0, None).astype(np.float32)).mean(axis=2)
    changed = mean > max(_CHANGED, _NOISE * float(np.median(mean)))
    mask = changed & ~_turning(now, before - now)
    # When most of what changed goes on changing the same way, it is a dissolve, and the rest of it is no thing.
    if mask.sum() <= 0.5 * changed.sum() or mask.mean() > _EVERYWHERE:
        return ()
    # Cells with one quiet cell between them are one thing: its inside may be as flat as what is behind it.
    near = cv2.dilate(mask.astype(np.uint8), np.ones((3, 3), np.uint8))
    count, labels = cv2.connectedComponents(near, connectivity=4)
    rows, columns = mask.shape
    found: list[Region] = []
    for label in range(1, count):
        y, x = np.nonzero((labels == label) & mask)
        if len(x) >= 2:
            found.append(Region(float(x.mean() + 0.5) / columns, float(y.mean() + 0.5) / rows, len(x) / mask.size))
    return tuple(sorted(found, key=lambda region: -region.area)[: 2 * _MOST])


def _difference(before: Grey, after: Floats, matrix: NDArray[np.float64]) -> Floats:
    """`after` less `before` moved along `matrix`, in grey levels, the light's change taken out; 0 where unseen."""
    height, width = after.shape
    seen = cv2.warpAffine(np.full_like(before, 255), matrix, (width, height)) > 254
    if seen.sum() < 0.2 * seen.size:
        return np.zeros_like(after)
    moved = cv2.warpAffine(before, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE)
    soft = cv2.GaussianBlur(moved, (0, 0), _BLUR).astype(np.float32)
    # Exposure changes every pixel by a gain and an offset, and nothing has moved. Medians, because a thing that comes
    # into the picture must not shift what the rest is compared with.
    mask = seen.astype(np.uint8)
    spread = [float(cv2.meanStdDev(picture, mask=mask)[1][0, 0]) for picture in (after, soft)]
    gain = float(np.clip(spread[0] / max(1.0, spread[1]), 0.3, 3.0))
    middle = [float(np.median(picture[seen][::7])) for picture in (after, soft)]
    lit = soft * np.float32(gain) + np.float32(middle[0] - gain * middle[1])
    return np.asarray((after - lit) * cv2.erode(mask, np.ones((5, 5), np.uint8)), np.float32)


def _turning(now: Floats, before: Floats) -> NDArray[np.bool_]:
    """Cells that change now as they changed before: they dissolve, fade or brighten, and nothing moves there."""
    # Two changes in a row: a passing thing's have nothing in common, those of a fade point the same way.
    along = cells(now * before).sum(axis=2)
    size = np.sqrt(cells(now * now).sum(axis=2) * cells(before * before).sum(axis=2))
    return along > _ALIKE * np.maximum(size, 1.0)


@dataclass(slots=True)
class _Track:
    """One thing, followed from step to step."""

    seen: list[Region] = field(default_factory=list)
    way: list[tuple[float, float]] = field(default_factory=list)
    """Movement from one sight to the next with the camera taken out, in picture widths."""
    start: float = 0.0
    end: float = 0.0

    def expected(self, step: Motion) -> list[tuple[float, float]]:
        """Where it may be after `step`, in picture widths: carried along by the camera, and moving on as before."""
        x, y = _carried(self.seen[-1], step)
        last = self.way[-1] if self.way else (0.0, 0.0)
        return [(x, y), (x + last[0], y + last[1])]


def moving(steps: Sequence[Motion]) -> tuple[Moving, ...]:
    """The largest things that moved for long enough during steps without a cut."""
    tracks: list[_Track] = []
    for step in steps:
        free = [track for track in tracks if abs(track.end - step.start) < 1e-6]
        for region in step.regions:
            # Each sight goes to the nearest track that was seen a step ago, largest first: with a handful of things
            # and a fifth of the picture's width between them an optimal assignment would find the same.
            x, y = region.x, region.y / step.aspect
            near, distance = None, _REACH
            for track in free:
                off = min(float(np.hypot(x - ex, y - ey)) for ex, ey in track.expected(step))
                if off < distance:
                    near, distance = track, off
            if near is None:
                tracks.append(_Track([region], [], step.start, step.end))
                continue
            free.remove(near)
            was = _carried(near.seen[-1], step)
            near.way.append((x - was[0], y - was[1]))
            near.seen.append(region)
            near.end = step.end
    long = [
        track for track in tracks if len(track.way) > 1 and track.end - track.start >= _SEEN and not _is_overlay(track)
    ]
    apart = sorted((_describe(track) for track in long), key=lambda thing: -thing.area)
    found = sorted(_merge(apart), key=lambda thing: -thing.area)
    return tuple(thing for thing in found if thing.area >= _MINOR * found[0].area)[:_MOST]


def _is_overlay(track: _Track) -> bool:
    """Whether it keeps its place on the screen while the camera moves, as a logo does."""
    places = np.array([(region.x, region.y) for region in track.seen])
    still = float(places.std(axis=0).max()) < _STAYS
    return still and float(np.linalg.norm(np.sum(track.way, axis=0))) > 4 * _STAYS


def _merge(things: Sequence[Moving]) -> list[Moving]:
    """Things that can't be told apart as one.

    What goes the same way at about the same speed is one: the two edges of something large. So is what goes the same
    way in the same place: something that was lost from sight and found again, with the area of its largest sight.
    """
    merged: list[Moving] = []
    for thing in things:
        for i, other in enumerate(merged):
            alike = thing.direction == other.direction
            if alike and thing.direction != "in place" and abs(thing.speed - other.speed) <= 0.3 * other.speed:
                merged[i] = replace(_both(other, thing), area=other.area + thing.area)
                break
            if alike and thing.place == other.place:
                merged[i] = _both(other, thing)
                break
        else:
            merged.append(thing)
    return merged


def _both(one: Moving, other: Moving) -> Moving:
    """`one` over the time of both."""
    starts, ends = ([t for t in pair if t is not None] for pair in ((one.start, other.start), (one.end, other.end)))
    return replace(one, start=min(starts, default=None), end=max(ends, default=None))


def _carried(region: Region, step: Motion) -> tuple[float, float]:
    """Where the camera's motion takes a region during a step, in picture widths from the upper left corner."""
    x, y = region.x - 0.5, (region.y - 0.5) / step.aspect
    scale = float(np.exp(step.zoom))
    cos, sin = scale * float(np.cos(step.roll)), scale * float(np.sin(step.roll))
    return cos * x - sin * y + step.dx + 0.5, sin * x + cos * y + step.dy + 0.5 / step.aspect


def _describe(track: _Track) -> Moving:
    way = np.array(track.way)
    net, gone = way.sum(axis=0), float(np.linalg.norm(way, axis=1).sum())
    seconds = (track.end - track.start) * len(way) / (len(way) + 1)
    reached = float(np.linalg.norm(net))
    straight = reached >= _STRAIGHT * gone and reached >= _SLOW * seconds
    eighth = round(float(np.arctan2(net[1], net[0])) / (np.pi / 4)) % 8
    return Moving(
        place=place(track.seen[-1].x, track.seen[-1].y),
        direction=_DIRECTIONS[eighth] if straight else "in place",
        speed=reached / seconds,
        area=float(np.median([region.area for region in track.seen])),
        start=track.start,
        end=track.end,
    )


def _phrases(evidence: Evidence) -> Iterator[Phrase]:
    """ "motion centre → left, 4 %": where, which way (nothing for what moves in place), how much of the picture."""
    for thing in evidence.moving:
        way = "" if thing.direction == "in place" else f" → {thing.direction}"
        yield Phrase("motion", f"motion {thing.place}{way}, {percent(thing.area)}")


def _size(area: float) -> str:
    for limit, size in ((_TINY, " tiny"), (_SMALL, " small"), (_LARGE, "")):
        if area < limit:
            return size
    return " large"


def _way(thing: Moving) -> str:
    """ "slowly to the left", "about"."""
    if thing.direction == "in place":
        return "about"
    how = "slowly " if thing.speed < _CRAWL else "quickly " if thing.speed > _RUSH else ""
    return how + {"left": "to the left", "right": "to the right"}.get(thing.direction, thing.direction)


def told(things: Sequence[Moving], gap: Evidence | None = None) -> list[str]:
    """Wordings of what moves, in time order, what moves alike together; times that are all of `gap` are left out."""
    clauses, turned = [], []
    ordered = sorted(things, key=lambda thing: thing.start or 0.0)
    for way in dict.fromkeys(map(_way, ordered)):
        alike = [thing for thing in ordered if _way(thing) == way]
        places = join(list(dict.fromkeys(where(thing.place) for thing in alike)))
        times = {_time(thing, gap) for thing in alike}
        at = times.pop() if len(times) == 1 else ""
        what, verb = (f"something{_size(alike[0].area)}", "moves") if len(alike) == 1 else ("things", "move")
        clauses.append(f"{what} {verb} {way} {places} {at}".strip())
        turned.append(f"{places} {what} {verb} {way} {at}".strip())
    return [sentence(join_clauses(clauses)), sentence(join_clauses(turned))]


def _time(thing: Moving, gap: Evidence | None) -> str:
    if thing.start is None or thing.end is None:
        return ""
    return when(thing.start, thing.end, gap.start, gap.end) if gap else span(thing.start, thing.end)


def _sentences(evidence: Evidence, after: Look | None) -> Iterator[Wordings]:
    if evidence.moving:
        yield told(evidence.moving[:_MOST], evidence)


def _busiest(record: Record, most: int) -> list[Evidence]:
    """The gaps with the largest movement, in order."""
    busy = [gap for gap in record.evidence if gap.moving]
    return sorted(sorted(busy, key=lambda g: -max(t.area for t in g.moving))[:most], key=lambda g: g.start)


def _spelled(gap: Evidence) -> str:
    """ "something large moves up on the left from 0:02 to 0:04"."""
    largest = sorted(gap.moving, key=lambda thing: -thing.area)[:2]
    timed = all(thing.start is not None for thing in largest)
    clause = after_colon(told(largest)[0]).rstrip(".")
    return clause if timed else f"{clause} {span(gap.start, gap.end)}"


def _story(record: Record) -> Iterator[str]:
    """The largest movement alone."""
    for gap in _busiest(record, 1):
        only = sum(bool(gap.moving) for gap in record.evidence) == 1
        yield sentence(f"{'' if only else 'most of all, '}{_spelled(gap)}")


def _answer(record: Record, question: str) -> Iterator[str]:
    if record.evidence and not any(gap.moving for gap in record.evidence):
        yield "Nothing was seen to move on its own, apart from the camera."
    for gap in _busiest(record, 4):
        yield sentence(f"{span(gap.start, gap.end)}: {after_colon(told(gap.moving, gap)[0])}")


KIND = Kind(
    "moving",
    _measure,
    _phrases,
    _sentences,
    story=_story,
    topic=Topic(
        r"(?:something|anything|objects?|things?|what)\s+(?:is |are )?mov|motion|movement|moving",
        _answer,
        "Measured from what the camera's own movement doesn't explain; what it is that moves can't be told.",
    ),
)
