"""Captions that a user brings along, in every format and state that they come in."""

from __future__ import annotations

import pytest

from sgv_demo.errors import StoreError
from sgv_demo.formats.captions_in import MOST_CHARACTERS, parse_captions

SUBTITLES = """\ufeff1\r
00:00:01,500 --> 00:00:03,000\r
<i>A dog</i> &amp;lt; a cat,\r
says &lt;he&gt;\r
\r
2\r
00:00:04,000 --> 00:00:05,000\r
\r
3\r
00:00:06,000 --> 00:00:02,000 align:start\r
Backwards.\r
"""


def test_subtitles_with_markup_entities_and_foreign_line_ends() -> None:
    first, second = parse_captions(SUBTITLES)
    assert (first.index, first.start, first.end, first.stated_time) == (0, 1.5, 3.0, 3.0)
    assert first.text == "A dog &lt; a cat, says <he>"
    assert (second.index, second.start, second.end, second.stated_time) == (1, 6.0, 6.0, 6.0)


def test_json_after_a_byte_order_mark_and_without_blank_captions() -> None:
    one = '{"index": 0, "start": 0, "end": 2, "text": "A dog."}'
    blank = '{"index": 1, "start": 2, "end": 4, "text": " "}'
    assert [c.text for c in parse_captions(f'\ufeff\n{{"captions": [{one}, {blank}]}}')] == ["A dog."]
    with pytest.raises(StoreError, match="no captions in it"):
        parse_captions(f'{{"captions": [{blank}]}}')


@pytest.mark.parametrize(
    ("line", "start", "end", "text"),
    [
        ("0:02 one", 2, 2, "one"),
        ("[0:02] one", 2, 2, "one"),
        ("0:02: one", 2, 2, "one"),
        ("0:02 – 0:04 | one", 2, 4, "one"),
        ("0:02 to 1:00:04.5 one", 2, 3604.5, "one"),
        ("0:05 → 0:02 one", 5, 5, "one"),
        ("at 0:02 one", 0, 0, "at 0:02 one"),
    ],
)
def test_ways_to_write_a_time(line: str, start: float, end: float, text: str) -> None:
    (found,) = parse_captions(line)
    assert (found.start, found.end, found.text, found.stated_time) == (start, end, text, end)


def test_a_line_without_a_time_begins_where_the_one_before_ends() -> None:
    assert [c.start for c in parse_captions("one\n0:02 - 0:04 two\n\nthree")] == [0, 2, 4]


def test_too_much_is_refused() -> None:
    assert len(parse_captions("x" * MOST_CHARACTERS)) == 1
    with pytest.raises(StoreError, match="more than 2,000,000 characters"):
        parse_captions("x" * (MOST_CHARACTERS + 1))


def test_endless_nesting_is_refused() -> None:
    with pytest.raises(StoreError, match="nested too deeply"):
        parse_captions('{"a":' * 100_000)
