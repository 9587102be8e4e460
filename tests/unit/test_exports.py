"""Exports: valid formats, honest headers, nothing that a renderer could run."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from itertools import pairwise

import pytest

from sgv_demo.exports import clock, cues, evidence_phrases, to_json, to_markdown, to_srt, to_vtt
from sgv_demo.types import Caption, Evidence
from tests.unit.samples import EVIDENCE, analysis


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0:00"), (4.4, "0:04"), (59.6, "1:00"), (61, "1:01"), (3600, "1:00:00"), (7265, "2:01:05")],
)
def test_clock(seconds: float, text: str) -> None:
    assert clock(seconds) == text


def test_every_caption_has_a_cue_and_no_two_overlap() -> None:
    spans = cues(analysis())
    assert [text for _, _, text in spans] == [c.text for c in analysis().captions]
    assert all(end > start for start, end, _ in spans)
    assert all(a[1] <= b[0] for a, b in pairwise(spans))


def test_a_single_first_caption_lasts_for_the_clip() -> None:
    only = analysis(captions=(Caption(0, 0.0, 0.0, "Alone."),))
    assert cues(only) == [(0.0, 4.0, "Alone.")]


def test_webvtt_is_well_formed_and_escaped() -> None:
    blocks = to_vtt(analysis()).split("\n\n")
    assert blocks[0] == "WEBVTT"
    assert "Scripted, for tests (tiny, nf4, bfloat16)" in blocks[1]
    timing = re.compile(r"\d\d:\d\d:\d\d\.\d{3} --> \d\d:\d\d:\d\d\.\d{3}")
    for block in blocks[2:]:
        lines = block.strip().split("\n")
        assert len(lines) == 3
        assert timing.fullmatch(lines[1])
        assert "<" not in lines[2]
    assert "pans right &amp; a &lt;sign&gt; shows." in to_vtt(analysis())


def test_no_text_can_open_a_cue_of_its_own() -> None:
    assert to_vtt(analysis()).count("-->") == 3
    assert to_srt(analysis()).count("-->") == 4  # SubRip has no escape; the text stays on its own line
    assert len(re.findall(r"^\d\d:.*-->", to_srt(analysis()), re.M)) == 3


def test_times_past_an_hour() -> None:
    late = analysis(captions=(Caption(1, 3723.5, 3725.25, "Late."),))
    assert "01:02:03,500 --> 01:02:05,250" in to_srt(late)


def test_markdown_says_who_wrote_it_and_escapes_the_rest() -> None:
    text = to_markdown(analysis())
    assert text.startswith("# my \\*clip\\*.mp4\n")
    assert "secret" not in text
    assert "Written by: Scripted, for tests (tiny, nf4, bfloat16); sliding captions" in text
    assert "&lt;sign&gt;" in text
    assert "<sign>" not in text
    assert "### 0:00 → 0:02" in text
    assert "3 damaged pictures were skipped." in text


def test_evidence_in_phrases() -> None:
    assert evidence_phrases(EVIDENCE) == [
        "cut at 0:01",
        "pan right",
        "12 % brighter",
        "tan → sky blue",
        "motion upper right → left",
        "text in: “EXIT”",
        "text out: “START”",
        "similarity 0.81",
    ]
    assert evidence_phrases(Evidence(0, 1, ("cut",), cuts=(0.5,), light=0.01)) == ["cut at 0:01"]


def test_json_is_the_record() -> None:
    assert json.loads(to_json(analysis()))["summary"] == "A street; a sign appears."


def test_blank_captions_are_no_cues() -> None:
    blank = replace(analysis(), captions=(Caption(0, 0.0, 0.0, "  "),))
    assert cues(blank) == []
