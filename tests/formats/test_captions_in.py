"""Captions that a user brings along, in every format and state that they come in."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sgv_demo.errors import StoreError
from sgv_demo.formats.captions_in import MOST_CHARACTERS, parse_captions, read_captions

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
    first, second = parse_captions(SUBTITLES).captions
    assert (first.index, first.start, first.end, first.stated_time) == (0, 1.5, 3.0, 3.0)
    assert first.text == "A dog &lt; a cat, says <he>"
    assert (second.index, second.start, second.end, second.stated_time) == (1, 6.0, 6.0, 6.0)


def test_json_after_a_byte_order_mark_and_without_blank_captions() -> None:
    one = '{"index": 0, "start": 0, "end": 2, "text": "A dog."}'
    blank = '{"index": 1, "start": 2, "end": 4, "text": " "}'
    assert [c.text for c in parse_captions(f'\ufeff\n{{"captions": [{one}, {blank}]}}').captions] == ["A dog."]
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
    (found,) = parse_captions(line).captions
    assert (found.start, found.end, found.text, found.stated_time) == (start, end, text, end)


def test_a_line_without_a_time_begins_where_the_one_before_ends() -> None:
    assert [c.start for c in parse_captions("one\n0:02 - 0:04 two\n\nthree").captions] == [0, 2, 4]


def test_too_much_is_refused() -> None:
    assert len(parse_captions("x" * MOST_CHARACTERS).captions) == 1
    with pytest.raises(StoreError, match="more than 2,000,000 characters"):
        parse_captions("x" * (MOST_CHARACTERS + 1))


def test_endless_nesting_is_refused() -> None:
    with pytest.raises(StoreError, match="nested too deeply"):
        parse_captions('{"a":' * 100_000)


BALL_AND_BOX = [(0, 2, "A red ball."), (2, 4, "A blue box.")]


def read(text: str) -> list[tuple[float, float, str]]:
    return [(c.start, c.end, c.text) for c in parse_captions(text).captions]


def srt(*cues: str, between: str = "\n\n") -> str:
    return between.join(f"{number}\n{cue}" for number, cue in enumerate(cues, 1)) + "\n"


BALL, BOX = "00:00:00,000 --> 00:00:02,000\nA red ball.", "00:00:02,000 --> 00:00:04,000\nA blue box."


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(srt(BALL, BOX), id="as it should be"),
        pytest.param(srt(BALL, BOX, between="\n"), id="no blank line between cues"),
        pytest.param(srt(BALL, BOX).replace("\n", "\r"), id="CR only"),
        pytest.param(srt(BALL, BOX).replace("\n", "\r\r\n"), id="CR CR LF"),
        pytest.param(srt(BALL, BOX).replace(",000", ":000"), id="a colon before the milliseconds"),
        pytest.param(srt(BALL, BOX).replace(",000", ",000000"), id="microseconds"),
        pytest.param(srt(BALL, BOX).replace(",000", ""), id="whole seconds"),
        pytest.param(srt(BALL, BOX).replace("00:00:", "00:"), id="no hours"),
        pytest.param(srt(BALL, BOX).replace("00:00:02,000 -->", "00: 00: 02,000 -->"), id="blanks inside a time"),
        pytest.param(srt(BALL, BOX).replace("-->", "->"), id="a short arrow"),
        pytest.param(srt(BALL, BOX).replace("A ", "{\\an8}<font color='red'>A</font> "), id="places and colours"),
        pytest.param("WEBVTT\n\n" + srt(BALL, BOX).replace(",", "."), id="WebVTT with numbers"),
        pytest.param(f"{BALL}\n\n{BOX}", id="no numbers"),
        pytest.param(srt(BALL, BOX).split("\n", 1)[1], id="the first number missing"),
        pytest.param("0:00:00.000,0:00:02.000\nA red ball.\n\n0:00:02.000,0:00:04.000\nA blue box.", id="SBV"),
        pytest.param(json.dumps([{"start": s, "end": e, "text": t} for s, e, t in BALL_AND_BOX]), id="a JSON list"),
        pytest.param(
            "\n".join(json.dumps({"start": s, "duration": e - s, "text": t}) for s, e, t in BALL_AND_BOX),
            id="JSON lines with lengths",
        ),
        pytest.param(
            json.dumps(
                {
                    "text": "…",
                    "segments": [{"id": 0, "start": s, "end": e, "text": f" {t}"} for s, e, t in BALL_AND_BOX],
                }
            ),
            id="Whisper",
        ),
        pytest.param(
            json.dumps({"text": "…", "chunks": [{"timestamp": [s, e], "text": t} for s, e, t in BALL_AND_BOX]}),
            id="chunks",
        ),
        pytest.param(
            "[Script Info]\nTitle: x\n\n[Events]\n"
            "Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text\n"
            "Dialogue: 0,0:00:00.00,0:00:02.00,Default,,0,0,0,,{\\i1}A red\\Nball.{\\i0}\n"
            "Comment: 0,0:00:00.00,0:00:02.00,Default,,0,0,0,,hidden\n"
            "Dialogue: 0,0:00:02.00,0:00:04.00,Default,,0,0,0,,A blue box.\n",
            id="SubStation Alpha",
        ),
    ],
)
def test_one_text_as_peoples_tools_write_it(text: str) -> None:
    assert read(text) == BALL_AND_BOX
    assert parse_captions(text).notes == ()


def test_a_blank_line_inside_a_cue_ends_nothing_in_srt() -> None:
    text = srt("00:00:00,000 --> 00:00:02,000\nA red ball.\n\nIt rolls left.", BOX)
    assert read(text) == [(0, 2, "A red ball. It rolls left."), BALL_AND_BOX[1]]


def test_a_number_that_is_said_stays() -> None:
    assert read(srt("00:00:00,000 --> 00:00:02,000\nHow many?\n42", BOX))[0][2] == "How many? 42"


def test_webvtts_head_remarks_styles_names_and_voices_are_no_captions() -> None:
    text = """WEBVTT
