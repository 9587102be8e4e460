"""State to HTML without a browser."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from sgv_demo.errors import SettingsError
from sgv_demo.events import Analysis, Captioned, Delta, Failed, Finished, Kept, Measured, Opened, Sampled, Summarized
from sgv_demo.formats.exports import to_vtt
from sgv_demo.options import PUBLISHED_CAPTIONS, AnalysisOptions, QuestionOptions, SamplingOptions
from sgv_demo.results.review import Tally
from sgv_demo.settings import Settings
from sgv_demo.types import Caption, EngineInfo, Evidence, Failure, KeyframeMark, Sample, TraceMark, Turn, VideoInfo
from sgv_demo.ui import feed, parts
from sgv_demo.ui import frame as masthead
from sgv_demo.ui.ask import view as chat
from sgv_demo.ui.captions import view as render
from sgv_demo.ui.inspect import view as judging
from sgv_demo.ui.summary import view as texts
from sgv_demo.ui.video import view as facts
from sgv_demo.ui.video.controls import PUBLISHED_ANSWERING, PUBLISHED_DECODING, AskControls, Controls
from sgv_demo.ui.video.progress import buttons, captions_tab, fraction, progress
from sgv_demo.ui.video.timeline import thin, timeline
from sgv_demo.ui.visit import Said, Shown, Subject, Talk, Visit

HOSTILE = '<img src=x onerror="alert(1)"></p><script>alert(2)</script>"\'&'
INFO = VideoInfo(Path("/somewhere/clip.mp4"), 10.0, 25.0, (640, 360), "h264")
ENGINE = EngineInfo("measured", "Measured, no language model")


def url(name: str | None) -> str:
    return f"file={name}" if name else ""


def state(*events: object) -> Analysis:
    analysis = Analysis(ENGINE, AnalysisOptions(), key="a" * 40)
    for event in events:
        analysis = analysis.apply(event)  # pyright: ignore[reportArgumentType]
    return analysis


def mark(index: int, time: float) -> KeyframeMark:
    return KeyframeMark(index, time, None if index == 0 else 0.5, time, picture=f"keyframes/{index:04d}.jpg")


class Tags(HTMLParser):
    """Collects tags and attributes of a fragment."""

    def __init__(self, fragment: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words = ""
        self.feed(fragment)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words += data


def assert_harmless(fragment: str) -> None:
    found = Tags(fragment)
    assert not [tag for tag, attrs in found.tags if tag == "script" or any(name.startswith("on") for name in attrs)]
    assert "alert(2)" in found.words or "alert(2)" in fragment


class TestHostileText:
    """Whatever a model, a file or a user says stays text."""

    def test_caption(self) -> None:
        evidence = Evidence(0, 2, ("static",), text_appeared=(HOSTILE,))
        trace = TraceMark(prompt=HOSTILE, note=HOSTILE, new_tokens=3)
        caption = Caption(1, 0, 2, HOSTILE, evidence, trace=trace)
        assert_harmless(render.card(caption, state(Opened(INFO)), url))

    def test_streaming_caption(self) -> None:
        assert_harmless(render.card(Delta(0, HOSTILE), state(Opened(INFO)), url))

    def test_file_name(self) -> None:
        info = replace(INFO, path=Path(f"{HOSTILE.replace('/', '')}.mp4"), notes=(HOSTILE,), codec=HOSTILE)
        assert_harmless(facts.facts(info))
        assert_harmless(chat.subject_line(info, Talk(), info.path) + HOSTILE.replace("<", "&lt;"))

    def test_summary_chat_and_errors(self) -> None:
        analysis = state(Opened(INFO), Summarized(HOSTILE, trace=TraceMark(prompt=HOSTILE)))
        assert_harmless(texts.summary(analysis, url))
        said = Said(Turn(HOSTILE, HOSTILE), 0, begins=HOSTILE, note=HOSTILE, engine=HOSTILE)
        assert_harmless(chat.turn(said, 0, live=False))
        assert_harmless(chat.turn(replace(said, turn=Turn(HOSTILE, "")), 0, live=True, working=HOSTILE))
        assert_harmless(parts.trouble(HOSTILE, kept=HOSTILE))
        assert_harmless(texts.text_result(HOSTILE, live=False, by=HOSTILE, note=HOSTILE))

    def test_picture_address(self) -> None:
        assert_harmless(parts.picture('x" onerror="alert(2)', 0.0, "Keyframe"))


class TestTimes:
    """Times in a text seek the player."""

    @pytest.mark.parametrize(
        ("text", "seconds"),
        [
            ("at 0:12 it", ["12"]),
            ("1:02:03", ["3723"]),
            ("from 2 seconds to 4.5 s", ["2", "4.5"]),
            ("12 secs", ["12"]),
            ("to 0:12: darker", ["12"]),
            ("球在0:02滚过，4.5 s后停下", ["2", "4.5"]),
            ("ratio 16:9, version 3.2, 4 stones, 1:234", []),
        ],
    )
    def test_found(self, text: str, seconds: list[str]) -> None:
        assert re.findall(r'data-seek="([^"]+)"', parts.linked(text)) == seconds
        assert Tags(parts.linked(text)).words == text


class TestCard:
    def test_pair_has_both_frames_span_chips_and_copy(self) -> None:
        evidence = Evidence(4, 6, ("pan right",), cuts=(5.0,), light=0.12, similarity=0.81)
        analysis = state(Opened(INFO), Kept(mark(0, 4.0)), Kept(mark(1, 6.0)))
        card = render.card(Caption(1, 4.0, 6.0, "A ball enters.", evidence), analysis, url)
        for part in ("0:04 → 0:06", "keyframes/0000.jpg", "keyframes/0001.jpg", "cut at 0:05", "pan right"):
            assert part in card
        assert "12 % brighter" in card
        assert "sim 0.81" in card
        assert "A ball enters." in card
        assert "data-copy" in card
        assert 'class="caret"' not in card
        assert all(attrs.get("alt") for tag, attrs in Tags(card).tags if tag == "img")

    def test_live_card_shows_measured_evidence_and_a_caret(self) -> None:
        evidence = Evidence(4, 6, ("tilt up",))
        analysis = state(Kept(mark(0, 4.0)), Kept(mark(1, 6.0)), Measured(evidence), Delta(1, "Half a", 4.0, 6.0))
        assert analysis.live is not None
        card = render.card(analysis.live, analysis, url)
        assert "Half a" in card
        assert 'class="caret"' in card
        assert "tilt up" in card
        assert "data-copy" not in card

    def test_what_the_model_saw(self) -> None:
        trace = TraceMark("<|User|> say", 40, 1200, 2.5, "length", (2, 1), picture="saw/0001.png")
        card = render.card(Caption(1, 0, 2, "Text", trace=trace), state(), url)
        for part in ("&lt;|User|&gt; say", "saw/0001.png", "2×1 tiles", "1200 tokens in, 40 out", "2.5 s", "cut off"):
            assert part in card

    def test_measured_engine_has_no_prompt_to_show(self) -> None:
        assert "What the model saw" not in render.card(
            Caption(1, 0, 2, "T", trace=TraceMark(seconds=0.1)), state(), url
        )


class TestFeed:
    def test_only_what_changed_is_sent(self) -> None:
        captions = [Captioned(Caption(n, n, n + 1, f"text {n}")) for n in range(1800)]
        visit = Visit(analysis=state(*captions, Delta(1800, "new", 1, 2)), run=3)
        patch = feed.run_patch([captions[-1]], visit, url)
        assert patch["run"] == 3
        assert set(patch["lists"]["cards"]) == {"1799", "1800"}
        assert patch["live"] == "1800"

    def test_end_removes_a_card_that_was_cut_off(self) -> None:
        visit = Visit(analysis=state(Captioned(Caption(0, 0, 0, "kept"))), run=1)
        assert feed.ended_patch(visit)["size"] == {"cards": 1}


class TestProgress:
    def test_every_phase_has_words_and_buttons(self) -> None:
        analysis = state(Opened(INFO), Captioned(Caption(0, 0, 0, "a")))
        failed = analysis.apply(Failed(Failure("caption 2", "Out of memory; choose nf4.", 1)))
        cases = {
            "unusable": (Visit(problem="No video in it."), "No video in it.", False),
            "waiting": (Visit(), "Waiting", False),
            "stopped": (Visit(analysis=analysis), "1 caption is kept", True),
            "failed": (Visit(analysis=failed), "Out of memory; choose nf4.", True),
            "done": (Visit(analysis=analysis.apply(Finished(2.0))), "2.0 s", True),
        }
        for phase, (visit, words, can_run) in cases.items():
            shown = replace(visit, phase=phase)  # pyright: ignore[reportArgumentType]
            assert words in progress(shown)
            assert buttons(shown).can_run is can_run
        assert buttons(Visit(analysis=failed, phase="failed")).main == "Retry from caption 2"
        assert buttons(Visit(phase="stopped")).main == "Continue"
        assert "≈ 20–50 s" in buttons(Visit(phase="ready"), (20.0, 50.0)).main
        assert "≈ 50 s–2 min" in buttons(Visit(phase="ready"), (50.0, 120.0)).main
        assert "≈ 40 s" in buttons(Visit(phase="ready"), (40.0, 40.0)).main

    def test_says_how_long_still(self) -> None:
        analysis = state(Opened(INFO), Captioned(Caption(1, 0, 5.0, "a")), Delta(2, "b", 5.0, 6.0))
        assert 0.4 < fraction(analysis) < 0.5
        words = progress(Visit(phase="running", analysis=analysis, started=0.0), left=11.2)
        assert "Writing caption 3, 0:05 → 0:06" in words
        assert "about 11 s left" in words

    def test_stored_result_says_so(self) -> None:
        analysis = state(Opened(INFO), Captioned(Caption(0, 0, 0, "a"), from_store=True), Finished(1.0))
        assert "computed earlier" in progress(Visit(phase="done", analysis=analysis))

    def test_tab_counts_and_shows_work(self) -> None:
        analysis = state(Captioned(Caption(0, 0, 0, "a")))
        assert captions_tab(Visit(phase="running", analysis=analysis)) == "2 Captions (1) ●"
        assert captions_tab(Visit(phase="done", analysis=analysis)) == "2 Captions (1)"


class TestTimeline:
    def test_draws_samples_threshold_and_keyframes(self) -> None:
        samples = [Sampled(Sample(t, 1 - t / 20, t in (0, 6))) for t in range(0, 11, 2)]
        analysis = state(Opened(INFO), *samples, Kept(mark(0, 0.0)), Kept(mark(1, 6.0)))
        plot = timeline(INFO, analysis, 0.87, 2.0, 6.0)
        assert plot.count('class="key"') == 2
        assert "polyline" in plot
        assert "2 keyframes of 6 samples" in plot
        assert "left:20.00%;width:40.00%" in plot

    def test_an_hour_of_keyframes_leaves_the_curve_in_sight(self) -> None:
        samples = [Sampled(Sample(t / 40, 0.5, True)) for t in range(300)]
        analysis = state(Opened(INFO), *samples, *(Kept(mark(i, i / 40)) for i in range(300)))
        plot = timeline(INFO, analysis, 0.87, 0.0, None)
        assert 'class="timeline whole dense"' in plot
        assert plot.count('y1="90" y2="100"') == 300

    def test_thinning_keeps_the_dips(self) -> None:
        samples = tuple(Sample(float(t), 0.1 if t == 1777 else 0.9, False) for t in range(1800))
        assert len(thin(samples)) <= 600
        assert min(s.similarity or 1 for s in thin(samples)) == 0.1

    def test_whole_range_is_not_drawn_and_nothing_without_a_video(self) -> None:
        assert "timeline whole" in timeline(INFO, None, 0.87, 0.0, None)
        assert timeline(None, None, 0.87, 0.0, None) == ""


class TestWords:
    def test_limits_are_on_the_page(self) -> None:
        settings = Settings(max_seconds=600, max_megabytes=500)
        assert "up to 10 min and 500 MB" in masthead.status_line(ENGINE, settings)
        assert "Measured, no language model" in masthead.status_line(ENGINE, settings)

    def test_result_names_its_writer(self) -> None:
        analysis = state(Summarized("All of it."))
        assert "Measured, no language model" in texts.summary(analysis, url)
        assert "Measured, no language model" in render.written_by(analysis)

    def test_missing_video_and_question(self) -> None:
        assert "Choose one on the left" in chat.subject_line(None, Talk(), None, missing="video")
        assert "There is no question" in chat.subject_line(INFO, Talk(), INFO.path, missing="question")

    def test_subject_names_the_range(self) -> None:
        talk = Talk(subject=Subject(INFO.path, 2.0, 6.0, 16, "measured"))
        assert "0:02 → 0:06" in chat.subject_line(INFO, talk, INFO.path)

    def test_frames_that_were_used(self) -> None:
        shown = [Shown(0.5, "file=a.jpg"), Shown(3.0, "file=b.jpg")]
        found = chat.frames(shown, TraceMark(prompt="p", picture="shots/grid.png", tiles=(1, 2)), url)
        assert "file=a.jpg" in found
        assert 'data-seek="3.000"' in found
        assert "shots/grid.png" in found
        assert "Answered from 2 pictures" in found

    def test_an_engine_that_reads_measurements_is_not_said_to_have_looked_at_pictures(self) -> None:
        found = chat.frames([Shown(0.5, ""), Shown(3.0, "")], None, url, measured=True)
        assert "Answered from what was measured at 2 keyframes" in found
        assert "Measured at" in found
        assert "pictures" not in found
        assert "Looked at" in chat.frames([Shown(0.5, "")], None, url)

    def test_status_never_shows_a_local_path(self) -> None:
        assert "/somewhere" not in facts.facts(INFO)


class TestControls:
    def test_own_threshold_is_left_to_the_embedder(self) -> None:
        assert Controls(threshold=0.87).options().sampling.threshold is None
        assert Controls(similarity="clip", threshold=0.87).options().sampling.threshold == 0.87

    def test_empty_fields(self) -> None:
        options = Controls(end=0, maximum=0, start=None).options()
        assert options.sampling == SamplingOptions()

    def test_published_decoding_has_three_beams(self) -> None:
        controls = Controls(**PUBLISHED_DECODING)
        assert controls.options().generation == PUBLISHED_CAPTIONS

    def test_published_answering_is_what_was_published(self) -> None:
        assert PUBLISHED_ANSWERING == {
            "answer_frames": 16, "answer_max_new_tokens": 1024, "answer_temperature": 0.1, "answer_top_p": 0.9,
        }  # fmt: skip

    def test_a_value_that_cannot_be_used_waits_for_run_to_be_told(self) -> None:
        controls = Controls(every=0.001, beams=3)
        assert controls.options().sampling.every == 2.0
        assert controls.options().generation.beams == 3
        with pytest.raises(SettingsError, match=r"Sampling interval can't be 0\.001"):
            controls.check(Settings())

    def test_a_run_without_any_change_is_the_command_lines(self) -> None:
        assert Controls().options() == AnalysisOptions()
        assert AskControls().options(Settings()) == QuestionOptions()


def test_subtitles_break_at_sentences_and_fill_the_span_of_their_caption() -> None:
    text = "The camera pans right over a quiet street. Then a red car turns in from the left. 3 people wait."
    analysis = state(Opened(INFO), Captioned(Caption(0, 0, 6.0, text)))
    shown = render.subtitles(analysis)
    assert [cue["text"] for cue in shown] == [
        "The camera pans right over a quiet street.",
        "Then a red car turns in from the left.",
        "3 people wait.",
    ]
    times = [time for cue in shown for time in cue["timestamp"]]
    assert times == sorted(times)
    assert (times[0], times[-1]) == (0, 5.99)
    assert all(2.0 < shown[i]["timestamp"][1] - shown[i]["timestamp"][0] < 3.2 for i in (0, 1))
    assert text in to_vtt(analysis)


def test_a_long_sentence_breaks_at_a_comma_or_a_word_and_loses_nothing() -> None:
    long = "Over a long and quiet street that leads down to the harbour, past shops and a school " + "on and on " * 9
    pieces = render.broken(long.strip())
    assert pieces[0] == "Over a long and quiet street that leads down to the harbour,"
    assert " ".join(pieces) == long.strip()
    assert max(map(len, pieces)) <= 90
    assert render.broken("红球滚过。画面变暗。") == ["红球滚过。", "画面变暗。"]
    assert "".join(render.broken("字" * 200)) == "字" * 200
    assert render.broken("") == []


def test_the_axis_of_a_short_clip_has_tenths_and_the_curve_its_scale() -> None:
    info = replace(INFO, start=0.0, duration=10.0)
    samples = [Sampled(Sample(2.0 * i, 0.9, False)) for i in range(3)]
    plot = timeline(info, state(Opened(info), *samples), 0.87, 0.0, None)
    assert re.findall(r"<span>([\d:.]+)</span>", plot) == ["0:00", "0:02.5", "0:05", "0:07.5", "0:10"]
    assert ">1.0</span>" in plot
    assert ">0.79</span>" in plot
    assert "0:38<" in timeline(replace(info, duration=150.0), None, 0.87, 0.0, None)
    assert "level" not in timeline(info, None, 0.87, 0.0, None)


def test_ratings_are_a_bar_of_their_shares() -> None:
    row = Tally("Scripted", 4, {"accurate": 2, "missing something": 0, "made up": 1, "wrong order": 0}, 0, 1)
    shown = judging.ratings([row])
    assert re.findall(r'r(\d)" style="width:([\d.]+)%', shown) == [
        ("1", "66.7"),
        ("3", "33.3"),
        ("1", "50.0"),
        ("3", "25.0"),
    ]
    assert "3 of 4" in shown


def test_after_a_run_that_found_hardly_anything_every_sample_is_offered() -> None:
    samples = [Sampled(Sample(2.0 * i, 0.9, False)) for i in range(5)]
    one = state(Opened(INFO), *samples, Captioned(Caption(0, 0, 0, "a")), Captioned(Caption(1, 0, 8.0, "b")))

    def offered(analysis: Analysis) -> bool:
        return "data-keep" in progress(Visit(phase="done", analysis=analysis))

    assert offered(one)
    assert not offered(one.apply(Captioned(Caption(2, 8.0, 9.0, "c"))))
    assert not offered(replace(one, options=AnalysisOptions(SamplingOptions(keep_all=True))))
    assert not offered(replace(one, options=AnalysisOptions(mode="fast")))
    assert not offered(replace(one, samples=one.samples[:2]))
