"""ShareGPT4Video's annotation files: one JSON record a line, opened by an index, read one record at a time.

Fields of a record, as published: `video_id`, `video_path`, `zip_folder`, `captions` = [{"idx": "1", "content": …}, …]
where idx "-1" is the whole video's caption, and sometimes `timestamp` and `keyframe`. Everything else is kept as it
is. A file comes from anybody: lines that are no record are counted, never trusted and never fatal.
"""

from __future__ import annotations

import json
import mmap
import random
import re
import tempfile
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, TypeVar

from sgv_demo.clean import clean, clean_data, decode
from sgv_demo.errors import DatasetError
from sgv_demo.times import parse_seconds

FIELD = "sgv_demo"
"""What this program adds to a record: what the published fields have no place for."""
WHOLE = "-1"
"""The idx of the whole video's caption."""
LONGEST_LINE = 16_000_000
"""Bytes of one record at most; a longer line is skipped."""

MOST_WORDS = 50
"""Words and phrases of one search at most."""
_BIT = 500
"""Records that are looked at before whoever searches may end it."""
_QUERY = re.compile(r'"([^"]+)"|(\S+)')
_DECODER = json.JSONDecoder()
_ASCII = bytes(range(128))
_LETTERS = frozenset(byte for byte in range(256) if byte > 127 or chr(byte).isalnum() or byte == ord("_"))
"""Bytes of words; all of a character beyond ASCII count."""
_PROGRESS_BYTES = 4_000_000

_T = TypeVar("_T", dict[str, Any], list[Any])

Progress = Callable[[float], None]
"""Takes the share of the file that is indexed, 0 to 1."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One record of a file."""

    video_id: str
    video_path: str
    zip_folder: str
    captions: tuple[tuple[str, str], ...]
    """(idx, text) in the file's order, without the whole video's."""
    summary: str = ""
    """The whole video's caption."""
    timestamp: tuple[float, ...] = ()
    """Seconds; empty where the file has none, or none that can be read."""
    keyframe: tuple[int, ...] = ()
    """Numbers of the keyframes; empty where the file has none."""
    extra: Mapping[str, Any] = field(default_factory=dict)
    """The record's other fields."""

    @property
    def text(self) -> str:
        """All captions, the whole video's first."""
        return "\n".join([self.summary, *(text for _, text in self.captions)])

    @property
    def engines(self) -> frozenset[str]:
        """The engine that this program's record says wrote it, as a set of one or none."""
        return _texts([self._own("engine", dict).get("label")])

    @property
    def ratings(self) -> frozenset[str]:
        """Ratings that were given to its captions in this program."""
        verdicts = self._own("review", list)
        return _texts(verdict.get("rating") for verdict in verdicts if isinstance(verdict, dict))

    @property
    def characters(self) -> int:
        """Length of all captions together."""
        return len(self.summary) + sum(len(text) for _, text in self.captions)

    def _own(self, name: str, kind: type[_T]) -> _T:
        """A part of what this program adds; an empty one where the file has another."""
        own = self.extra.get(FIELD)
        found = own.get(name) if isinstance(own, dict) else None
        return found if isinstance(found, kind) else kind()


def _texts(values: Iterable[object]) -> frozenset[str]:
    return frozenset(value for value in values if isinstance(value, str) and value)


@dataclass(frozen=True, slots=True)
class Trouble:
    """What was wrong with a file, in numbers."""

    not_json: int = 0
    """Lines that are no JSON."""
    no_record: int = 0
    """Lines that are JSON but hold no captions."""
    too_long: int = 0
    """Lines over `LONGEST_LINE`."""
    guessed: int = 0
    """Lines not in UTF-8, read as Windows-1252."""

    @property
    def lines(self) -> int:
        """All lines left out."""
        return self.not_json + self.no_record + self.too_long

    def sentence(self) -> str:
        """For the user; empty when nothing was wrong."""
        parts = ((self.not_json, "no JSON"), (self.no_record, "without captions"), (self.too_long, "too long"))
        said = ", ".join(f"{count:,} {what}" for count, what in parts if count)
        sentences = [f"{self.lines:,} line{'' if self.lines == 1 else 's'} left out ({said})."] if said else []
        if self.guessed:
            lines = "line is" if self.guessed == 1 else "lines are"
            sentences.append(f"{self.guessed:,} {lines} not in UTF-8 and read as Windows-1252; check the accents.")
        return " ".join(sentences)