X-TIMESTAMP-MAP=LOCAL:00:00:00.000,MPEGTS:900000

STYLE
::cue { color: red }

REGION
id:fred
width:40%

NOTE a remark
over two lines

cue-1
00:00.000 --> 00:02.000 line:0 position:20% size:60% align:start
<v Roger Bingham>A red ball.

00:02.000 --> 00:04.000
<c.yellow.bg_blue>A blue box.</c>
"""
    assert read(text) == BALL_AND_BOX
    assert parse_captions(text).notes == ()


def test_every_entity_is_read_and_a_lone_ampersand_stays() -> None:
    text = "WEBVTT\n\n00:00.000 --> 00:02.000\n"
    text += "It&#39;s &quot;red&quot; &#8212; Tom &amp; Jerry&apos;s &lt;3 caf&eacute; AT&T"
    assert read(text) == [(0, 2, "It's \"red\" — Tom & Jerry's <3 café AT&T")]


ROLLING_CUES = """WEBVTT
Kind: captions
Language: en

00:00:00.000 --> 00:00:02.000 align:start position:0%
BLANK
hi<00:00:00.500><c> everyone</c><00:00:01.000><c> today</c>

00:00:02.000 --> 00:00:02.010 align:start position:0%
hi everyone today
BLANK

00:00:02.010 --> 00:00:04.000 align:start position:0%
hi everyone today
we<00:00:02.500><c> paint</c>

00:00:04.000 --> 00:00:04.010 align:start position:0%
we paint
BLANK
""".replace("BLANK", " ")


def test_rolling_cues_say_each_sentence_once() -> None:
    assert read(ROLLING_CUES) == [(0, 2.01, "hi everyone today"), (2.01, 4.01, "we paint")]


def test_what_is_said_twice_stays_twice() -> None:
    assert [text for _, _, text in read(srt(BALL, BOX.replace("A blue box.", "A red ball.")))] == ["A red ball."] * 2


def test_a_time_that_cant_be_read_is_counted_and_said() -> None:
    brought = parse_captions(srt(BALL, "00:00:xx --> 00:00:03,000\nLost.", BOX))
    assert [c.text for c in brought.captions] == ["A red ball.", "A blue box."]
    assert brought.notes == ("1 cue can't be read and was left out.",)


def test_what_stands_between_webvtts_cues_is_counted_and_said() -> None:
    brought = parse_captions("WEBVTT\n\n00:00.000 --> 00:02.000\nA red ball.\n\nstray words\nover two lines\n")
    assert [c.text for c in brought.captions] == ["A red ball."]
    assert "1 cue" in brought.notes[0]


def test_cues_are_told_in_order_of_time() -> None:
    brought = parse_captions(srt(BOX, BALL))
    assert [c.text for c in brought.captions] == ["A red ball.", "A blue box."]
    assert brought.notes == ("The captions were not in order of time and were sorted.",)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("<?xml version='1.0'?>\n<tt xmlns='http://www.w3.org/ns/ttml'><body/></tt>", "TTML"),
        ("<SAMI><BODY></BODY></SAMI>", "SAMI"),
        ("{0}{25}A red ball.", "MicroDVD"),
        ("<!DOCTYPE html><p>A red ball.</p>", "a web page"),
        ("Scenarist_SCC V1.0\n\n00:00:00:00 9420", "SCC"),
    ],
)
def test_other_formats_are_refused_by_name(text: str, name: str) -> None:
    with pytest.raises(StoreError, match=name):
        parse_captions(text)


def test_lyrics_lose_their_head_and_the_times_of_words() -> None:
    assert read("[ar:Nobody]\n[00:00.00]A red ball.\n[00:02.00]A <00:02.50>blue box.") == [
        (0, 0, "A red ball."),
        (2, 2, "A blue box."),
    ]


def test_a_record_of_the_dataset_is_read_and_many_are_sent_to_their_room() -> None:
    record = {"video_id": "a", "captions": [{"idx": "1", "content": "A red ball."}, {"idx": "-1", "content": "All."}]}
    assert [text for _, _, text in read(json.dumps(record))] == ["A red ball."]
    with pytest.raises(StoreError, match="2 records"):
        parse_captions(f"{json.dumps(record)}\n{json.dumps(record)}")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"])
def test_files_in_any_encoding(encoding: str, tmp_path: Path) -> None:
    file = tmp_path / "captions.json"
    file.write_bytes(json.dumps([{"start": 0, "end": 2, "text": "A café."}], ensure_ascii=False).encode(encoding))
    brought = read_captions(file)
    assert [c.text for c in brought.captions] == ["A café."]
    assert bool(brought.notes) == (encoding == "cp1252")


@pytest.mark.parametrize("value", ["1e400", "NaN", "-5", '"never"', "99999999999999999999", "true"])
def test_a_time_that_is_none_leaves_its_piece_out_and_says_so(value: str) -> None:
    brought = parse_captions(f'[{{"start": {value}, "end": 3, "text": "x"}}, {{"start": 0, "end": 2, "text": "A."}}]')
    assert [c.text for c in brought.captions] == ["A."]
    assert brought.notes == ("1 cue can't be read and was left out.",)


def test_a_video_is_no_captions(clip: Path) -> None:
    with pytest.raises(StoreError, match="This file is no text; give JSON"):
        read_captions(clip)
