"""Times in words: one voice for the page, the reports and the captions."""

from __future__ import annotations


def clock(seconds: float) -> str:
    """m:ss, or h:mm:ss from an hour on, as the page writes times."""
    whole = int(seconds + 0.5)
    hours, minutes, rest = whole // 3600, whole // 60 % 60, whole % 60
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
