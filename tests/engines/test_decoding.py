"""Decoding on a network whose next token is a closed formula: choosing, beams, stops, chunks, texts side by side."""

from __future__ import annotations

import math
from itertools import product

import pytest
import torch
from torch import Tensor

from sgv_demo.engines.local import decoding
from sgv_demo.engines.local.cache import GROWTH, Batch, Cache, CacheShape, Span
from sgv_demo.engines.local.decoding import Beams, Sampler, Text, generate, step, within

CPU = torch.device("cpu")
SHAPE = CacheShape(layers=1, heads=2, width=8, dtype=torch.float32, device=CPU)
VOCABULARY = 11


class Toy:
    """One attention layer with random weights: every token depends on all before it."""

    def __init__(self, seed: int = 0) -> None:
        torch.manual_seed(seed)
        self.table = torch.randn(VOCABULARY, 32)
        self.q, self.k, self.v = torch.randn(32, 4 * 8) * 0.3, torch.randn(32, 2 * 8) * 0.3, torch.randn(32, 2 * 8)
        self.out, self.head = torch.randn(32, 32) * 0.3, torch.randn(32, VOCABULARY)
        self.passes: list[int] = []

    def embed(self, ids: Tensor) -> Tensor:
        return self.table[ids][None]

    def hidden(self, x: Tensor, batch: Batch) -> Tensor:
        self.passes.append(x.shape[1])
        flat = x[0] + batch.positions[:, None].float().sin()
        parts = ((flat @ weight).view(len(flat), -1, 8) for weight in (self.q, self.k, self.v))
        seen = batch.attend(0, *parts)
        batch.finish()
        return x + (seen @ self.out)[None]

    def logits(self, hidden: Tensor) -> Tensor:
        return hidden @ self.head

    def text(self, prompt: list[int], chooser: decoding.Chooser) -> Text:
        return Text(self.embed(torch.tensor(prompt)), Cache(SHAPE), chooser)

    def scores(self, ids: list[int]) -> Tensor:
        """Log-probabilities of the next token, computed anew from nothing."""
        return decoding.prefill(self, self.text(ids, Sampler(1, ())))[0].log_softmax(-1)


def ids_of(network: Toy, text: Text) -> list[int]:
    return [i for piece in generate(network, text) for i in piece]


def test_greedy_takes_the_likeliest_token_after_everything_before():
    toy = Toy()
    found: list[int] = []
    for _ in range(12):
        found.append(int(toy.scores([1, 2, 3, *found]).argmax()))
    assert ids_of(toy, toy.text([1, 2, 3], Sampler(12, ()))) == found


@pytest.mark.parametrize("chunk", [1, 2, 3, 7, 50])
@pytest.mark.parametrize("chooser", [lambda: Sampler(10, ()), lambda: Beams(3, 10, ())])
def test_the_size_of_a_chunk_changes_nothing(chunk, chooser, monkeypatch):
    toy, prompt = Toy(), [1, 2, 3, 4, 5, 6, 7]
    expected = ids_of(toy, toy.text(prompt, chooser()))
    monkeypatch.setattr(decoding, "CHUNK", chunk)
    toy.passes.clear()
    assert ids_of(toy, toy.text(prompt, chooser())) == expected
    assert max(toy.passes) <= max(chunk, 3)


def test_a_cache_may_grow_many_times(monkeypatch):
    toy = Toy()
    expected = ids_of(toy, toy.text([1], Sampler(40, ())))
    monkeypatch.setattr("sgv_demo.engines.local.cache.GROWTH", 3)
    assert ids_of(toy, toy.text([1], Sampler(40, ()))) == expected
    assert GROWTH > 40


@pytest.mark.parametrize("seed", range(6))
def test_beams_find_the_best_of_all_texts_when_none_is_dropped(seed):
    """As many beams as there are texts of one token less: then the search is exhaustive."""
    toy, prompt, length = Toy(seed), [3, 1], 2
    score = {
        ids: sum(float(toy.scores([*prompt, *ids[:i]])[ids[i]]) for i in range(length))
        for ids in product(range(VOCABULARY), repeat=length)
    }
    best = sorted(score, key=lambda ids: -score[ids])[:VOCABULARY]
    beams = Beams(VOCABULARY, length, ())
    assert ids_of(toy, toy.text(prompt, beams)) == list(best[0])
    assert [ids for _, ids in beams.best] == best
    assert beams.best[0][0] == pytest.approx(score[best[0]] / length, abs=1e-5)


def test_an_ended_beam_counts_by_its_mean_and_waits_for_better_ones():
    beams = Beams(2, 10, [0])

    def rows(*probabilities: list[float]) -> Tensor:
        return torch.tensor([[math.log(p) for p in row] for row in probabilities])

    assert beams.take(rows([0.30, 0.60, 0.05, 0.05])) == []
    assert beams.tokens == [1, 2] or beams.tokens == [1, 3]
    assert not beams.done
    assert beams.take(rows([0.9, 0.05, 0.03, 0.02], [0.01, 0.01, 0.49, 0.49])) == []
    assert not beams.done, "the likeliest candidate, 0.54, is better than the worst end, 0.3"
    assert beams.take(rows([0.25] * 4, [0.25] * 4)) == [1, 0]
    assert beams.done
    assert [ids for _, ids in beams.best] == [(1, 0), (0,)]
    assert beams.best[0][0] == pytest.approx(math.log(0.6 * 0.9) / 2)
    assert beams.best[1][0] == pytest.approx(math.log(0.3))


