"""Exports: valid formats, honest headers, nothing that a renderer could run."""

from __future__ import annotations

import csv
import json
import re
from dataclasses import replace
from html import unescape
from io import StringIO
from itertools import pairwise

import pytest

from sgv_demo.formats.captions_in import parse_captions
from sgv_demo.formats.exports import cues, evidence_phrases, to_markdown, to_srt, to_vtt
from sgv_demo.formats.table import FORMATS, Beside, to_json
from sgv_demo.options import AnalysisOptions, SamplingOptions
from sgv_demo.results.provenance import told
from sgv_demo.results.review import NONE
from sgv_demo.times import clock
from sgv_demo.types import Caption, Evidence, Moving, TraceMark
from tests.support.samples import ENGINE, EVIDENCE, analysis

PAIRS = analysis().captions[1:]


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
    assert cues(replace(only, video=None)) == [(0.0, 2.0, "Alone.")]
    assert only.video
    late = replace(only, video=replace(only.video, start=5.0), captions=(Caption(0, 5.0, 5.0, "Alone."),))
    assert cues(late) == [(5.0, 9.0, "Alone.")]


@pytest.mark.parametrize(("end", "half"), [(3.0, 1.5), (20.0, 2.0)])
def test_the_first_caption_leaves_room_for_the_first_pair(end: float, half: float) -> None:
    pair = analysis(captions=(Caption(0, 0.0, 0.0, "A."), Caption(1, 0.0, end, "B.")))
    assert cues(pair) == [(0.0, half, "A."), (half, end, "B.")]


def test_webvtt_is_well_formed_and_escaped() -> None:
    blocks = to_vtt(analysis()).split("\n\n")
    assert blocks[0] == "WEBVTT"
    assert blocks[1].startswith("NOTE How it was made\nEngine: Scripted, for tests\nModel: tiny\n")
    timing = re.compile(r"\d\d:\d\d:\d\d\.\d{3} --> \d\d:\d\d:\d\d\.\d{3}")
    cues_ = [block for block in blocks if not block.startswith("NOTE")][1:]
    assert len(cues_) == 3
    for block in cues_:
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


def test_times_are_rounded_to_the_millisecond_and_none_is_negative() -> None:
    odd = analysis(captions=(Caption(1, -0.1, 0.2999, "Odd."),))
    assert "00:00:00,000 --> 00:00:00,300" in to_srt(odd)


def test_a_cue_of_subrip_is_one_paragraph() -> None:
    assert all(len(block.split("\n")) == 3 for block in to_srt(analysis()).strip().split("\n\n"))


def test_a_hostile_engine_name_stays_in_its_note() -> None:
    named = analysis(engine=replace(ENGINE, label="Mine\n\n00:00.000 --> 00:09.000\nfake"))
    assert to_vtt(named).count("-->") == 3
    assert "\nEngine: Mine 00:00.000 → 00:09.000 fake\n" in to_vtt(named).split("\n\n")[1]


def test_markdown_escapes_whatever_was_read_or_written() -> None:
    loud = replace(EVIDENCE, text_appeared=("*SALE* <b>",))
    text = to_markdown(
        analysis(
            captions=(Caption(1, 0.0, 2.0, "a \\* b", loud),), summary="<i>x</i>", notes=("<u>y</u> #1",), evidence=()
        )
    )
    assert not re.search(r"<[a-z]", text)
    assert "\\*SALE\\*" in text
    assert "a \\\\\\* b" in text
    assert "- &lt;u&gt;y&lt;/u&gt; \\#1" in text


def test_no_prompt_can_open_a_cue() -> None:
    trace = TraceMark("Look:\n\n00:00.000 --> 00:09.000\x0bfake\u2028\n\nWEBVTT", 1, 1, 1.0)
    text = to_vtt(analysis(captions=(Caption(0, 0.0, 2.0, "Real text of it.", trace=trace),)))
    assert text.count("-->") == 1
    assert text.split("\n\n")[-1].split("\n") == [
        "NOTE Prompt of caption 1", "Look:", "00:00.000 → 00:09.000", "fake", "WEBVTT", "",
    ]  # fmt: skip
    assert [caption.text for caption in parse_captions(text).captions] == ["Real text of it."]


