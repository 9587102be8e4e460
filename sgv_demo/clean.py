"""Text from outside (a server, a file, a picture, a file's name), made fit to be kept, shown and sent on.

JSON may hold halves of surrogate pairs, which no encoder takes; files hold NULs and escape sequences. What enters is
cleaned once, where it enters, so that nothing behind has to ask.
"""

from __future__ import annotations

import re

_HALF = re.compile("[\ud800-\udfff]")
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ufeff]")


def clean(text: str) -> str:
    """`text` with split surrogate pairs joined, lone halves replaced by U+FFFD, line ends as "\\n", and without control
    characters (tabs and line ends stay)."""
    if _HALF.search(text):
        text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return _CONTROL.sub("", re.sub(r"\r+\n|\r", "\n", text))


class Cleaner:
    """`clean` over a stream: a surrogate pair that is split between two pieces is joined."""

    def __init__(self) -> None:
        self._held = ""

    def feed(self, piece: str) -> str:
        """What can be told of `piece` now."""
        text = self._held + piece
        self._held = text[-1] if text and "\ud800" <= text[-1] <= "\udbff" else ""
        return clean(text[: len(text) - len(self._held)])

    def end(self) -> str:
        """What was held back."""
        return clean(self._held)


def clean_data(value: object) -> object:
    """`clean` on every text inside JSON data, keys too."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, list):
        return [clean_data(item) for item in value]
    if isinstance(value, dict):
        return {clean(str(key)): clean_data(item) for key, item in value.items()}
    return value


def decode(data: bytes) -> tuple[str, str]:
    """(text, encoding) of a text file: what its byte order mark says, else UTF-8, else Windows-1252, in which every
    byte means something, so that the second word is what a reader should be told."""
    for mark, encoding in ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be")):
        if data.startswith(mark):
            return clean(data[len(mark) :].decode(encoding, "replace")), encoding
    # UTF-16 without its mark: every second byte of Latin text is 0, and no other; a video's are anywhere.
    first, second = data[:64:2].count(0), data[1:64:2].count(0)
    if max(first, second) > 0.3 * len(data[:64]) and not (first and second):
        encoding = "utf-16-be" if first else "utf-16-le"
        return clean(data.decode(encoding, "replace")), encoding
    try:
        return clean(data.decode("utf-8")), "utf-8"
    except UnicodeDecodeError:
        return clean(data.decode("cp1252", "replace")), "windows-1252"
