"""Measurements in English: sentences that say what was measured, how much and when, and nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from sgv_demo.formats.exports import clock
from sgv_demo.types import CameraMove, Evidence, Look, Moving

SMALL_LIGHT = 0.03
"""Changes of the mean luma below this share of full scale are not worth a word."""

_VERBS = {
    "pan left": "pans left",
    "pan right": "pans right",
    "tilt up": "tilts up",
    "tilt down": "tilts down",
    "zoom in": "zooms in",
    "zoom out": "zooms out",
    "roll": "rolls",
    "shake": "shakes",
    "static": "holds still",
}


@dataclass(frozen=True, slots=True)
class Span:
    """One camera word over a stretch of time."""

    word: str
    start: float
    """Seconds."""
    end: float
    """Seconds."""


def join(parts: Sequence[str], last: str = "and") -> str:
    """ "a", "a and b", "a, b and c"."""
    if len(parts) < 2:
        return "".join(parts)
    return f"{', '.join(parts[:-1])} {last} {parts[-1]}"


def sentence(text: str) -> str:
    """With a capital letter and a full stop."""
    text = text.strip()
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith(('.', '?', '!')) else '.'}"


def span(start: float, end: float) -> str:
    """ "at 0:04" or "from 0:04 to 0:06"."""
    a, b = clock(start), clock(end)
    return f"at {a}" if a == b else f"from {a} to {b}"


def percent(share: float) -> str:
    """ "12 %", "0.4 %"."""
    return f"{share * 100:.{0 if abs(share) >= 0.01 else 1}f} %"


def light_word(light: float) -> str:
    """A mean luma in a word."""
    for limit, word in ((0.06, "almost black"), (0.25, "dark"), (0.42, "rather dark"), (0.62, "evenly lit")):
        if light < limit:
            return word
    return "bright" if light < 0.92 else "almost white"


def colours(look: Look, most: int = 3) -> str:
    """ "mostly sky blue (38 %) with dark green and beige"."""
    if not look.colours:
        return "of many colours, none of which leads"
    (first, share), *rest = look.colours[:most]
    lead = f"almost all {first}" if share > 0.85 else f"{'mostly' if share > 0.4 else 'led by'} {first}"
    others = f" with {join([name for name, _ in rest])}" if rest else ""
    return f"{lead} ({percent(share)}){others}"


def quoted(lines: Iterable[str], most: int = 4) -> str:
    """Lines of text in quotation marks; says how many more there are."""
    listed = [f"“{line}”" for line in lines]
    more = len(listed) - most
    return join([*listed[:most], f"{more} more"] if more > 0 else listed)


def text_is(lines: Sequence[str], one: str, many: str) -> str:
    """A sentence with a verb that agrees: "The text “EXIT” appears.", "The texts “A” and “B” appear."."""
    return sentence(f"the text{'s' if len(lines) > 1 else ''} {quoted(lines)} {many if len(lines) > 1 else one}")


def describe_look(look: Look) -> Iterator[str]:
    """Sentences about one picture."""
    contrast = ", low in contrast" if look.contrast < 0.1 else ", with strong contrast" if look.contrast > 0.28 else ""
    yield sentence(f"the picture is {light_word(look.light)}{contrast} and {colours(look)}")
    soft = "soft, without sharp edges" if look.sharpness < 60 else ""
    if look.detail == "nowhere":
        yield "It has hardly any detail."
    elif look.detail == "everywhere":
        yield sentence(f"detail is spread over the whole picture{'; it looks ' + soft if soft else ''}")
    else:
        place = {"left": "on the left", "right": "on the right"}.get(look.detail, f"in the {look.detail}")
        place = "at the " + look.detail if look.detail in ("top", "bottom") else place
        yield sentence(f"most detail lies {place}{'; the picture looks ' + soft if soft else ''}")
    if look.text:
        yield text_is(look.text, "can be read", "can be read")


def move(m: CameraMove) -> str:
    """ "pans right by about 0.5 frame widths"."""
    verb = _VERBS.get(m.word, m.word)
    if m.word in ("static", "unknown") or not m.amount:
        return verb
    if m.unit == "times":
        factor = m.amount if m.amount >= 1 else 1 / m.amount
        return f"{verb} by a factor of about {factor:.2f}"
    if m.unit == "degrees":
        return f"{verb} by about {abs(m.amount):.0f} degrees"
    side = "width" if m.unit == "frame widths" else "height"
    if m.word == "shake":
        return f"{verb} by about {abs(m.amount) * 100:.1f} % of the frame's {side}"
    return f"{verb} by about {abs(m.amount):.2f} frame {side}s"


def camera(evidence: Evidence) -> str | None:
    """One sentence about the camera, or None where a cut leaves nothing to say."""
    known = [m for m in evidence.moves if m.word in _VERBS]
    if known and len(known) == len(evidence.camera):
        return sentence(f"the camera {join([move(m) for m in known], ', then').replace(' , then', ', then')}")
    verbs = [_VERBS[word] for word in evidence.camera if word in _VERBS]
    if verbs:
        return sentence(f"the camera {' and then '.join(verbs)}")
    return "How the camera moves can't be told." if "unknown" in evidence.camera else None


def light(evidence: Evidence) -> str | None:
    """ "The picture gets 12 % darker.", or None."""
    if abs(evidence.light) < SMALL_LIGHT:
        return None
    return f"The picture gets {percent(abs(evidence.light))} {'brighter' if evidence.light > 0 else 'darker'}."


def moving(things: Sequence[Moving]) -> str:
    """ "something covering about 4 % of the picture moves left in the centre"; what moves alike is told together."""
    clauses: list[str] = []
    for direction in dict.fromkeys(m.direction for m in things):
        alike = [m for m in things if m.direction == direction]
        if len(alike) == 1:
            size = f"something covering about {percent(alike[0].area)} of the picture moves"
            clauses.append(f"{size} {direction} {_where(alike[0].place)}")
        else:
            places = [f"{_where(m.place)} (about {percent(m.area)})" for m in alike]
            clauses.append(f"things move {direction} {join(places)}")
    return ", and ".join(clauses)


def _where(place: str) -> str:
    where = {"top": "at the top", "bottom": "at the bottom", "left": "on the left", "right": "on the right"}
    return where.get(place, f"in the {place}")


def describe_evidence(evidence: Evidence, after: Look | None) -> Iterator[str]:
    """Sentences about the gap between two keyframes, the most telling first."""
    found = False
    if evidence.cuts:
        found = True
        times = join([clock(cut) for cut in evidence.cuts])
        now = f": {light_word(after.light)} and {colours(after)}" if after else ""
        many = len(evidence.cuts) > 1
        yield sentence(f"{'cuts' if many else 'a cut'} at {times} {'bring' if many else 'brings'} a new shot{now}")
    about_camera = camera(evidence)
    if about_camera:
        yield about_camera
    for text in (light(evidence), *_changes(evidence)):
        if text:
            found = True
            yield text
    if not found and evidence.camera == ("static",):
        alike = "" if evidence.similarity is None else f" (similarity {evidence.similarity:.2f})"
        yield f"Nothing else changes that can be measured{alike}."


def _changes(evidence: Evidence) -> Iterator[str]:
    if evidence.colour and not evidence.cuts:
        yield sentence(f"{evidence.colour.before} gives way to {evidence.colour.after}")
    if evidence.moving:
        yield sentence(moving(evidence.moving[:2]))
    if evidence.text_appeared:
        yield text_is(evidence.text_appeared, "appears", "appear")
    if evidence.text_gone:
        yield text_is(evidence.text_gone, "is gone", "are gone")


def camera_spans(evidence: Sequence[Evidence]) -> list[Span]:
    """The camera's words over the whole video, neighbours with the same word joined."""
    spans: list[Span] = []
    for gap in evidence:
        pieces = gap.moves or tuple(
            CameraMove(word, gap.start, gap.end, 0.0, "frame widths") for word in gap.camera if len(gap.camera) == 1
        )
        for piece in pieces:
            if piece.word == "cut":
                continue
            if spans and spans[-1].word == piece.word and _follows(spans[-1].end, piece.start, gap.cuts):
                spans[-1] = Span(piece.word, spans[-1].start, piece.end)
            else:
                spans.append(Span(piece.word, piece.start, piece.end))
    return spans


def _follows(end: float, start: float, cuts: Sequence[float]) -> bool:
    """Whether what starts at `start` goes on with what ended at `end`: soon after it, and no cut between."""
    return start - end < 0.5 and not any(end - 0.01 <= cut <= start + 0.01 for cut in cuts)


def camera_over_time(evidence: Sequence[Evidence], most: int = 8) -> str | None:
    """ "The camera pans right from 0:02 to 0:06 and holds still from 0:06 to 0:10."""
    spans = [s for s in camera_spans(evidence) if s.word in _VERBS]
    if not spans:
        return "How the camera moves can't be told." if evidence else None
    if {s.word for s in spans} == {"static"}:
        whole = len(spans) == 1 or sum(s.end - s.start for s in spans) > 0.8 * (evidence[-1].end - evidence[0].start)
        return "The camera holds still throughout." if whole else "Where it can be told, the camera holds still."
    telling = [s for s in spans if s.word != "static"] if len(spans) > most else spans
    parts = [f"{_VERBS[s.word]} {span(s.start, s.end)}" for s in telling[:most]]
    more = len(telling) - len(parts)
    return sentence(f"the camera {join([*parts, f'makes {more} more moves'] if more > 0 else parts)}")
