"""What happens on the page, without a browser and without a server."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import gradio as gr
import pytest

from sgv_demo.engines import ENGINES, MEASURED
from sgv_demo.engines.measured.engine import MeasuredAnswerer, MeasuredCaptioner
from sgv_demo.errors import EngineError, SettingsError, StoreError
from sgv_demo.events import Analysis
from sgv_demo.formats.captions_in import parse_captions, seconds
from sgv_demo.formats.exports import to_srt, to_vtt
from sgv_demo.formats.table import to_json
from sgv_demo.options import GenerationOptions
from sgv_demo.results.store import Store
from sgv_demo.settings import Settings
from sgv_demo.steps import whole
from sgv_demo.ui.api import Endpoints
from sgv_demo.ui.ask.handlers import AskControls, AskHandlers
from sgv_demo.ui.desk import Choice, Desk
from sgv_demo.ui.engines.handlers import EngineHandlers
from sgv_demo.ui.guests import Guests
from sgv_demo.ui.pump import batches
from sgv_demo.ui.show.handlers import ShowHandlers, prepare
from sgv_demo.ui.summary.exporting import stem
from sgv_demo.ui.summary.handlers import WritingHandlers
from sgv_demo.ui.video.controls import PUBLISHED_DECODING, Controls
from sgv_demo.ui.video.handlers import Changed, Updates, VideoHandlers
from sgv_demo.ui.visit import Talk, Visit
from tests.support.scripted import Script, ScriptedAnswerer, ScriptedCaptioner
from tests.support.visitors import asking

ENGINE = "scripted"
CONTROLS = Controls(engine=ENGINE, read_text=False)
ASK = AskControls(answerer=ENGINE, frames=4)


@dataclass
class Room:
    """Handlers over one desk, with the script that its engines follow."""

    desk: Desk
    script: Script
    clip: Path

    def __post_init__(self) -> None:
        self.video, self.ask = VideoHandlers(self.desk), AskHandlers(self.desk)

    def ready(self) -> Visit:
        return self.video.probe(Visit(), str(self.clip), CONTROLS)["visit"]

    def run(self, visit: Visit, controls: Controls = CONTROLS) -> tuple[Visit, list[Updates]]:
        waiting = self.video.begin(visit, controls)["visit"]
        *updates, shown, written = self.video.run(waiting, controls)
        return shown["visit"], [*updates, shown | written]

    def answer(self, talk: Talk, question: str, visit: Visit, controls: AskControls = ASK) -> Talk:
        begun = self.ask.begin(visit, talk, question, controls)["talk"]
        return list(self.ask.run(visit, begun, controls))[-1]["talk"]


@pytest.fixture
def room(clip: Path, settings: Settings) -> Room:
    script = Script()
    choice = Choice(
        ENGINE,
        "Scripted, for tests",
        "Says what a test wants.",
        load_captioner=lambda report: ScriptedCaptioner(script),
        load_answerer=lambda report: ScriptedAnswerer(script),
        at_once=3,
    )
    return Room(Desk(settings, [choice], Store(settings.store_path, 100)), script, clip)


def test_published_decoding_leaves_the_language_as_it_is() -> None:
    assert set(PUBLISHED_DECODING) == {"beams", "max_new_tokens", "temperature", "top_p"}


class TestPump:
    def test_hands_over_what_came_and_raises_after_it(self) -> None:
        def items() -> Iterator[int]:
            yield 1
            yield 2
            raise EngineError("broken")

        got: list[int] = []
        with pytest.raises(EngineError, match="broken"):
            got.extend(item for batch in batches(items(), seconds=0.01) for item in batch)
        assert got == [1, 2]

    def test_speaks_while_the_source_thinks(self) -> None:
        gate = threading.Event()

        def items() -> Iterator[int]:
            yield 1
            gate.wait(10)
            yield 2

        pumped = batches(items(), seconds=0.01)
        seen = [next(pumped), next(pumped)]
        assert [1] in seen
        assert [] in [*seen, next(pumped)]
        gate.set()
        assert [item for batch in pumped for item in batch] == [2]

    def test_closing_closes_the_source(self) -> None:
        closed = threading.Event()

        def items() -> Iterator[int]:
            try:
                while True:
                    yield 0
            finally:
                closed.set()

        pumped = batches(items(), seconds=0.01, capacity=2)
        next(pumped)
        pumped.close()  # pyright: ignore[reportAttributeAccessIssue]
        assert closed.is_set()


class TestVideo:
    def test_a_run_tells_how_long_the_next_one_takes(self, room: Room) -> None:
        before = room.video.seconds(room.ready(), CONTROLS)
        room.run(room.ready())
        after = room.video.seconds(room.ready(), CONTROLS)
        assert before is not None
        assert after is not None
        assert after < before
        assert room.video.seconds(room.ready(), replace(CONTROLS, mode="fast")) != after

    def test_probe_shows_facts_and_the_estimate_before_the_run(self, room: Room) -> None:
        view = room.video.probe(Visit(), str(room.clip), CONTROLS)
        assert view["visit"].phase == "ready"
        assert "About" in view["subject"]
        assert "two shots.mp4" in view["facts"]
        assert "320×192" in view["facts"]
        assert "samples to look at" in view["estimate"]
        assert view["run"]["value"].startswith("Run  ≈")

    def test_no_video_is_one_sentence_and_no_run(self, room: Room, tmp_path: Path) -> None:
        file = tmp_path / "notes.mp4"
        file.write_text("not a video at all")
        view = room.video.probe(Visit(), str(file), CONTROLS)
        assert view["visit"].phase == "unusable"
        assert view["visit"].problem in view["progress"]
        assert "Traceback" not in view["progress"]
        assert view["run"]["interactive"] is False

    def test_too_large_a_file(self, room: Room) -> None:
        room.desk.settings = replace(room.desk.settings, max_megabytes=0)
        assert "larger than" in room.video.probe(Visit(), str(room.clip), CONTROLS)["progress"]

    def test_run_streams_cards_and_ends_with_subtitles(self, room: Room) -> None:
        visit, updates = room.run(room.ready())
        assert visit.phase == "done"
        assert visit.analysis is not None
        assert len(visit.analysis.captions) == len(visit.analysis.keyframes) == 3
        cards = {key for update in updates for key in update.get("feed", {}).get("lists", {}).get("cards", {})}
        assert cards == {"0", "1", "2"}
        last = updates[-1]
        cues = [cue["timestamp"] for cue in last["player"]["subtitles"]]
        assert len(cues) == 3
        assert all(before[1] < after[0] for before, after in pairwise(cues)), "two cues at once"
        assert "A summary of 3 captions" in last["summary"]

    def test_failure_keeps_what_is_done_and_retry_goes_on_from_there(self, room: Room) -> None:
        room.script.fail["difference"] = "Out of memory at this step; choose nf4."
        visit, updates = room.run(room.ready())
        assert visit.phase == "failed"
        assert visit.analysis is not None
        assert len(visit.analysis.captions) == 1
        assert "Out of memory at this step; choose nf4." in updates[-1]["progress"]
        assert updates[-1]["run"]["value"] == "Retry from caption 2"
        room.script.fail.clear()
        again, updates = room.run(visit)
        assert again.phase == "done"
        assert again.run == visit.run
        assert again.analysis is not None
        assert len(again.analysis.captions) == 3

    def test_unforeseen_error_is_logged_and_not_shown(self, room: Room, caplog: pytest.LogCaptureFixture) -> None:
        visit = room.ready()
        room.desk.captioner = lambda name: 1 / 0  # pyright: ignore[reportAttributeAccessIssue]
        failed, updates = room.run(visit)
        assert failed.phase == "failed"
        assert "ZeroDivisionError" not in updates[-1]["progress"]
        assert "ZeroDivisionError" in caplog.text

    def test_stop_keeps_and_continue_completes(self, room: Room) -> None:
        visit = room.video.begin(room.ready(), CONTROLS)["visit"]
        room.script.gate.clear()
        running = room.video.run(visit, CONTROLS)
        latest = visit
        for update in running:
            latest = update["visit"]
            if latest.analysis is not None and latest.analysis.live is not None:
                break
        running.close()  # pyright: ignore[reportAttributeAccessIssue]
        stopped = room.video.stop(latest, CONTROLS)
        assert stopped["visit"].phase == "stopped"
        assert stopped["run"]["value"] == "Continue"
        assert stopped["visit"].analysis.live is None
        assert "player" not in stopped, "Stop waits for no subtitles"
        after = room.video.after_stop(stopped["visit"], CONTROLS)
        assert ("player" in after) == bool(stopped["visit"].analysis.captions)
        assert after["run"] == stopped["run"]
        assert "visit" not in after
        late = room.video.after_stop(latest, CONTROLS)  # a piece of the run arrived after what Stop said
        assert late["visit"].phase == "stopped"
        assert late["run"] == stopped["run"]
        again = room.video.begin(stopped["visit"], CONTROLS)["visit"]
        assert room.video.after_stop(again, CONTROLS) == {}
        assert visit.token.ended.is_set()
        room.script.gate.set()
        done, _ = room.run(stopped["visit"])
        assert done.phase == "done"
        assert done.analysis is not None
        assert len(done.analysis.captions) == 3

    def test_what_is_sent_again_is_what_has_changed_whatever_becomes_of_it_on_its_way(self) -> None:
        changed = Changed()
        sent = changed({"run": gr.update(value="Running…")})["run"]
        sent.pop("__type__")
        assert changed({"run": gr.update(value="Running…")}) == {}
        assert changed({"run": gr.update(value="Run")}) != {}

    def test_stop_before_the_turn_came(self, room: Room) -> None:
        waiting = room.video.begin(room.ready(), CONTROLS)["visit"]
        stopped = room.video.stop(waiting, CONTROLS)["visit"]
        assert stopped.phase == "ready"
        assert list(room.video.run(stopped, CONTROLS)) == []

    def test_changed_settings_make_a_new_run(self, room: Room) -> None:
        visit, _ = room.run(room.ready())
        assert room.video.view(visit, CONTROLS)["run"]["value"] == "Run again"
        changed = replace(CONTROLS, every=1.0)
        assert room.video.adjust(visit, changed)["run"]["value"].startswith("Run  ≈")
        again, _ = room.run(visit, changed)
        assert again.run == visit.run + 1

    def test_same_video_opens_from_the_store(self, room: Room) -> None:
        room.run(room.ready())
        _, updates = room.run(room.ready())
        assert "computed earlier" in updates[-1]["progress"]

    def test_a_page_that_comes_back_after_the_end_shows_the_end(self, room: Room) -> None:
        done, updates = room.run(room.ready())
        ticket = next(u["channel"]["running"] for u in updates if "running" in u.get("channel", {}))
        back = room.video.resume(Visit(), ticket)
        assert back["visit"].phase == "done"
        assert done.analysis
        assert back["visit"].analysis.captions == done.analysis.captions
        assert "Done" in back["progress"]
        assert room.video.resume(Visit(), ticket).keys() == {"channel"}

    def test_start_over_computes_anew(self, room: Room) -> None:
        visit, _ = room.run(room.ready())
        waiting = room.video.restart(visit, CONTROLS, "")["visit"]
        *_, shown, _ = room.video.run(waiting, CONTROLS)
        assert "computed earlier" not in shown["progress"]

    def test_new_video_clears_everything(self, room: Room, tmp_path: Path) -> None:
        visit, _ = room.run(room.ready())
        other = tmp_path / "other.mp4"
        other.write_bytes(room.clip.read_bytes())
        view = room.video.probe(visit, str(other), CONTROLS)
        assert view["visit"].analysis is None
        assert view["feed"]["run"] == visit.run + 1
        assert room.video.probe(view["visit"], str(other), CONTROLS) == {}


class TestAsk:
    def test_streams_an_answer_with_its_frames(self, room: Room) -> None:
        visit = room.ready()
        begun = room.ask.begin(visit, Talk(), " What is it? ", ASK)
        assert begun["question"] == ""
        assert begun["talk"].busy
        updates = list(room.ask.run(visit, begun["talk"], ASK))
        talk = updates[-1]["talk"]
        assert talk.said[0].turn.answer.startswith("Answer 1 about What is it? from 4 frames")
        assert [round(s.time, 1) for s in talk.shown]
        assert len(talk.shown) == 4
        assert "results/" in updates[-1]["grid"]

    def test_follow_up_remembers(self, room: Room) -> None:
        visit = room.ready()
        talk = room.answer(room.answer(Talk(), "One?", visit), "Two?", visit)
        assert room.script.asked == [("One?", 0), ("Two?", 1)]
        assert talk.context == 1

    def test_another_range_is_another_context_and_says_so(self, room: Room) -> None:
        visit = room.ready()
        talk = room.answer(Talk(), "One?", visit)
        talk = room.answer(talk, "Two?", visit, replace(ASK, start=2.0))
        assert room.script.asked[-1] == ("Two?", 0)
        assert "0:02 → 0:08" in talk.said[1].begins
        assert "aren't remembered" in talk.said[1].begins

    def test_retry_edit_and_undo(self, room: Room) -> None:
        visit = room.ready()
        talk = room.answer(room.answer(Talk(), "One?", visit), "Two?", visit)
        retried = room.ask.act(visit, talk, "retry", 0, ASK)["talk"]
        assert [s.turn.question for s in retried.said] == ["One?"]
        assert retried.busy
        edited = room.ask.act(visit, talk, "edit", 0, ASK)
        assert edited["question"]["value"] == "One?"
        assert len(edited["talk"].said) == 2
        changed = room.answer(edited["talk"], "Uno?", visit)
        assert [s.turn.question for s in changed.said] == ["Uno?"]
        assert room.script.asked[-1] == ("Uno?", 0)
        undone = room.ask.act(visit, talk, "undo", 1, ASK)
        assert len(undone["talk"].said) == 1
        assert undone["feed"]["size"] == {"chat": 1}

    def test_failure_and_blank_are_said_and_not_remembered(self, room: Room) -> None:
        visit = room.ready()
        room.script.fail["answer"] = "The device is out of memory; choose fewer frames."
        room.script.blank.add("answer")
        blank = room.answer(Talk(), "One?", visit)
        assert "came back blank" in blank.said[0].note
        assert blank.history() == ()
        room.script.blank.clear()
        failed = room.answer(Talk(), "One?", visit)
        assert "choose fewer frames" in failed.said[0].note
        assert not failed.busy

    def test_without_video_or_question(self, room: Room) -> None:
        assert "Choose one on the left" in room.ask.begin(Visit(), Talk(), "Hm?", ASK)["subject"]
        assert "There is no question" in room.ask.begin(room.ready(), Talk(), "  ", ASK)["subject"]

    def test_stop_keeps_the_words_so_far(self, room: Room) -> None:
        visit = room.ready()
        room.script.gate.clear()
        begun = room.ask.begin(visit, Talk(), "One?", ASK)["talk"]
        running, talk = room.ask.run(visit, begun, ASK), begun
        for update in running:
            talk = update["talk"]
            if talk.said[0].turn.answer:
                break
        running.close()  # pyright: ignore[reportAttributeAccessIssue]
        stopped = room.ask.stop(visit, talk)["talk"]
        assert stopped.said[0].note == "Stopped."
        assert stopped.said[0].turn.answer
        assert not stopped.busy
        assert "talk" not in room.ask.after_stop(visit, stopped)
        late = room.ask.after_stop(visit, talk)  # a piece of the answer arrived after what Stop said
        assert late["talk"] == stopped
        assert late["ask"]["interactive"]
        again = room.ask.begin(visit, stopped, "Two?", ASK)["talk"]
        assert room.ask.after_stop(visit, again) == {}

    def test_clear(self, room: Room) -> None:
        visit = room.ready()
        cleared = room.ask.clear(visit, room.answer(Talk(), "One?", visit))
        assert cleared["talk"].said == ()
        assert cleared["feed"]["size"] == {"chat": 0}

    def test_a_piece_that_arrives_after_clear_brings_nothing_back(self, room: Room) -> None:
        visit = room.ready()
        asked = room.ask.begin(visit, Talk(), "One?", ASK)["talk"]
        cleared = room.ask.clear(visit, asked)["talk"]
        late = room.ask.after_clear(visit, asked)
        assert late["talk"].said == ()
        assert late["ask"]["interactive"]
        assert "question" not in late
        shown = room.ask.after_clear(visit, cleared)
        assert shown["feed"]["size"] == {"chat": 0}
        assert "talk" not in shown
        again = room.ask.begin(visit, cleared, "Two?", ASK)["talk"]
        assert room.ask.after_clear(visit, again) == {}


class TestWriting:
    def test_summary_of_pasted_captions(self, room: Room) -> None:
        shown = list(WritingHandlers(room.desk).clip(None, "0:00 a\n0:04 b", ENGINE))
        assert "A summary of 2 captions" in shown[-1]["clip_result"]
        assert "Scripted, for tests" in shown[-1]["clip_result"]

    def test_recaption_and_an_empty_prompt(self, room: Room) -> None:
        writing = WritingHandlers(room.desk)
        assert "In full detail: a cat" in list(writing.recaption("a cat", ENGINE))[-1]["recaption_result"]
        assert "There is no prompt" in writing.recaption_asked("  ")["recaption_result"]
        assert list(writing.recaption("  ", ENGINE)) == []
        assert "There are no captions" in writing.clip_asked(None, " ")["clip_result"]
        assert list(writing.clip(None, " ", ENGINE)) == []
        assert "Waiting for the engine" in writing.clip_asked(None, "a cat")["clip_result"]

    def test_a_prompt_that_is_too_long_is_one_sentence(self, room: Room) -> None:
        *_, last = WritingHandlers(room.desk).recaption("x" * 8001, ENGINE)
        assert "This prompt has 8,001 characters; write 8,000 at most." in last["recaption_result"]

    def test_the_api_takes_no_earlier_question_that_is_too_long(self, room: Room) -> None:
        given = {"video": "a.mp4", "question": "q", "history": [["x" * 8001, "a"]], "engine": ENGINE}
        with pytest.raises(SettingsError, match="This question has 8,001 characters"):
            list(Endpoints(room.desk).ask(given))

    @pytest.mark.parametrize(
        ("history", "says"),
        [
            ([["q", "x" * 80_001]], "This answer has 80,001 characters"),
            ([["q", "a"]] * 101, "This history has 101 turns"),
        ],
    )
    def test_what_the_api_is_reminded_of_is_bounded(self, room: Room, history: list[list[str]], says: str) -> None:
        given = {"video": "a.mp4", "question": "q", "history": history, "engine": ENGINE}
        with pytest.raises(SettingsError, match=says):
            list(Endpoints(room.desk).ask(given))

    def test_stopped_text_has_no_caret(self, room: Room) -> None:
        first = next(iter(WritingHandlers(room.desk).recaption("a cat", ENGINE)))["recaption_result"]
        assert "caret" in first
        assert "caret" not in WritingHandlers.stopped(first)


class TestEngines:
    def test_loading_unloading_and_words(self, room: Room) -> None:
        engines = EngineHandlers(room.desk)
        assert "Not loaded" in engines.view(ENGINE, ENGINE)["engine_state"]
        assert "Loaded" in list(engines.load(ENGINE, ENGINE))[-1]["engine_state"]
        assert "Not loaded" in engines.unload(ENGINE, ENGINE)["engine_state"]

    def test_a_failed_load_is_a_sentence(self, room: Room) -> None:
        def refuse(report: Any) -> ScriptedCaptioner:
            raise EngineError("The folder holds no checkpoint; choose another.")

        desk = Desk(room.desk.settings, [Choice("bad", "Bad", "-", load_captioner=refuse)], room.desk.store)
        video = VideoHandlers(desk)
        controls = replace(CONTROLS, engine="bad")
        visit = video.begin(room.ready(), controls)["visit"]
        *_, shown, written = video.run(visit, controls)
        assert "holds no checkpoint" in shown["progress"]
        assert written == {}


class TestCaptionsIn:
    def test_our_own_exports_come_back(self, room: Room) -> None:
        visit, _ = room.run(room.ready())
        analysis = visit.analysis
        assert isinstance(analysis, Analysis)
        texts = [c.text for c in analysis.captions]
        for export in (to_json, to_vtt, to_srt):
            assert [c.text for c in parse_captions(export(analysis)).captions] == texts

    def test_lines_with_and_without_times(self) -> None:
        found = parse_captions("[0:02 - 0:04] one\n1:00:05 two\nthree").captions
        assert [(c.start, c.end, c.text) for c in found] == [(2, 4, "one"), (3605, 3605, "two"), (3605, 3605, "three")]
        assert seconds("00:00:01,500") == 1.5

    @pytest.mark.parametrize("text", ["", "WEBVTT\n\n00:00.000 --> 00:01.000\n\n", '{"captions": 3}', "{broken"])
    def test_what_is_no_captions(self, text: str) -> None:
        with pytest.raises(StoreError):
            parse_captions(text)


def test_the_landing_example_is_told_in_the_language_of_the_page(clip: Path, settings: Settings) -> None:
    choice = Choice(MEASURED.name, MEASURED.label, "", lambda _: MeasuredCaptioner(), lambda _: MeasuredAnswerer())
    desk = Desk(settings, [choice], Store(settings.store_path, 100), [clip])
    assert ShowHandlers(desk).example("zh") == {}
    prepare(desk)
    assert "切换到新镜头" in ShowHandlers(desk).example("zh")["example"]
    assert "brings a new shot" in ShowHandlers(desk).example("en")["example"]


def test_export_names_are_safe() -> None:
    assert stem("../../etc/pass*wd?.mp4") == "pass_wd_"
    assert stem("###.mp4") == "_"
    assert len(stem("x" * 300)) == 80


def test_page_is_there_before_any_model_library() -> None:
    heavy = "{'torch', 'transformers', 'onnxruntime', 'rapidocr'}"
    code = f"import sys, sgv_demo.ui.serve; sys.exit(bool({heavy} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


class TestSideBySide:
    def test_who_has_too_much_under_way_reads_one_sentence_in_every_tab(self, room: Room) -> None:
        visit = room.ready()
        room.desk.guests = Guests(replace(room.desk.settings, max_own_runs=0))
        with asking("a", "127.0.0.1"):
            shown, updates = room.run(visit)
            talk = room.answer(Talk(), "What?", visit)
            *_, text = WritingHandlers(room.desk).recaption("a cat", ENGINE)
        says = "You have 0 runs or questions under way, the most at once"
        assert shown.phase == "failed"
        assert says in str(updates[-1]["progress"])
        assert says in talk.said[-1].note
        assert says in text["recaption_result"]
        assert room.script.asked == []

    def test_unloading_waits_for_the_step_under_way(self, room: Room) -> None:
        room.desk.captioner(ENGINE)
        room.script.gate.clear()
        step = room.desk.line(ENGINE).captioner(room.desk.captioner(ENGINE)).recaption("a cat", GenerationOptions())
        next(step)
        gone = threading.Event()

        def unload() -> None:
            room.desk.unload(ENGINE, ENGINE)
            gone.set()

        thread = threading.Thread(target=unload)
        thread.start()
        assert not gone.wait(0.3)
        assert room.desk.captioners.loaded(ENGINE) is not None
        room.script.gate.set()
        whole(step)
        assert gone.wait(20)
        thread.join(20)
        assert room.desk.captioners.loaded(ENGINE) is None

    @pytest.mark.parametrize(
        ("name", "settings", "steps"),
        [
            ("remote", Settings(base_url="http://a/v1, http://b/v1,", remote_at_once=5), 10),
            ("remote", Settings(), 8),
            ("smolvlm2", Settings(), 1),
            ("sharecaptioner", Settings(), 16),
            ("sharegpt4video", Settings(), 16),
        ],
    )
    def test_every_engine_says_how_many_it_takes(self, name: str, settings: Settings, steps: int) -> None:
        assert ENGINES[name].at_once(settings) == steps