def entry_from_record(record: object) -> Entry | None:
    """A record's known fields, or None when it holds no caption; fields of a wrong type count as absent."""
    if not isinstance(record, dict) or not isinstance(record.get("captions"), list):
        return None
    captions: list[tuple[str, str]] = []
    summary = ""
    for item in record["captions"]:
        if not isinstance(item, dict) or not isinstance(item.get("content"), str):
            continue
        index = item.get("idx")
        name, text = _name(index), clean(item["content"])
        if name == WHOLE:
            # Two captions of the whole are both kept: nobody knows which was meant.
            summary = f"{summary}\n\n{text}" if summary else text
        else:
            captions.append((name, text))
    if not captions and not summary:
        return None
    if all(name.isdecimal() for name, _ in captions):
        captions.sort(key=lambda caption: int(caption[0]))  # times and keyframes are in this order
    known = {"video_id", "video_path", "zip_folder", "captions", "timestamp", "keyframe"}
    return Entry(
        video_id=_string(record.get("video_id")),
        video_path=_string(record.get("video_path")),
        zip_folder=_string(record.get("zip_folder")),
        captions=tuple(captions),
        summary=summary,
        timestamp=_times(record.get("timestamp")),
        keyframe=_numbers(record.get("keyframe")),
        extra={name: clean_data(value) for name, value in record.items() if name not in known},
    )


def _name(index: object) -> str:
    """An idx as published, "1" or "-1", also where a tool made a number of it."""
    if isinstance(index, str) and re.fullmatch(r"\s*-?\d{1,9}(?:\.0+)?\s*", index):
        index = float(index)
    if isinstance(index, float) and index.is_integer():
        index = int(index)
    return str(index) if isinstance(index, (str, int)) and not isinstance(index, bool) else ""


def _string(value: object) -> str:
    return clean(str(value)) if isinstance(value, (str, int)) else ""


def _numbers(value: object) -> tuple[int, ...]:
    if not isinstance(value, list) or not all(type(v) is int and abs(v) < 1e9 for v in value):
        return ()
    return tuple(value)


def _times(value: object) -> tuple[float, ...]:
    """A list of seconds, or of "h:mm:ss.sss"; anything else is no list of times."""
    if not isinstance(value, list):
        return ()
    times = [_seconds(v) for v in value]
    return () if None in times else tuple(t for t in times if t is not None)


