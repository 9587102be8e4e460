"""The checkpoint's own sentencepiece model, used directly, with the published tokenizer's rules around it.

Three sources of text are told apart. The template's turn markers are ids. A caption that the model wrote itself goes
back in as the published code has it: a control string in it becomes a control token. What a user types never does.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import sentencepiece

from sgv_demo.engines.local.loading import read_json
from sgv_demo.engines.local.streaming import hold_back
from sgv_demo.engines.prompts import END_OF_TURN, START_OF_TURN
from sgv_demo.errors import EngineError

OTHER_END_OF_TURN = "<|im_end|>"
SPECIAL_KEYS = ("bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token")
DEFAULT_NAMES = {"unk_token": "<unk>", "bos_token": "<s>", "eos_token": "</s>", "pad_token": "</s>"}
CONTROL_PIECE = re.compile(r"\[UNUSED_TOKEN_\d+\]|<\|.*\|>|</?s>|<unk>")
TIDYING = (
    (" .", "."),
    (" ?", "?"),
    (" !", "!"),
    (" ,", ","),
    (" ' ", "'"),
    (" n't", "n't"),
    (" 'm", "'m"),
    (" 's", "'s"),
    (" 've", "'ve"),
    (" 're", "'re"),
)
"""What transformers of the published demo's time replaces in decoded text; InternLM2's tokenizer always asks for it."""
CHANGING = (END_OF_TURN, OTHER_END_OF_TURN, *(old for old, _ in TIDYING))


class Tokenizer:
    """Text to ids and back, exactly as the published demo does."""

    def __init__(self, model: sentencepiece.SentencePieceProcessor, names: dict[int, str], specials: set[str]) -> None:
        self._model = model
        self._names = names
        self._specials = specials
        self._ids = {name: i for i, name in names.items()}
        self.start_turn = model.PieceToId(START_OF_TURN)
        self.end_turn = model.PieceToId(END_OF_TURN)
        self.bos = self._ids.get("<s>", model.bos_id())
        pieces = {model.IdToPiece(i) for i in range(model.GetPieceSize())}
        self._added = _any_of(self._ids)
        self._control = _any_of({piece for piece in pieces if CONTROL_PIECE.fullmatch(piece)} | set(names.values()))

    @classmethod
    def load(cls, folder: Path, vocab_size: int) -> Tokenizer:
        """
        Args:
            folder: has `tokenizer.model` and, mostly, `tokenizer_config.json`.
            vocab_size: rows of the embedding; a named id beyond them is not used.

        Raises:
            EngineError: no sentencepiece model there, or its turn markers aren't one id each inside the embedding.
        """
        file = folder / "tokenizer.model"
        if not file.is_file():
            raise EngineError(f"{folder.name} has no tokenizer.model; fetch it again.")
        model = sentencepiece.SentencePieceProcessor()
        try:
            model.LoadFromSerializedProto(file.read_bytes())
        except RuntimeError as error:
            raise EngineError(f"tokenizer.model in {folder.name} is damaged; fetch it again.") from error
        for marker in (START_OF_TURN, END_OF_TURN):
            ids = model.EncodeAsIds(marker)
            if ids != [model.PieceToId(marker)] or ids[0] >= vocab_size:
                raise EngineError(
                    f"The tokenizer in {folder.name} lacks the turn marker {marker} as one token of the network; "
                    "it is another model's."
                )
        names, specials = _named_tokens(folder, model)
        return cls(model, {i: name for i, name in names.items() if i < vocab_size}, specials)

    def encode(self, text: str, *, typed: bool = False) -> list[int]:
        """
        Args:
            text: any.
            typed: whether a person typed it, who can't type control tokens. Otherwise control strings become tokens.
        """
        if typed:
            # Cut inside every control string: no half of one is a token, and joined they read as they were typed.
            cuts = [0, *(found.start() + 1 for found in self._control.finditer(text)), len(text)]
            return [i for start, end in itertools.pairwise(cuts) for i in self._model.EncodeAsIds(text[start:end])]
        ids: list[int] = []
        start = 0
        for found in self._added.finditer(text):
            ids += [*self._model.EncodeAsIds(text[start : found.start()]), self._ids[found[0]]]
            start = found.end()
        return ids + self._model.EncodeAsIds(text[start:])

    def encode_turn(self, question: str, *, typed: bool = False) -> list[int]:
        """The whole prompt: beginning of text, the user's turn, and the opening of the assistant's."""
        newline = self.encode("\n")
        user = [self.start_turn, *self.encode(f"user\n{question}", typed=typed), self.end_turn, *newline]
        return [self.bos, *user, self.start_turn, *self.encode("assistant\n")]

    @property
    def turn_ends(self) -> tuple[int, ...]:
        """Ids at which an answer may stop because its text is cut there anyway."""
        name = self.decode([self.end_turn])
        return (self.end_turn,) if END_OF_TURN in name or OTHER_END_OF_TURN in name else ()

    def count(self, text: str) -> int:
        """Tokens of `text` alone."""
        return len(self.encode(text))

    def decode(self, ids: Sequence[int]) -> str:
        """The published tokenizer's text of `ids`, special tokens kept.

        Around a name that isn't among the special tokens it puts spaces; before a run of special tokens it puts one
        space, in front of the text that precedes them.
        """
        runs: list[list[int]] = [[]]
        texts: list[str] = []
        for i in ids:
            name = self._names.get(i)
            if name is None or name in self._specials:
                runs[-1].append(i)
            else:
                texts += [*filter(None, [self._decode_run(runs[-1])]), name]
                runs.append([])
        if runs[-1]:
            texts.append(self._decode_run(runs[-1]))
        return " ".join(texts)

    def _decode_run(self, ids: Sequence[int]) -> str:
        text, pending, after_special = "", [], False
        for i in ids:
            if (name := self._names.get(i)) is None:
                pending.append(i)
                after_special = False
                continue
            text += ("" if after_special else " ") + self._decode_pieces(pending) + name
            pending, after_special = [], True
        text += self._decode_pieces(pending)
        for old, new in TIDYING:
            text = text.replace(old, new)
        return text

    def _decode_pieces(self, ids: Sequence[int]) -> str:
        size = self._model.GetPieceSize()
        return self._model.DecodeIds([i for i in ids if i < size])

    def response(self, ids: Sequence[int], final: bool = True) -> str:
        """The published demo's answer: without a leading id 0 or 1, cut at the end of the turn, stripped.

        Args:
            ids: generated.
            final: False when more may come: then only what can't change any more.
        """
        ids = ids[1:] if ids and ids[0] in (0, 1) else ids
        if not final:
            ids = self._settled(ids)
        text = self.decode(ids).split(END_OF_TURN)[0].split(OTHER_END_OF_TURN)[0]
        return text.strip() if final else hold_back(text, CHANGING).lstrip()

    def _settled(self, ids: Sequence[int]) -> Sequence[int]:
        """Without what follows a special token: another one would put a space before it."""
        named = [place for place, i in enumerate(ids) if i in self._names]
        return ids[: named[-1] + 1] if named else ids


def _named_tokens(folder: Path, model: sentencepiece.SentencePieceProcessor) -> tuple[dict[int, str], set[str]]:
    """Ids with the names they decode under, and which of the names count as special tokens."""
    file = folder / "tokenizer_config.json"
    told: dict[str, Any] = read_json(file) if file.is_file() else {}
    added = told.get("added_tokens_decoder")
    if not isinstance(added, dict):
        added = {}
        legacy = folder / "special_tokens_map.json"
        told = {**told, **(read_json(legacy) if legacy.is_file() else {})}
    specials = {_content(told.get(key) or DEFAULT_NAMES.get(key, "")) for key in SPECIAL_KEYS}
    specials |= {_content(item) for item in told.get("additional_special_tokens") or []}
    specials.discard("")
    names = {int(i): _content(item) for i, item in added.items() if str(i).isdigit()}
    known = set(names.values())
    for name in specials - known:
        piece = model.PieceToId(name)
        if model.IdToPiece(piece) == name:
            names.setdefault(piece, name)
    return names, specials


def _content(token: Any) -> str:
    return str(token.get("content", "")) if isinstance(token, dict) else str(token)


def _any_of(strings: Any) -> re.Pattern[str]:
    """Matches the longest of `strings` that begins at a place; nothing for no strings."""
    return re.compile("|".join(re.escape(text) for text in sorted(strings, key=len, reverse=True) if text) or r"(?!)")
