"""Filters a pool: what was measured first, then pictures, then meaning; what is left out names why and for whom.

The rows are gone through several times and never held together: what is held is a few numbers and a name for each,
and the vectors of those that are kept.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from sgv_demo import __version__
from sgv_demo.annotation.filtering.encoders import ENCODERS, Encoder
from sgv_demo.annotation.filtering.measured import Bounds
from sgv_demo.annotation.filtering.pictures import Copies, hashes, looks
from sgv_demo.annotation.filtering.rows import Columns, Row, rows
from sgv_demo.annotation.filtering.semantic import Choice, Selection
from sgv_demo.annotation.inputs import Video
from sgv_demo.annotation.layouts.wording import Wording
from sgv_demo.errors import SettingsError
from sgv_demo.keyframes.similarity import make_embedder
from sgv_demo.lines import sole_writer
from sgv_demo.settings import Settings

CLIP_THRESHOLD = 0.93
KEPT, DROPPED, MADE = "kept.jsonl", "dropped.jsonl", "filter.json"
_BATCH = 1024
_HALVINGS = 20

Told = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class How:
    """All that decides what is kept."""

    encoder: str = "tfidf"
    model: str = ""
    """The encoder's folder or Hub id; empty: its own."""
    threshold: float | None = None
    """None: the encoder's own."""
    keep: int | None = None
    """So many, or the nearest number that a threshold gives, instead of a threshold."""
    order: Literal["given", "shuffled"] = "given"
    """The first of two alike is the one that stays."""
    seed: int = 0
    bounds: Bounds = field(default_factory=Bounds)
    pictures: bool = False
    """Whether near copies of pictures go, whatever their captions say."""
    columns: Columns = field(default_factory=Columns)
    wording: Wording = field(default_factory=lambda: Wording("first-sentence"))


@dataclass(slots=True)
class Filtered:
    """What came of it."""

    names: list[str]
    sources: list[str]
    seconds: list[float | None]
    choices: list[Choice]
    threshold: float
    unmeasured: int = 0
    """Kept though a bound is set for something that wasn't measured."""

    def counts(self) -> dict[str, int]:
        """Reason → how many were left out, the commonest first."""
        return dict(Counter(choice.reason for choice in self.choices if not choice.kept).most_common())

    @property
    def kept(self) -> int:
        """How many stay."""
        return sum(choice.kept for choice in self.choices)


def filter_pool(
    source: Path, out: Path, how: How, videos: dict[str, Video], settings: Settings, told: Told = lambda _: None
) -> Filtered:
    """Writes `kept.jsonl` and `dropped.jsonl` (with reason, nearest kept one and similarity), then `filter.json`.

    Args:
        source: see `rows.rows`.
        out: folder for the files, made when needed.
        how: what decides.
        videos: where the clips are, for whatever looks at pictures.
        settings: limits on what is read.
        told: hears how far it is.

    Raises:
        SgvError: the input, an encoder or a bound can't be used.
    """
    lock = sole_writer(out, ".filter.lock")
    try:
        found = decide(source, how, videos, settings, told)
        _write(source, out, how, found)
    finally:
        lock.release()
    return found


def decide(source: Path, how: How, videos: dict[str, Video], settings: Settings, told: Told) -> Filtered:
    """What becomes of every row."""

    def read() -> Iterator[Row]:
        return rows(source, how.columns, how.wording)

    found = Filtered([], [], [], [], how.threshold if how.threshold is not None else _own_threshold(how.encoder))
    for row in read():
        measured = row.measured()
        reason = how.bounds.fault(measured) or ("" if row.text or how.encoder == "clip" else "no caption")
        found.names.append(row.name)
        found.sources.append(row.source)
        found.seconds.append(measured.seconds)
        found.choices.append(Choice(not reason, reason))
        found.unmeasured += not reason and how.bounds.unmeasured(measured)
    told(f"{len(found.names):,} rows read")
    if how.pictures:
        _drop_copies(found, _order(found, how), videos, settings, told)
    with tempfile.TemporaryDirectory(prefix="sgv-") as folder:
        vectors = _vectors(read, found, how, videos, settings, Path(folder), told)
        _select(vectors, found, how, told)
        del vectors
    return found


def _own_threshold(encoder: str) -> float:
    if encoder == "clip":
        return CLIP_THRESHOLD
    if encoder not in ENCODERS:
        raise SettingsError(f"There is no encoder {encoder}; choose {', '.join(ENCODERS)} or clip.")
    return ENCODERS[encoder].threshold


def _order(found: Filtered, how: How) -> NDArray[np.int64]:
    """Numbers of the rows that are still there, in the order in which they come."""
    numbers = np.flatnonzero([choice.kept for choice in found.choices])
    return np.random.default_rng(how.seed).permutation(numbers) if how.order == "shuffled" else numbers


def _drop_copies(
    found: Filtered, order: NDArray[np.int64], videos: dict[str, Video], settings: Settings, told: Told
) -> None:
    copies = Copies()
    for place, number in enumerate(map(int, order)):
        video = videos.get(found.names[number])
        same = copies.offer(number, hashes(looks(video, settings))) if video else None
        if same:
            found.choices[number] = Choice(False, "same pictures", same[0], 1 - same[1] / 64)
        if place % 100 == 99:
            told(f"{place + 1:,} of {len(order):,} videos looked at")


