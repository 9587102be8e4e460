"""When a model's text counts as the right option: the published rules with their quirks, and a stricter one.

Scores under different rules are not comparable, so a rule's name goes into whatever is made with it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Rules = Literal["published", "original", "strict"]
"""published: ShareGPT4Video's evaluation scripts (commit 7e02ee6); original: the benchmark's own authors; strict: this
project's, one option named plainly at the start and no other beside it."""

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a rule makes of one answer."""

    rating: int | None
    """1 right, 0 wrong, -1 in TempCompass for a caption that got no judgement; None where the rule can't tell: it
    fails on this question, or there is no right answer to compare with."""
    matched: bool | None
    """Whether the text was read as an option at all."""
    why: str
    """For people: what decided."""
    ambiguous: bool = False
    """The same text would have counted for more than one option."""

    @property
    def right(self) -> bool | None:
        """Whether the answer is right; None where the rule can't tell."""
        return None if self.rating is None else self.rating == 1


UNKNOWN = Verdict(None, None, "There is no right answer to compare with.")


def first_word(text: str) -> str:
    """Lower-cased, up to the first blank; a newline, a tab or another space character is no blank."""
    return text.lower().split(" ")[0]


def names_a_letter(word: str, letters: str) -> bool:
    """Whether any of `letters` (upper case) is anywhere in a lower-case word: how the published code tells whether
    instructions were followed."""
    return any(letter.lower() in word for letter in letters)


def words_meet(said: str, gold: str) -> bool:
    """The published comparison of two first words: either, the model's without dots, lies inside the other."""
    return said.replace(".", "") in gold or gold in said


def by_first_word(text: str, gold: str, letters: str | None) -> Verdict:
    """The rule of MVBench and VideoBench.

    Args:
        text: begun answer and output together, such as "(B) he runs".
        gold: the right answer as it is written there, such as "(B) he runs".
        letters: upper-case letters of which one must be in the first word; None asks for none, so that an empty
            output is right (the original rule of MVBench).
    """
    said, wanted = first_word(text), first_word(gold)
    if letters is not None and not names_a_letter(said, letters):
        return Verdict(0, False, f"The first word “{said}” holds none of the letters {letters[0]} to {letters[-1]}.")
    right = words_meet(said, wanted)
    return Verdict(int(right), True, f"The first word “{said}” {'meets' if right else 'does not meet'} “{wanted}”.")


_PLAIN = re.compile(r"\(?\s*([A-Za-z])\s*(?:[).:,\]]|$)")
_BRACKETED = re.compile(r"\(([A-Za-z])\)")


def strictly(text: str, right: str, letters: Sequence[str]) -> Verdict:
    """One option, named at the start as "(B)", "B", "B." or "B:", and no other one in brackets after it.

    Args:
        text: the whole text to judge.
        right: the right option's letter, upper case.
        letters: the question's options, upper case.
    """
    found = _PLAIN.match(text.strip())
    named = found.group(1).upper() if found else ""
    if named not in tuple(letters):
        return Verdict(0, False, "No option of this question is named at the start.")
    others = {letter.upper() for letter in _BRACKETED.findall(text)} - {named}
    if others:
        listed = ", ".join(sorted(others))
        return Verdict(0, True, f"Option {named} is named, and {listed} beside it.", ambiguous=True)
    return Verdict(int(named == right), True, f"Option {named} is named; {right} is right.")