def test_an_end_among_the_unlikely_candidates_is_no_beam():
    beams = Beams(2, 10, [0])
    beams.take(torch.tensor([[0.15, 0.45, 0.40]]).log())
    assert not beams._ended
    assert beams.tokens == [1, 2]


@pytest.mark.parametrize("chooser", [lambda stops: Sampler(30, stops), lambda stops: Beams(3, 30, stops)])
def test_any_of_several_stops_ends_a_text_and_is_its_last(chooser):
    toy = Toy(1)
    free = ids_of(toy, toy.text([1], chooser(())))
    stops = [free[5], free[9]]
    made = ids_of(toy, toy.text([1], chooser(stops)))
    assert made[-1] in stops or len(made) == 30
    assert not set(made[:-1]) & set(stops)


def test_sampling_follows_temperature_and_top_p():
    torch.manual_seed(0)
    logits = torch.tensor([[0.5, 0.3, 0.15, 0.05]]).log()

    def drawn(temperature: float, top_p: float) -> list[float]:
        found = [Sampler(1, (), temperature, top_p).take(logits)[0] for _ in range(4000)]
        return [found.count(i) / len(found) for i in range(4)]

    assert drawn(1.0, 1.0) == pytest.approx([0.5, 0.3, 0.15, 0.05], abs=0.03)
    assert drawn(1.0, 0.7) == pytest.approx([0.625, 0.375, 0, 0], abs=0.03)
    assert drawn(1.0, 0.0) == [1, 0, 0, 0]
    squared = [p * p for p in (0.5, 0.3, 0.15, 0.05)]
    assert drawn(0.5, 1.0) == pytest.approx([p / sum(squared) for p in squared], abs=0.03)


def test_a_stop_is_seen_before_every_pass():
    toy = Toy()
    answers = iter([False, False, True])
    assert len(list(generate(toy, toy.text([1, 2], Sampler(50, ())), lambda: next(answers)))) == 2
    assert len(toy.passes) == 2
    assert list(generate(toy, toy.text([1, 2], Sampler(50, ())), lambda: True)) == []


@pytest.mark.parametrize("chunk", [2, 50])
def test_texts_side_by_side_get_what_they_get_alone(chunk, monkeypatch):
    monkeypatch.setattr(decoding, "CHUNK", chunk)
    toy = Toy(2)
    make = [
        lambda: toy.text([1, 2, 3], Sampler(9, ())),
        lambda: toy.text([4], Beams(3, 6, [2])),
        lambda: toy.text([5, 6, 7, 8, 9], Sampler(20, [1])),
        lambda: toy.text([1, 2, 4, 4], Beams(2, 8, ())),
    ]
    alone = [ids_of(toy, one()) for one in make]
    texts = [one() for one in make]
    found: list[list[int]] = [[] for _ in texts]
    while any(not text.done for text in texts):
        running = [i for i, text in enumerate(texts) if not text.done]
        for i, new in zip(running, step(toy, [texts[i] for i in running]), strict=True):
            found[i] += new
    assert found == alone


def test_a_cropped_and_trimmed_cache_goes_on_as_if_read_anew():
    toy = Toy()
    text = toy.text([1, 2, 3, 4], Sampler(5, ()))
    ids_of(toy, text)
    text.cache.crop(2)
    text.cache.trim()
    assert text.cache.nbytes == 2 * SHAPE.position_bytes
    again = Text(toy.embed(torch.tensor([7, 8])), text.cache, Sampler(5, ()))
    assert ids_of(toy, again) == ids_of(toy, toy.text([1, 2, 7, 8], Sampler(5, ())))


def test_beams_hold_their_common_beginning_once():
    cache = Cache(SHAPE)
    batch = Batch([Span(cache, 600)], CPU)
    batch.attend(0, torch.zeros(600, 4, 8), torch.zeros(600, 2, 8), torch.zeros(600, 2, 8))
    batch.finish()
    before = cache.nbytes
    cache.fork(3)
    batch = Batch([Span(cache, 1)], CPU)
    batch.attend(0, torch.zeros(3, 4, 8), torch.zeros(3, 2, 8), torch.zeros(3, 2, 8))
    batch.finish()
    assert cache.length == 601
    assert cache.nbytes - before == 3 * (GROWTH + 1) * SHAPE.position_bytes


def test_one_pass_reads_one_picture():
    spans = [Span(Cache(SHAPE), 4, slice(1, 3)), Span(Cache(SHAPE), 4)]
    assert Batch(list(reversed(spans)), CPU).image == slice(5, 7)
    with pytest.raises(ValueError, match="one picture"):
        Batch([spans[0], Span(Cache(SHAPE), 4, slice(0, 1))], CPU)


def test_what_of_a_picture_lies_in_a_chunk():
    assert within(slice(1, 10), 0, 4) == slice(1, 4)
    assert within(slice(1, 10), 4, 4) == slice(0, 4)
    assert within(slice(1, 10), 8, 4) == slice(0, 2)
    assert within(slice(1, 10), 12, 4) is None
    assert within(None, 0, 4) is None
