"""Turns a prompt's pieces into token ids, as the published tokenising function does."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

from transformers import AddedToken, PreTrainedTokenizerFast

from sgv_demo.engines.local.streaming import hold_back
from sgv_demo.engines.prompts import IMAGE, Piece
from sgv_demo.errors import EngineError

PICTURE = -200
"""Stands for the picture among token ids; never an id of a vocabulary, so nothing typed or generated can equal it."""

CLEANED = (" .", " ?", " !", " ,", " ' ", " n't", " 'm", " 's", " 've", " 're")
"""What transformers 4 loses the spaces of, in this order, for a tokenizer with `clean_up_tokenization_spaces`: the
published answers were decoded with it, and transformers 5 no longer does it."""

MARKERS = ("<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>")


class PromptTokenizer:
    """A checkpoint's tokenizer under ShareGPT4Video's rules; safe to use from several threads."""

    def __init__(self, tokenizer: PreTrainedTokenizerFast, vocabulary: int) -> None:
        """
        Args:
            tokenizer: any that knows the Llama-3 markers.
            vocabulary: how many tokens the network embeds.

        Raises:
            EngineError: a marker is missing, or an id of the base vocabulary has no embedding.
        """
        self._tokenizer = tokenizer
        self._lock = threading.Lock()
        known = tokenizer.get_vocab()
        missing = [marker for marker in MARKERS if marker not in known]
        if missing:
            raise EngineError(
                f"The tokenizer lacks {', '.join(missing)}; use the tokenizer of ShareGPT4Video-8B (Llama 3)."
            )
        beyond = {text: i for text, i in known.items() if i >= vocabulary}
        added = beyond.keys() & tokenizer.get_added_vocab().keys() - set(MARKERS)
        if beyond.keys() - added:
            raise EngineError(
                f"The tokenizer's ids reach {max(beyond.values())} but the model embeds only {vocabulary} tokens;"
                " tokenizer and weights are of different models."
            )
        # As special tokens they are split like any text when somebody types them.
        tokenizer.add_tokens([AddedToken(text, special=True, normalized=False) for text in added], special_tokens=True)
        self._ids = {marker: known[marker] for marker in MARKERS}
        self.end = self._ids["<|eot_id|>"]
        """Id of the marker that closes a turn."""
        self._before, self._after = self._own_additions()

    def ids(self, pieces: Sequence[Piece]) -> list[int]:
        """Token ids of a prompt, with `PICTURE` where the picture goes.

        The rule is the published one: each stretch between pictures is tokenised with whatever the tokenizer adds
        by itself; if the first begins with the begin token, that is kept once and the first id of every stretch
        dropped. So a tokenizer that adds the begin token gives it twice (the template names it too), and one that
        doesn't loses the line break after the picture.
        """
        stretches: list[list[int]] = [[]]
        for piece in pieces:
            if piece == IMAGE:
                stretches.append([])
            else:
                stretches[-1] += self._piece_ids(piece)
        stretches = [[*self._before, *ids, *self._after] for ids in stretches]
        begin = self._tokenizer.bos_token_id
        begins = bool(stretches[0]) and stretches[0][0] == begin
        joined = [stretches[0][0]] if begins else []
        for i, stretch in enumerate(stretches):
            joined += [PICTURE] * (i > 0) + stretch[int(begins) :]
        return joined

    def text(self, ids: Sequence[int], final: bool = True) -> str:
        """Decoded text without special tokens, blanks at the ends removed.

        Args:
            ids: an answer's tokens from its first.
            final: False leaves out the end that later tokens may still change.
        """
        raw = str(self._tokenizer.decode(list(ids), skip_special_tokens=True, clean_up_tokenization_spaces=False))
        patterns = CLEANED if self._tokenizer.clean_up_tokenization_spaces else ()
        text = raw if final else hold_back(raw, patterns)
        for pattern in patterns:
            text = text.replace(pattern, pattern.strip())
        return text.strip()

    def _piece_ids(self, piece: Piece) -> list[int]:
        if piece.ids:
            return list(piece.ids)
        if piece.marker:
            return [self._ids[piece.text]]
        with self._lock:  # the backend's switch for special tokens is one for all threads
            return self._tokenizer.encode(piece.text, add_special_tokens=False, split_special_tokens=True)

    def _own_additions(self) -> tuple[list[int], list[int]]:
        """Ids that the tokenizer puts before and after any text by itself."""
        bare = self._tokenizer.encode("a", add_special_tokens=False)
        full = self._tokenizer.encode("a")
        start = next(i for i in range(len(full)) if full[i : i + len(bare)] == bare)
        return full[:start], full[start + len(bare) :]


def load_tokenizer(folder: Path) -> PreTrainedTokenizerFast:
    """The tokenizer as its `tokenizer.json` says, whatever class the checkpoint names.

    Raises:
        EngineError: it is missing or damaged.
    """
    try:
        return PreTrainedTokenizerFast.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise EngineError(f"The tokenizer of {folder.name} is missing or damaged; fetch it again.") from error
