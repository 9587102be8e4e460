"""Telling what a file is that is no video, from its first bytes, so that the refusal can say so."""

from __future__ import annotations

from pathlib import Path

from sgv_demo.errors import VideoError

_HEAD_BYTES = 4096
_PLAYLISTS = (
    b"#extm3u",
    b"ffconcat",
    b"[playlist]",
    b"<?wpl",
    b"[reference]",
    b"rtsptext",
    b"v=0\r",
    b"v=0\n",
    b"<smil",
    b"<asx",
)
_TEXT_BYTES = frozenset(range(32, 127)) | {7, 8, 9, 10, 11, 12, 13, 27} | frozenset(range(128, 256))


def refuse_documents(path: Path) -> None:
    """Raises VideoError for playlists, manifests, web pages and other text, before any demuxer sees them."""
    head = _head(path)
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if text.startswith(_PLAYLISTS) or b"<mpd" in text[:1024] or b"<smoothstreamingmedia" in text[:1024]:
        raise VideoError("This is a playlist or manifest that only names other files; choose the video file itself.")
    if text.startswith((b"<!doctype html", b"<html", b"<head", b"<body")):
        raise VideoError("This is a web page, not a video; download the video file itself.")
    if _is_text(head):
        raise VideoError("This is a text file, not a video; choose a video file.")
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP" and b"ANIM" in head[:64]:
        raise VideoError("Animated WebP is not supported; export it as GIF or MP4.")


def reason_unopened(path: Path) -> str:
    """Why FFmpeg may have refused a file that looked like none of the above; one sentence for the user."""
    head = _head(path)
    if head[4:8] in (b"ftyp", b"mdat", b"wide", b"free", b"moov"):
        return "The file's index (moov) is missing or damaged, so it was probably cut off; record or upload it again."
    return "This is not a video that can be read (damaged, or of an unknown kind); export it again as MP4."


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_HEAD_BYTES)
    except OSError as error:
        raise VideoError("The file can't be read; check its permissions.") from error


def _is_text(head: bytes) -> bool:
    if head[:2] in (b"\xff\xfe", b"\xfe\xff") and len(head) > 3:
        head = head[2:].replace(b"\0", b"")
    if not head or not _TEXT_BYTES.issuperset(head) or head.startswith(b"YUV4MPEG2"):
        return False
    try:
        head[:-4].decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
