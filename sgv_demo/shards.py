"""The I-th of N parts of whatever has names: by a hash of the name, so that every machine means the same part."""

from __future__ import annotations

import hashlib

from sgv_demo.errors import SettingsError


def shard_of(text: str) -> tuple[int, int]:
    """(which, of how many), counted from 1, of "I/N".

    Raises:
        SettingsError: it isn't of that form, or there is no such part.
    """
    which, _, count = text.partition("/")
    if not (which.isdecimal() and count.isdecimal()):
        raise SettingsError(f"{text!r} is no shard; write I/N, such as 1/4.")
    return checked(int(which), int(count))


def checked(which: int, count: int) -> tuple[int, int]:
    """
    Raises:
        SettingsError: there is no such part.
    """
    if not 1 <= which <= count:
        raise SettingsError(f"There is no shard {which} of {count}; count from 1.")
    return which, count


def in_shard(name: str, shard: tuple[int, int]) -> bool:
    """Whether a name belongs to a part."""
    which, count = shard
    return number_of(name) % count == which - 1


def number_of(name: str) -> int:
    """A number that looks drawn and is the same everywhere."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8])
