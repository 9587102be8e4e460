"""Measured sentences, chips and headings in another language: the finished English text, translated by a grammar.

The vocabulary of what measures is closed, so a table says all of it: `assets/words/LANGUAGE/sentences.json` has, for
each kind of phrase, English patterns and their translation. A pattern's `{kind}` is a phrase of that kind, translated
in turn; the translation says `{0}`, `{1}` for them (a synchronous context-free grammar; Aho and Ullman 1969). So the
English is written in one place, in code, and a result can be told in another language long after it was made.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeAlias, get_args

Language: TypeAlias = Literal["en", "zh"]
LANGUAGES: tuple[Language, ...] = get_args(Language)

_TABLES = Path(__file__).resolve().parents[1] / "assets" / "words"
_MATCHED: Mapping[str, re.Pattern[str]] = {
    "time": re.compile(r"\d+:\d\d(?::\d\d)?"),
    "number": re.compile(r"[\d.,:]+"),
    "quote": re.compile(r"“.*”", re.DOTALL),
    "aside": re.compile(r"(?:(?! · ).)+", re.DOTALL),
    "any": re.compile(r".+", re.DOTALL),
}
"""Kinds that stay as they are; a quote is somebody else's."""
_SENTENCE = re.compile(r"(?:“[^”]*”|[^.?!]|[.?!](?!\s|$))*[.?!]*\s*")
"""Up to a full stop that isn't quoted and ends a word; every character belongs to one."""
_QUOTED = re.compile(r"(“[^”]*”)")
_NEIGHBOURS = re.compile(r"(?<=[\u4e00-\u9fff])(?=\d)|(?<=\d)(?=[\u4e00-\u9fff])")
"""Where a Chinese character and a figure meet: a space stands between."""
_HOLE = re.compile(r"\{(\w+)\}")
_BETWEEN = " · "
"""Between words that stand side by side."""
_ON_THE_PAGE = {"{}": "{part}", "{#}": "{number}", "{=}": "{any}"}


class _Rule(NamedTuple):
    pieces: tuple[str, ...]
    """Text around the phrases, one piece more than there are kinds."""
    kinds: tuple[str, ...]
    says: str


@cache
def _table(language: str, name: str) -> Any:
    return json.loads((_TABLES / language / f"{name}.json").read_text(encoding="utf-8"))


def page_table(language: str) -> dict[str, str]:
    """English text of the page to the language's; `{}`, `{#}` and `{=}` as `ui.language` has them."""
    return {**_table(language, "messages"), **_table(language, "page")}


@cache
def _words(language: str) -> dict[str, str]:
    return _table(language, "files") | page_table(language)


@cache
def _grammar(language: str) -> dict[str, list[_Rule]]:
    """Rules by kind; words of the page and of files are the kind "word"."""
    kinds = {**_table(language, "sentences"), "word": {}}
    del kinds["asked"], kinds["stop"], kinds["between"]
    # As on the page: whole keys first, then the pattern that says most.
    for key, text in sorted(_words(language).items(), key=lambda pair: ("{" in pair[0], -len(pair[0]))):
        kinds["word"][re.sub(r"\{[#=]?\}", lambda hole: _ON_THE_PAGE[hole.group()], key)] = text
    return {kind: [_rule(*pair) for pair in rules.items()] for kind, rules in kinds.items()}


def _rule(pattern: str, says: str) -> _Rule:
    parts = _HOLE.split(pattern)
    return _Rule(tuple(parts[::2]), tuple(parts[1::2]), says)


def in_language(text: str, language: Language) -> str:
    """Sentences that were written from measurements, in another language; what isn't one of them stays as written."""
    if language == "en":
        return text
    return "".join(_sentence(found.group(), language) for found in _SENTENCE.finditer(text))


def _sentence(text: str, language: Language) -> str:
    core = text.strip().removesuffix(".")
    made = phrase(f"{core[:1].lower()}{core[1:]}", language, "sentence")
    if made is None:
        return text
    spaced = "".join(part if part.startswith("“") else _NEIGHBOURS.sub(" ", part) for part in _QUOTED.split(made))
    return spaced + (_table(language, "sentences")["stop"] if text.rstrip().endswith(".") else "")


def words_in(text: str, language: Language) -> str:
    """Words that the page says too (chips, headings, names of settings), in another language, or as they are."""
    if language == "en":
        return text
    made = _words(language).get(text) or phrase(text, language, "word")
    if made is not None or _BETWEEN not in text:
        return text if made is None else made
    return _BETWEEN.join(words_in(part, language) for part in text.split(_BETWEEN))


@lru_cache(maxsize=10_000)
def phrase(text: str, language: Language, kind: str) -> str | None:
    """A phrase of one kind in another language; None when it isn't one."""
    grammar = _grammar(language)
    known: dict[tuple[str, str], str | None] = {}

    def parsed(kind: str, text: str) -> str | None:
        if kind in _MATCHED:
            return text if _MATCHED[kind].fullmatch(text) else None
        if (kind, text) not in known:
            known[kind, text] = None  # a rule that needs itself for the same text is no way to read it
            found = (_read(rule, text, parsed) for rule in grammar[kind])
            known[kind, text] = next((one for one in found if one is not None), None)
        return known[kind, text]

    return parsed(kind, text)


def _read(rule: _Rule, text: str, parsed: Callable[[str, str], str | None]) -> str | None:
    """The text as this rule says it, or None where it doesn't fit."""
    head, *tails = rule.pieces
    if not text.startswith(head) or not text.endswith(rule.pieces[-1]) or any(tail not in text for tail in tails):
        return None
    parts = _filled(text[len(head) :], list(zip(rule.kinds, tails, strict=True)), parsed)
    return None if parts is None else re.sub(r"\{(\d)\}", lambda hole: parts[int(hole.group(1))], rule.says)


def _filled(text: str, holes: list[tuple[str, str]], parsed: Callable[[str, str], str | None]) -> list[str] | None:
    """Translations of the phrases in the holes, each followed by its piece; every place of a piece is tried."""
    if not holes:
        return None if text else []
    (kind, piece), *others = holes
    at = len(text) - len(piece) if not others else text.find(piece)
    while at >= 0 and text.startswith(piece, at):
        made = parsed(kind, text[:at])
        rest = None if made is None else _filled(text[at + len(piece) :], others, parsed)
        if made is not None and rest is not None:
            return [made, *rest]
        at = text.find(piece, at + 1) if others and at < len(text) else -1
    return None


def between(language: Language) -> str:
    """What stands between two sentences."""
    return " " if language == "en" else _table(language, "sentences")["between"]


def language_of(text: str) -> Language:
    """The language that a question is asked in."""
    return "zh" if re.search(r"[\u4e00-\u9fff]", text) else "en"


def asked_in_english(question: str, language: Language) -> str:
    """The words of a question that say what it is about, in English; everything else stays.

    Times as "1分20秒" become "1:20".
    """
    if language == "en":
        return question
    question = re.sub(r"(\d+)\s*分钟?\s*(\d{1,2})\s*秒?", lambda t: f" {t.group(1)}:{int(t.group(2)):02d} ", question)
    question = re.sub(r"([\u4e00-\u9fff])(?=\d)", r"\1 ", question)
    if re.search("吗|是否|有没有", question):
        question = f"is {question}"
    table: dict[str, Any] = _table(language, "sentences")["asked"]
    for word in sorted(table, key=len, reverse=True):
        question = question.replace(word, f" {table[word]} ")
    return " ".join(question.split())
