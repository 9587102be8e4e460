"""Which text of a record a trainer gets: a field, shortened to a number of tokens, with words before and behind."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from sgv_demo.dataset.index import FIELD, Entry
from sgv_demo.errors import SettingsError

Field = Literal["summary", "captions", "fast", "first-sentence"]

_SENTENCE = re.compile(r"(?<=[.!?])[\"'”’)\]]*(?=\s)|(?<=[。！？])[”’）]*")
"""What stands between a sentence's last mark and the next sentence."""


@dataclass(frozen=True, slots=True)
class Wording:
    """How a record becomes a text."""

    field: Field = "summary"
    """summary; captions: all differential captions, one paragraph each; fast: the caption of a run with --mode fast;
    first-sentence: of the summary, or else of the first caption."""
    max_tokens: int | None = None
    """Tokens at most, prefix and suffix included: whole sentences where one fits, else whole words."""
    count: Callable[[str], int] = lambda text: len(text.split())
    """Tokens of a text."""
    prefix: str = ""
    suffix: str = ""

    def of(self, entry: Entry) -> str:
        """The text; empty where the record has none of that field."""
        text = _field(entry, self.field)
        return self._fitted(text) if text else ""

    def _fitted(self, text: str) -> str:
        whole = f"{self.prefix}{text}{self.suffix}"
        if self.max_tokens is None or self.count(whole) <= self.max_tokens:
            return whole
        for ends in (_ends(_SENTENCE, text), [match.start() for match in re.finditer(r"\s+", text)]):
            # Longer text has more tokens, so the longest that fits can be searched for by halving.
            fits, over = 0, len(ends)
            while fits < over:
                middle = (fits + over) // 2
                if self.count(f"{self.prefix}{text[: ends[middle]].rstrip()}{self.suffix}") <= self.max_tokens:
                    fits = middle + 1
                else:
                    over = middle
            if fits:
                return f"{self.prefix}{text[: ends[fits - 1]].rstrip()}{self.suffix}"
        return ""


def _field(entry: Entry, field: Field) -> str:
    texts = [text.strip() for _, text in entry.captions if text.strip()]
    if field == "captions":
        return "\n".join(texts)
    if field == "fast":
        return texts[0] if texts and _whole(entry) else ""
    summary = entry.summary.strip()
    if field == "summary":
        return summary or (texts[0] if texts and _whole(entry) else "")
    text = summary or (texts[0] if texts else "")
    ends = _ends(_SENTENCE, text)
    return text[: ends[0]].strip() if ends else text


def _whole(entry: Entry) -> bool:
    """Whether its one caption is about the whole video."""
    own = entry.extra.get(FIELD)
    settings = own.get("settings") if isinstance(own, Mapping) else None
    return isinstance(settings, Mapping) and settings.get("mode") in ("fast", "sheet")


def _ends(pattern: re.Pattern[str], text: str) -> list[int]:
    return [match.end() for match in pattern.finditer(text)]


def counter(tokenizer: str) -> Callable[[str], int]:
    """Counts tokens as a named tokenizer does, special ones included: a folder, or a Hub id that is in the cache.

    Raises:
        SettingsError: there is none of that name here.
    """
    from transformers import AutoTokenizer

    folder = Path(tokenizer).expanduser()
    try:
        found: Any = AutoTokenizer.from_pretrained(
            str(folder) if folder.is_dir() else tokenizer, trust_remote_code=False, local_files_only=True
        )
    except (OSError, ValueError) as error:
        raise SettingsError(
            f"There is no tokenizer “{tokenizer}” here; give a folder, or fetch it first with "
            f"`hf download {tokenizer} --include 'tokenizer*'`."
        ) from error
    return lambda text: len(found(text)["input_ids"])
