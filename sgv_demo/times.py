"""Times, sizes and numbers in words, and back: one voice for every door. Pure."""

from __future__ import annotations

from math import isfinite


def parse_seconds(text: str) -> float:
    """Seconds of "12.5", "0:12", "02:03,500" or "1:02:03.5".

    Raises:
        ValueError: it is no time.
    """
    parts = text.strip().replace(",", ".").split(":")
    total = 0.0
    for part in parts:
        value = float(part)
        if not isfinite(value) or part.strip().startswith("-"):
            raise ValueError(f"{text!r} is no time; write seconds or 1:02:03.5")
        total = total * 60 + value
    if len(parts) > 3:
        raise ValueError(f"{text!r} is no time; write seconds or 1:02:03.5")
    return total


def clock(seconds: float) -> str:
    """m:ss, or h:mm:ss from an hour on."""
    whole = int(seconds + 0.5)
    hours, minutes, rest = whole // 3600, whole // 60 % 60, whole % 60
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def timestamp(seconds: float, point: str = ".") -> str:
    """hh:mm:ss.mmm, as subtitles have it; `point` is "." in WebVTT and "," in SRT."""
    millis = round(max(seconds, 0.0) * 1000)
    hours, rest = divmod(millis, 3_600_000)
    minutes, rest = divmod(rest, 60_000)
    return f"{hours:02d}:{minutes:02d}:{rest // 1000:02d}{point}{rest % 1000:03d}"


def length(seconds: float) -> str:
    """ "12 s", "5 min", "2 h": rounded, for people."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    if seconds < 5400:
        return f"{round(seconds / 60)} min"
    return f"{seconds / 3600:.2g} h"


def gigabytes(count: float) -> str:
    """Bytes for people, in powers of ten: "5.3 GB", "12 MB"."""
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"


def counted(number: int, noun: str) -> str:
    """ "1 caption", "1,204 captions"."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
