"""Captions as vectors, by the name of an encoder; a threshold belongs to its encoder."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from sgv_demo.errors import EngineError, SettingsError

Vectors = NDArray[np.float32]

_FEATURES, _DIMENSIONS, _FITTED = 1 << 17, 128, 30_000
"""Of tfidf: buckets that words and pairs of words are hashed into, dimensions after the decomposition, and captions
that it is learned from."""


class Encoder(Protocol):
    """What makes vectors of captions."""

    dimensions: int

    def __call__(self, texts: Sequence[str]) -> Vectors:
        """(n, dimensions) of n captions."""
        ...


@dataclass(frozen=True, slots=True)
class Kind:
    """One encoder on offer."""

    about: str
    """What its similarity means, for the report."""
    threshold: float
    """What is used when none is named."""
    make: Callable[[Iterable[str], str, int], Encoder]
    """From the pool's captions (read once more by then), a folder or Hub id, and the seed."""


class Tfidf:
    """Hashed words and pairs of words, weighted by rareness, decomposed: equal wording is near, meaning is not seen."""

    def __init__(self, texts: Iterable[str], model: str, seed: int) -> None:
        """
        Raises:
            SettingsError: scikit-learn isn't installed.
        """
        try:
            from sklearn.decomposition import TruncatedSVD
            from sklearn.feature_extraction.text import HashingVectorizer, TfidfTransformer
        except ImportError as error:
            raise SettingsError("tfidf needs scikit-learn; pip install -r requirements-scale.txt.") from error
        plain: Any = {"norm": None, "alternate_sign": False, "dtype": np.float32}
        self._hashed: Any = HashingVectorizer(n_features=_FEATURES, ngram_range=(1, 2), **plain)
        counts: Any = self._hashed.transform(_drawn(texts, seed))
        self._weights: Any = TfidfTransformer(sublinear_tf=True).fit(counts)
        weighted = self._weights.transform(counts).astype(np.float32)
        self.dimensions = max(1, min(_DIMENSIONS, counts.shape[0] - 1))
        self._decomposed: Any = None
        if counts.shape[0] > _DIMENSIONS:
            self._decomposed = TruncatedSVD(self.dimensions, n_iter=2, random_state=seed).fit(weighted)
        else:  # as few captions need no decomposition: what they hold fits as it is
            self._used = np.unique(weighted.indices)
            self.dimensions = max(1, len(self._used))

    def __call__(self, texts: Sequence[str]) -> Vectors:
        """(n, dimensions)."""
        weighted: Any = self._weights.transform(self._hashed.transform(texts))
        if self._decomposed is None:
            return np.asarray(weighted[:, self._used].toarray(), np.float32).reshape(len(texts), -1)
        return np.asarray(self._decomposed.transform(weighted), np.float32)


def _drawn(texts: Iterable[str], seed: int) -> list[str]:
    """Captions drawn evenly, so that a million needn't be held."""
    random, held = Random(seed), list[str]()
    for number, text in enumerate(texts):
        if number < _FITTED:
            held.append(text)
        elif (place := random.randrange(number + 1)) < _FITTED:
            held[place] = text
    return held


class Sentence:
    """A BERT: its class token (as the paper's "BERT" is commonly read), or the mean over all tokens."""

    def __init__(self, model: str, *, mean: bool) -> None:
        """
        Raises:
            EngineError: its files aren't here.
        """
        import torch
        from transformers import AutoModel, AutoTokenizer

        folder = Path(model).expanduser()
        where = str(folder) if folder.is_dir() else model
        try:
            self._tokenizer: Any = AutoTokenizer.from_pretrained(where, local_files_only=True)
            self._network: Any = AutoModel.from_pretrained(where, local_files_only=True, dtype=torch.float32).eval()
        except (OSError, ValueError) as error:
            raise EngineError(
                f"The encoder {model} isn't here; fetch it with `hf download {model}`, or name its folder with --model."
            ) from error
        self._device = "cuda" if torch.cuda.is_available() else "cpu"
        self._network.to(self._device)
        self._mean = mean
        self.dimensions = int(self._network.config.hidden_size)

    def __call__(self, texts: Sequence[str]) -> Vectors:
        """(n, dimensions)."""
        import torch

        found: list[Vectors] = []
        rest = iter(texts)
        while part := list(islice(rest, 64)):
            tokens = self._tokenizer(part, padding=True, truncation=True, max_length=256, return_tensors="pt")
            with torch.inference_mode():
                states = self._network(**tokens.to(self._device)).last_hidden_state
            if self._mean:
                mask = tokens["attention_mask"].unsqueeze(-1).to(states.device)
                states = (states * mask).sum(1) / mask.sum(1)
            else:
                states = states[:, 0]
            found.append(states.float().cpu().numpy())
        return np.concatenate(found) if found else np.empty((0, self.dimensions), np.float32)


ENCODERS: dict[str, Kind] = {
    "tfidf": Kind("wording, not meaning: rewordings aren't found", 0.9, Tfidf),
    "bert": Kind(
        "the class token of bert-base-uncased",
        0.95,
        lambda texts, model, seed: Sentence(model or "google-bert/bert-base-uncased", mean=False),
    ),
    "minilm": Kind(
        "meaning, by a small sentence model (all-MiniLM-L6-v2)",
        0.85,
        lambda texts, model, seed: Sentence(model or "sentence-transformers/all-MiniLM-L6-v2", mean=True),
    ),
}
"""By name; `clip` compares pictures instead of captions, see `pictures`."""
