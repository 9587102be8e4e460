"""A finished HTML report in another language: its own words are replaced, texts of a model, a user or a file stay."""

from __future__ import annotations

import re
from html import escape, unescape
from html.parser import HTMLParser

from sgv_demo.languages import Language, words_in

_SAID = re.compile(r'\b(aria-label|title)="([^"]*)"')
"""Attributes that people hear or read."""
_VOID = ("meta", "br", "img")
_FOREIGN = ("pre", "style", "script", "bdi")


def html_in(text: str, language: Language) -> str:
    """HTML of our own templates, with `lang` set; what stands under `dir="auto"`, `bdi` or `pre` is somebody else's."""
    if language == "en":
        return text
    told = _Told(language)
    told.feed(text)
    told.close()
    return "".join(told.out)


class _Told(HTMLParser):
    def __init__(self, language: Language) -> None:
        super().__init__(convert_charrefs=False)
        self.language: Language = language
        self.out: list[str] = []
        self._open: list[bool] = []
        """For every open element, whether it is foreign."""
        self._text = ""

    def _say(self, text: str) -> str:
        core = text.strip()
        if not core or any(self._open):
            return text
        plain = " ".join(unescape(core).split())
        said = words_in(plain, self.language)
        return text if said == plain else text.replace(core, escape(said, quote=False), 1)

    def _flush(self) -> None:
        self.out.append(self._say(self._text))
        self._text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._flush()
        start = self.get_starttag_text() or ""
        if tag == "html":
            start = start.replace('lang="en"', f'lang="{self.language}"')
        if not any(self._open):
            start = _SAID.sub(lambda said: f'{said[1]}="{escape(words_in(unescape(said[2]), self.language))}"', start)
        self.out.append(start)
        if tag not in _VOID and not start.endswith("/>"):
            self._open.append(tag in _FOREIGN or ("dir", "auto") in attrs)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        self._flush()
        self._open.pop()
        self.out.append(f"</{tag}>")

    def handle_data(self, data: str) -> None:
        self._text += data

    def handle_entityref(self, name: str) -> None:
        self._text += f"&{name};"

    def handle_charref(self, name: str) -> None:
        self._text += f"&#{name};"

    def handle_comment(self, data: str) -> None:
        self._flush()
        self.out.append(f"<!--{data}-->")

    def handle_decl(self, decl: str) -> None:
        self._flush()
        self.out.append(f"<!{decl}>")

    def close(self) -> None:
        super().close()
        self._flush()
