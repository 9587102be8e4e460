"""The interface's languages, through gradio's own i18n.

The English text is the key. Gradio chooses the language (the browser's, or the one chosen in its Settings), carries the
table to the browser and translates the components' labels; assets/words.js does the same, from the same table, with
what the page writes as HTML. A table's key may hold `{}` (words of the page, translated in turn), `{#}` (a number or a
time) and `{=}` (somebody else's text, which stays); its value says `{0}`, `{1}`.
What a model wrote stays as it is; what was measured is written in the language that was chosen for the run.
"""

from __future__ import annotations

from typing import Any

import gradio as gr

from sgv_demo import languages

LANGUAGES = tuple(language for language in languages.LANGUAGES if language != "en")
"""Beside English. Each has a folder of tables: `page` for what stands on the page, `messages` for errors, notes and
what is said of engines, `files` for headings of exports, `sentences` for what is measured."""


def table(language: str) -> dict[str, str]:
    """English text to the language's."""
    return languages.page_table(language)


MARK = "§"
"""Before each key in gradio's tables: gradio translates whatever equals a key, values ("histogram") and visitors' words
too. assets/words.js takes it off."""

_SAID: dict[str, str] = {}
"""English for what `say` marked: with a mark, the key itself can't be shown."""

I18N = gr.I18n(
    en=_SAID, **{language: {MARK + key: text for key, text in table(language).items()} for language in LANGUAGES}
)


def say(text: str) -> Any:
    """A component's label, or a choice's, in the visitor's language; first said while the page is built.

    Not for a label that handlers change: when the language is switched, gradio says the first one again. Such a label
    is plain, and translated on the page.
    """
    _SAID[MARK + text] = text
    return I18N(MARK + text)