def test_every_format_but_subrip_says_how_it_was_made() -> None:
    told_captions = tuple(replace(c, trace=TraceMark(f"Say <what> frame {c.index} shows", 7, 9, 1.5)) for c in PAIRS)
    options = AnalysisOptions(SamplingOptions(threshold=0.87))
    whole = analysis(captions=told_captions, options=options, summary_trace=TraceMark("Sum <it> up", 7, 9, 1.5))
    forms = {form.name: form for form in FORMATS}
    for name in ("html", "markdown", "vtt"):
        text = unescape(forms[name].make(whole, NONE, Beside())).replace("\\", "")
        for _, value in told(whole):
            assert value in text, (name, value)
        for value in ("2 s", "the end of the video", "0.87", "1,024 tokens", "PP-OCR", "3.5 s", "Sum <it> up"):
            assert value in text, (name, value)
        assert "Say <what> frame 1 shows" in text or "Say <what> frame {number} shows" in text, name
    row = next(csv.DictReader(StringIO(forms["csv"].make(whole, NONE, Beside()).removeprefix("\ufeff"))))
    assert (row["engine"], row["every_s"], row["threshold"], row["max_new_tokens"]) == (
        "Scripted, for tests", "2.0", "0.87", "1024",
    )  # fmt: skip
    assert (row["run_took"], row["summary_prompt"]) == ("3.5 s", "Sum <it> up")
    assert "NOTE" not in to_srt(whole)
    assert "Engine" not in to_srt(whole)


def test_markdown_says_how_frames_were_taken_and_how_long_a_step_took() -> None:
    text = to_markdown(analysis())
    assert "- Sampling interval: 2 s\n" in text
    assert "*written in 1.5 s · 90 tokens in, 7 out*" in text
    published = AnalysisOptions(SamplingOptions(published=True))
    assert "- Published sampling: yes\n" in to_markdown(analysis(options=published))


def test_markdown_says_who_wrote_it_and_escapes_the_rest() -> None:
    text = to_markdown(analysis())
    assert text.startswith("# my \\*clip\\*.mp4\n")
    assert "secret" not in text
    assert "*Written by: Scripted, for tests*" in text
    assert "- Quantization: nf4\n- Number format: bfloat16\n" in text
    assert "&lt;sign&gt;" in text
    assert "<sign>" not in text
    assert "### 0:00 → 0:02" in text
    assert "3 damaged pictures were skipped." in text


def test_evidence_in_phrases() -> None:
    assert evidence_phrases(EVIDENCE) == [
        "cut at 0:01",
        "pan right",
        "motion upper right → left, 5 %",
        "12 % brighter",
        "text in: “EXIT”",
        "text out: “START”",
        "tan → sky blue",
        "similarity 0.81",
    ]
    assert evidence_phrases(Evidence(0, 1, ("cut",), cuts=(0.5,), light=0.01)) == ["cut at 0:01"]
    still = Evidence(0, 1, ("static",), light=-0.02, moving=(Moving("centre", "in place", 0.0, 0.1),))
    assert evidence_phrases(still) == ["camera static", "motion centre, 10 %", "2 % darker"]
    small = Evidence(0, 1, (), moving=(Moving("top", "up", 0.1, 0.004),))
    assert evidence_phrases(small) == ["motion top → up, 0.4 %"]


def test_json_is_the_record() -> None:
    assert json.loads(to_json(analysis()))["summary"] == "A street; a sign appears."


def test_blank_captions_are_no_cues() -> None:
    blank = replace(analysis(), captions=(Caption(0, 0.0, 0.0, "  "),))
    assert cues(blank) == []