def _vectors(
    read: Callable[[], Iterator[Row]],
    found: Filtered,
    how: How,
    videos: dict[str, Video],
    settings: Settings,
    folder: Path,
    told: Told,
) -> NDArray[np.float32]:
    """(n, d) of all rows, on disk; zeros for those that are out already."""
    encoder: Encoder
    if how.encoder == "clip":
        encoder = _Pictures(found, videos, settings)
    else:
        left = (row.text for row, choice in zip(read(), found.choices, strict=True) if choice.kept)
        encoder = ENCODERS[how.encoder].make(left, how.model, how.seed)
    shape = (max(1, len(found.names)), encoder.dimensions)
    vectors = np.lib.format.open_memmap(folder / "vectors.npy", "w+", np.float32, shape)
    numbers: list[int] = []
    texts: list[str] = []

    def encode() -> None:
        if numbers:
            given = [found.names[n] for n in numbers] if how.encoder == "clip" else texts
            vectors[numbers] = encoder(given)
            told(f"{numbers[-1] + 1:,} of {len(found.names):,} captions encoded")
        numbers.clear()
        texts.clear()

    for number, row in enumerate(read()):
        if found.choices[number].kept:
            numbers.append(number)
            texts.append(row.text)
            if len(numbers) == _BATCH:
                encode()
    encode()
    return vectors


class _Pictures:
    """CLIP's features of a video's pictures, their mean, in the place of captions."""

    def __init__(self, found: Filtered, videos: dict[str, Video], settings: Settings) -> None:
        self._embedder = make_embedder("clip", settings)
        self._videos, self._settings = videos, settings
        self._found = found
        self.dimensions = 1
        for name in found.names:
            if (video := videos.get(name)) and (frames := looks(video, settings)):
                self.dimensions = self._embedder.embed(frames[:1]).shape[1]
                return
        raise SettingsError("None of the videos can be read; give the pool's folder, or another --encoder.")

    def __call__(self, texts: Any) -> NDArray[np.float32]:
        """(n, dimensions) of n names; zeros where a video can't be read."""
        made = np.zeros((len(texts), self.dimensions), np.float32)
        for place, name in enumerate(texts):
            if (video := self._videos.get(name)) and (frames := looks(video, self._settings)):
                made[place] = self._embedder.embed(frames).mean(axis=0)
        return made


def _select(vectors: NDArray[np.float32], found: Filtered, how: How, told: Told) -> None:
    order = _order(found, how)
    if how.keep is None:
        chosen = _chosen(vectors, order, found.threshold, told)
    else:
        found.threshold, chosen = _nearest(vectors, order, how.keep, told)
    for number, choice in chosen.items():
        found.choices[number] = choice


def _nearest(
    vectors: NDArray[np.float32], order: NDArray[np.int64], keep: int, told: Told
) -> tuple[float, dict[int, Choice]]:
    """(threshold, choices) of the highest threshold, by halving, that keeps at most `keep`.

    A higher threshold keeps more, but for rare cases in which one more kept video covers several others.
    """
    least, most = -1.0, 1.000001
    best = (least, _chosen(vectors, order, least, told))
    for _ in range(_HALVINGS):
        middle = (least + most) / 2
        chosen = _chosen(vectors, order, middle, told)
        count = sum(choice.kept for choice in chosen.values())
        if count <= keep:
            least, best = middle, (middle, chosen)
        else:
            most = middle
        if count == keep:
            break
    return best


def _chosen(vectors: NDArray[np.float32], order: NDArray[np.int64], threshold: float, told: Told) -> dict[int, Choice]:
    selection, chosen = Selection(threshold, vectors.shape[1]), dict[int, Choice]()
    for start in range(0, len(order), _BATCH):
        numbers = order[start : start + _BATCH]
        chosen |= zip(map(int, numbers), selection.offer(vectors[numbers], [int(n) for n in numbers]), strict=True)
        told(f"{len(chosen):,} of {len(order):,} compared")
    return chosen


def _write(source: Path, out: Path, how: How, found: Filtered) -> None:
    digest = hashlib.sha256()
    with (
        (out / f"{KEPT}.part").open("w", encoding="utf-8") as kept,
        (out / f"{DROPPED}.part").open("w", encoding="utf-8") as dropped,
    ):
        for row, choice in zip(rows(source, how.columns, how.wording), found.choices, strict=True):
            line = json.dumps(row.raw, ensure_ascii=False, default=str)
            digest.update(line.encode("utf-8", "replace"))
            if choice.kept:
                kept.write(line + "\n")
                continue
            nearest = None if choice.nearest is None else found.names[choice.nearest]
            why = {"video": row.name, "reason": choice.reason, "nearest": nearest, "similarity": choice.similarity}
            dropped.write(json.dumps(why | {"text": row.text}, ensure_ascii=False) + "\n")
    for name in (KEPT, DROPPED):
        (out / f"{name}.part").replace(out / name)
    made = asdict(how)
    made["wording"] = {"field": how.wording.field}
    about = {
        "sgv_demo": __version__,
        "input": {"name": source.name, "rows": len(found.names), "sha256_of_rows": digest.hexdigest()},
        "how": made,
        "threshold": found.threshold,
        "kept": found.kept,
        "left_out": found.counts(),
        "kept_though_not_measured": found.unmeasured,
    }
    unfinished = out / f"{MADE}.part"
    unfinished.write_text(json.dumps(about, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    unfinished.replace(out / MADE)