def _seconds(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        return None
    try:
        total = parse_seconds(value) if isinstance(value, str) else float(value)
    except (ValueError, OverflowError):
        return None
    return total if 0 <= total < 1e7 else None


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which records a search is for."""

    words: str = ""
    """Whole words, any case; `pan*` finds words that begin so, "in quotes" finds a phrase. Words in scripts without
    spaces are found anywhere."""
    folder: str | None = None
    """Only records of this source folder."""
    engine: str | None = None
    """Only records that this engine wrote."""
    rating: str | None = None
    """Only records with a caption rated so."""
    shortest: int = 0
    """Characters of all captions together, at least."""
    longest: int | None = None
    """The same at most."""


class _Column:
    """For each record a set of names, of which there are few: numbers of sets, one a record."""

    def __init__(self) -> None:
        self.sets = array("I")
        self._seen: dict[frozenset[str], int] = {}

    def add(self, names: frozenset[str]) -> None:
        self.sets.append(self._seen.setdefault(names, len(self._seen)))

    def numbers(self, name: str) -> frozenset[int]:
        """Of the sets that hold a name."""
        return frozenset(number for names, number in self._seen.items() if name in names)

    def counts(self) -> list[tuple[str, int]]:
        """(name, records that have it), the most frequent first."""
        held, found = Counter(self.sets), Counter[str]()
        for names, number in self._seen.items():
            for name in names:
                found[name] += held[number]
        return sorted(found.items(), key=lambda row: (-row[1], row[0]))


class Dataset:
    """A file of records: an index in memory, the texts on disk. Use as a context manager, or call `close`.

    Safe to read from several threads at once.
    """

    def __init__(self, path: Path, progress: Progress | None = None) -> None:
        """Reads the whole file once (about 100 MB a second) and remembers where each record is.

        Raises:
            DatasetError: the file can't be read, or no line of it is a record.
        """
        self.path = path
        self._starts = array("Q")
        self._sizes = array("I")
        self._ends = array("Q")
        self._characters = array("I")
        self._folders, self._engines, self._ratings = _Column(), _Column(), _Column()
        try:
            self._words: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  # lives as long as the index
            self._file = path.open("rb")
            self.trouble = self._index(path.stat().st_size, progress)
        except OSError as error:
            raise DatasetError(f"“{path.name}” can't be read ({error.strerror}); choose another file.") from error
        if not self._starts and _is_utf16(path):
            self.close()
            raise DatasetError(f"“{path.name}” is in UTF-16; save it as UTF-8.")
        if not self._starts:
            self.close()
            raise DatasetError(
                f"“{path.name}” holds no annotations: no line is a JSON record with captions. "
                "Give a JSONL file such as sharegpt4video_40k.jsonl."
            )
        self._records = mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_READ)
        self._text = mmap.mmap(self._words.fileno(), 0, access=mmap.ACCESS_READ)

    def _index(self, size: int, progress: Progress | None) -> Trouble:
        bad: Counter[str] = Counter()
        told = 0
        for start, line in _lines(self._file):
            if progress and start - told > _PROGRESS_BYTES:
                told = start
                progress(start / size)
            if line is None:
                bad["too_long"] += 1
            elif line.strip():
                bad.update(self._add(start, line))
        self._words.flush()
        if progress:
            progress(1.0)
        return Trouble(bad["not_json"], bad["no_record"], bad["too_long"], bad["guessed"])

    def _add(self, start: int, line: bytes) -> Iterator[str]:
        """Indexes the records of a line (tools that add to a file without a last line end write two on one); yields
        what was wrong with it."""
        guessed = False
        try:
            line.decode("utf-8")
        except UnicodeDecodeError:
            guessed = True
        try:
            for at, size, record in _values(line):
                entry = entry_from_record(record)
                if entry is None:
                    yield "no_record"
                else:
                    self._remember(start + at, size, entry)
                    if guessed:
                        yield "guessed"
        except (ValueError, RecursionError):
            yield "not_json"

    def _remember(self, start: int, size: int, entry: Entry) -> None:
        words = _folded(f"{entry.video_id}\n{entry.text}")
        self._words.write(words)
        self._starts.append(start)
        self._sizes.append(size)
        self._ends.append((self._ends[-1] if self._ends else 0) + len(words))
        self._characters.append(entry.characters)
        self._folders.add(frozenset([entry.zip_folder]))
        self._engines.add(entry.engines)
        self._ratings.add(entry.ratings)

    def __len__(self) -> int:
        return len(self._starts)

    def __getitem__(self, number: int) -> Entry:
        """The record with a 0-based number.

        Raises:
            IndexError: there is none.
            DatasetError: the file was changed on disk since it was indexed.
        """
        if not 0 <= number < len(self):
            raise IndexError(number)
        start = self._starts[number]
        try:
            ((_, _, record),) = _values(self._records[start : start + self._sizes[number]])
        except (ValueError, RecursionError) as error:
            raise DatasetError(f"“{self.path.name}” was changed since it was opened; open it again.") from error
        entry = entry_from_record(record)
        if entry is None:
            raise DatasetError(f"“{self.path.name}” was changed since it was opened; open it again.")
        return entry

    def folders(self) -> list[tuple[str, int]]:
        """(source folder, number of records), the fullest first."""
        return self._folders.counts()

    def engines(self) -> list[tuple[str, int]]:
        """(engine, number of records that name it), the most frequent first."""
        return self._engines.counts()

    def ratings(self) -> list[tuple[str, int]]:
        """(rating, number of records with a caption rated so), the most frequent first."""
        return self._ratings.counts()

    def longest(self) -> int:
        """Characters of the longest record's captions."""
        return max(self._characters)

    def search(self, wanted: Wanted) -> list[int]:
        """Numbers of the records that are wanted, in the file's order."""
        return [number for numbers in self.scan(wanted) for number in numbers]

    def scan(self, wanted: Wanted) -> Iterator[list[int]]:
        """What `search` finds, bit by bit: whoever takes no more of it ends it.

        Raises:
            DatasetError: more than `MOST_WORDS` words.
        """
        asked = {a or b for a, b in _QUERY.findall(wanted.words.casefold())}
        if len(asked) > MOST_WORDS:
            raise DatasetError(f"This search has {len(asked):,} words; write {MOST_WORDS} at most.")
        needles = [_needle(word) for word in asked]
        needles.sort(key=lambda needle: -len(needle.plain))  # long words are rare ones: most records end there
        columns = ((self._folders, wanted.folder), (self._engines, wanted.engine), (self._ratings, wanted.rating))
        among = [(column.sets, column.numbers(name)) for column, name in columns if name is not None]
        found: list[int] = []
        for number, size in enumerate(self._characters):
            if number % _BIT == _BIT - 1:
                yield found
                found = []
            if size < wanted.shortest or (wanted.longest is not None and size > wanted.longest):
                continue
            if not all(sets[number] in numbers for sets, numbers in among):
                continue
            if not needles or self._holds(number, needles):
                found.append(number)
        yield found

    def _holds(self, number: int, wanted: list[_Needle]) -> bool:
        text = self._text[self._ends[number - 1] if number else 0 : self._ends[number]]
        return all(needle.plain in text for needle in wanted) and all(needle.stands_in(text) for needle in wanted)

    def anywhere(self, among: list[int] | None = None) -> int:
        """The number of a random record, of all or of some."""
        return random.choice(among) if among else random.randrange(len(self))

    def close(self) -> None:
        """Lets go of the file."""
        for name in ("_records", "_text", "_file", "_words"):
            if hasattr(self, name):
                getattr(self, name).close()

    def __enter__(self) -> Dataset:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def _is_utf16(path: Path) -> bool:
    with path.open("rb") as file:
        return decode(file.read(64))[1].startswith("utf-16")


def _values(line: bytes) -> Iterator[tuple[int, int, object]]:
    """(offset in bytes, bytes, value) of the JSON values of a line.

    Raises:
        ValueError: something in it is no JSON; the values before are yielded.
    """
    try:
        yield 0, len(line), json.loads(line.decode("utf-8-sig"))
        return
    except UnicodeDecodeError:
        yield 0, len(line), json.loads(line.decode("cp1252", "replace"))
        return
    except json.JSONDecodeError as error:
        if error.msg != "Extra data":
            raise
    text, at = line.decode("utf-8-sig"), 0
    before = len(line) - len(text.encode("utf-8"))
    while at < len(text):
        value, end = _DECODER.raw_decode(text, at)
        start, size = len(text[:at].encode("utf-8")) + before, len(text[at:end].encode("utf-8"))
        yield start, size, value
        at = end + len(text[end:]) - len(text[end:].lstrip())


def _folded(text: str) -> bytes:
    """`text.casefold()` as UTF-8; five times as fast for English with a few typographic characters."""
    data = text.encode("utf-8", "replace")
    others = data.translate(None, _ASCII).decode("utf-8")
    if others == others.casefold():
        return data.lower()
    return text.casefold().encode("utf-8", "replace")


@dataclass(frozen=True, slots=True)
class _Needle:
    """What to look for in a record's folded bytes. Finding and then looking at both neighbours is five times as fast
    as a regular expression that begins with a look behind."""

    plain: bytes
    begins: bool
    """Whether it must stand at the beginning of a word."""
    ends: bool
    """Whether it must stand at the end of one."""

    def stands_in(self, text: bytes) -> bool:
        """Whether the text has it where it must stand."""
        at = text.find(self.plain)
        while at >= 0:
            after = at + len(self.plain)
            free = not (self.begins and at and text[at - 1] in _LETTERS)
            if free and not (self.ends and after < len(text) and text[after] in _LETTERS):
                return True
            at = text.find(self.plain, at + 1)
        return False


def _needle(word: str) -> _Needle:
    """A word of a query; only where its letters are Latin has it bounds."""
    open_end = word.endswith("*") and len(word) > 1
    plain = word[:-1] if open_end else word
    latin = plain.isascii()
    begins = latin and re.match(r"\w", plain) is not None
    ends = latin and not open_end and re.search(r"\w$", plain) is not None
    return _Needle(plain.encode("utf-8", "replace"), begins, ends)


def _lines(file: IO[bytes]) -> Iterator[tuple[int, bytes | None]]:
    """(offset, line) of each line; the line is None when it is too long."""
    while True:
        start = file.tell()
        line = file.readline(LONGEST_LINE + 1)
        if not line:
            return
        if len(line) <= LONGEST_LINE or line.endswith(b"\n"):
            yield start, line
            continue
        while line and not line.endswith(b"\n"):
            line = file.readline(LONGEST_LINE)
        yield start, None
