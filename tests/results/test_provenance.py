"""How a result was made: the same facts for every format, prompts once."""

from __future__ import annotations

from dataclasses import replace

from sgv_demo.dataset.record import ANNOTATED
from sgv_demo.engines import prompts as made
from sgv_demo.fields import leaves
from sgv_demo.options import AnalysisOptions, GenerationOptions, SamplingOptions
from sgv_demo.results.provenance import facts, prompts, step_line, told
from sgv_demo.types import Caption, EngineInfo, TraceMark
from tests.support.samples import analysis

TEXTS = [f"A long caption with its own words, {word}." for word in ("one", "two", "three", "four", "five")]


def _run(**changes: object):
    captions = [Caption(0, 0.0, 0.0, TEXTS[0], trace=TraceMark(made.captioner_prompt(made.FIRST_FRAME)))]
    for i in range(1, 5):
        text = made.pair((i - 1, 2.0 * i - 2), (i, 2.0 * i), TEXTS[i - 1])
        trace = TraceMark(made.captioner_prompt(text))
        captions.append(Caption(i, 2.0 * i - 2, 2.0 * i, TEXTS[i], stated_time=2.0 * i, trace=trace))
    summary = made.summary([(c.index, c.stated_time, c.text) for c in captions])
    return analysis(captions=tuple(captions), summary_trace=TraceMark(summary), **changes)


def test_prompts_that_differ_in_numbers_and_earlier_captions_are_told_once() -> None:
    first, pair, summary = prompts(_run())
    assert first == ("caption 1", made.captioner_prompt(made.FIRST_FRAME))
    assert pair.steps == "captions 2 to 5"
    assert pair.text == made.captioner_prompt(
        "Here are the Video frame {number} at {number} Second(s) and Video frame {number} at {number} Second(s) of a "
        "video, describe what happend between them. What happend before is: {caption before}"
    )
    assert summary.steps == "summary"
    assert summary.text.split("\n") == [
        "Summarize the following per frame descriptions:",
        "Video frame 1 at 0.00 Second(s) description: {caption 1}",
        "… 4 more such lines",
        "",
    ]


def test_a_prompt_that_differs_in_words_stands_alone() -> None:
    run = _run()
    odd = replace(run.captions[2], trace=TraceMark("Something else"))
    found = prompts(replace(run, captions=(*run.captions[:2], odd, *run.captions[3:])))
    assert [p.steps for p in found] == ["caption 1", "captions 2, 4 to 5", "caption 3", "summary"]
    assert found[2].text == "Something else"


def test_an_edited_caption_leaves_what_the_engine_was_told() -> None:
    run = _run()
    edited = replace(run.captions[1], text="Corrected by a person.")
    texts = [p.text for p in prompts(replace(run, captions=(run.captions[0], edited, *run.captions[2:])))]
    assert any(TEXTS[1] in text for text in texts)
    assert not any("Corrected" in text for text in texts)


def test_a_short_caption_is_not_looked_for() -> None:
    captions = (Caption(0, 0, 0, "the"), Caption(1, 0, 2, "x", trace=TraceMark("Is the cat there? the")))
    assert prompts(analysis(captions=captions))[0].text == "Is the cat there? the"


def test_the_text_of_a_fast_run_is_its_summary_and_its_prompt_is_told_once() -> None:
    trace = TraceMark("Describe all")
    fast = analysis(
        options=AnalysisOptions(mode="fast"), captions=(Caption(0, 0, 4, "All.", trace=trace),), summary_trace=trace
    )
    assert prompts(fast) == [("caption 1", "Describe all")]


def test_how_a_step_went() -> None:
    assert step_line(None) == step_line(TraceMark(seconds=0.04)) == ""
    whole = TraceMark("p", 7, 90, 1.5, "length", note="Retried.")
    said = "written in 1.5 s · 90 tokens in, 7 out · cut off at the longest length allowed · Retried."
    assert step_line(whole) == said


def test_facts_are_the_same_columns_for_every_result() -> None:
    measured = analysis(engine=EngineInfo("measured", "Measured, no language model"), seconds=0.0)
    assert [f.column for f in facts(measured)] == [f.column for f in facts(analysis())]
    named = {name for name, _ in told(measured)}
    assert not {"Model", "Quantization", "Number of beams", "Temperature", "Took"} & named


def test_what_was_chosen_is_told() -> None:
    sampling = SamplingOptions(every=0.5, threshold=0.9, start=1.5, end=10, maximum=7, similarity="clip")
    chosen = AnalysisOptions(sampling, "fast", GenerationOptions(3, 256, 0.7, 0.9))
    said = dict(told(analysis(options=chosen)))
    wanted = {
        "Sampling interval": "0.5 s",
        "Similarity by": "clip",
        "Threshold": "0.9",
        "Start of the range": "1.5 s",
        "End of the range": "10 s",
        "Number of keyframes": "7",
        "Captions": "fast",
        "Number of beams": "3",
        "Longest text": "256 tokens",
        "Temperature": "0.7",
        "Top-p": "0.9",
        "Evidence measured": "yes",
    }
    assert said | wanted == said
    plain = dict(told(analysis()))
    assert plain["Threshold"] == "0.87"
    assert (plain["End of the range"], plain["Number of keyframes"]) == ("the end of the video", "no limit")
    blind = dict(told(analysis(options=AnalysisOptions(SamplingOptions(measure=False, keep_all=True)))))
    assert blind["Measured by"] == "nothing was measured"
    assert "Threshold" not in blind


def test_every_option_is_told() -> None:
    assert {spec.label for spec in leaves(AnalysisOptions)} <= {fact.name for fact in facts(analysis())}


def test_a_datasets_own_captions_claim_no_settings_of_this_program() -> None:
    theirs = analysis(engine=ANNOTATED)
    assert [fact.column for fact in facts(theirs)] == [fact.column for fact in facts(analysis())]
    assert [name for name, _ in told(theirs)] == ["Engine", "Exported"]
