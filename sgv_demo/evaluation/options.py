"""What MVBench and VideoBench share in ShareGPT4Video's evaluation: a list of options and a begun answer."""

from __future__ import annotations

from sgv_demo.engines.prompts import ANSWERER_PREFACE, Wording
from sgv_demo.evaluation.benchmark import Asked
from sgv_demo.evaluation.rules import Verdict, by_first_word, strictly

SYSTEM = (
    "Carefully watch the video and pay attention to the cause and sequence of events, the detail and movement of"
    " objects, and the action and pose of persons. Based on your observations, select the best option that accurately"
    " addresses the question."
)
"""System text of the published evaluation (conversations `eval_mvbench_llama3` and `eval_vbench_llama3`)."""

BEGUN = "Best option:("
"""How the assistant's turn begins; of it the bracket belongs to the text that is judged."""

WORDING = Wording(system=SYSTEM + "\n", preface=f" {ANSWERER_PREFACE} ", begun=BEGUN)

MOST_TOKENS = 32


def put(text: str) -> str:
    """The question with its instruction; the blank before the line break is the published one."""
    return f"{text} \nOnly give the best option."


def vicuna_prompt(text: str) -> str:
    """The published form for models built on Vicuna; ShareGPT4Video-8B isn't one of them."""
    return f"{SYSTEM}\n USER: <image>\n{WORDING.preface}{put(text)} ASSISTANT:{BEGUN}"


def letter_of(gold: str) -> str:
    """The upper-case letter that a right answer begins with: of "(B) he runs", "B. he runs", "b"; otherwise empty."""
    start = gold.lstrip("( ")[:1].upper()
    return start if start.isascii() and start.isalpha() else ""


def by_letters(asked: Asked, text: str, letters: str | None) -> Verdict:
    """The published rule, and whether the same text would have been right for another option as well."""
    assert asked.gold is not None
    verdict = by_first_word(text, asked.gold, letters)
    named = letter_of(asked.gold)
    if not verdict.matched or not named:
        return verdict
    at = asked.gold.upper().index(named)
    golds = (f"{asked.gold[:at]}{letter}{asked.gold[at + 1 :]}" for letter, _ in asked.options)
    accepted = sum(by_first_word(text, gold, letters).right is True for gold in golds)
    return Verdict(verdict.rating, verdict.matched, verdict.why, ambiguous=accepted > 1)


def by_strict(asked: Asked, text: str) -> Verdict:
    """This project's rule."""
    assert asked.gold is not None
    return strictly(text, letter_of(asked.gold), [letter for letter, _ in asked.options])
