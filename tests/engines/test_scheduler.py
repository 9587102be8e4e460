"""Texts side by side: whoever joins and leaves when, each gets the ids that it gets alone."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
import torch

from sgv_demo.engines.local import decoding
from sgv_demo.engines.local.decoding import Beams, Chooser, Sampler, Text
from sgv_demo.engines.local.scheduler import Job, Scheduler
from tests.engines.test_decoding import Toy, ids_of
from tests.support.tiny_captioner import random_network, tiny_config


def all_of(scheduler: Scheduler, job: Job) -> list[int]:
    return [i for piece in scheduler.run(job) for i in piece]


def settled(scheduler: Scheduler) -> None:
    """Nothing runs and its thread has ended."""
    with scheduler.alone():
        assert not scheduler._running
        assert not scheduler._waiting
        assert scheduler._thread is None


def drawn(dice: random.Random) -> tuple[list[int], Callable[[], Chooser]]:
    """A prompt of any length, any way to choose, any stop."""
    prompt = [dice.randrange(11) for _ in range(dice.randint(1, 40))]
    limit, stops = dice.randint(1, 25), [dice.randrange(11)] if dice.random() < 0.4 else []
    beams = dice.choice([1, 1, 2, 3])
    return prompt, (lambda: Beams(beams, limit, stops)) if beams > 1 else (lambda: Sampler(limit, stops))


def threads_of(run: Callable[[int], None], count: int) -> None:
    threads = [threading.Thread(target=run, args=(i,)) for i in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)


@pytest.mark.parametrize("seed", range(4))
def test_any_arrivals_lengths_stops_and_beams_give_the_ids_of_each_alone(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decoding, "CHUNK", 7)
    dice, toy = random.Random(seed), Toy(seed)
    asked = [drawn(dice) for _ in range(12)]
    delays = [dice.random() * 0.05 for _ in asked]
    alone = [ids_of(toy, toy.text(prompt, make())) for prompt, make in asked]
    scheduler = Scheduler(toy, lambda: None)
    found: dict[int, list[int]] = {}

    def visit(i: int) -> None:
        time.sleep(delays[i])
        prompt, make = asked[i]
        found[i] = all_of(scheduler, Job(lambda: toy.text(prompt, make())))

    toy.passes.clear()
    threads_of(visit, len(asked))
    assert [found[i] for i in range(len(asked))] == alone
    settled(scheduler)


def test_a_real_network_with_pictures_gives_the_ids_of_each_alone() -> None:
    network = random_network(tiny_config())
    generator = torch.Generator().manual_seed(0)
    prompts = [torch.randn(1, length, 128, generator=generator) for length in (700, 90, 1200, 30)]

    def text(i: int) -> Text:
        chooser = Beams(3, 8, ()) if i % 2 else Sampler(12, ())
        return Text(prompts[i], network.new_cache(), chooser, slice(1, 20 + 10 * i))

    with torch.inference_mode():
        alone = [[i for piece in decoding.generate(network, text(n)) for i in piece] for n in range(4)]
    scheduler = Scheduler(network, lambda: None)
    found: dict[int, Any] = {}

    def visit(n: int) -> None:
        found[n] = all_of(scheduler, Job(lambda: text(n)))

    threads_of(visit, 4)
    assert [found[n] for n in range(4)] == alone


def test_a_newcomer_gets_its_first_token_while_others_write() -> None:
    toy = Toy()
    scheduler = Scheduler(toy, lambda: None)
    long = scheduler.run(Job(lambda: toy.text([1, 2], Sampler(100_000, ()))))
    next(long)
    assert len(all_of(scheduler, Job(lambda: toy.text([3], Sampler(5, ()))))) == 5
    long.close()


def test_closing_frees_the_place_within_a_token_and_the_thread_ends() -> None:
    toy = Toy()
    scheduler = Scheduler(toy, lambda: None)
    one = scheduler.run(Job(lambda: toy.text([1, 2], Sampler(100_000, ()))))
    while not next(one):
        pass
    one.close()
    passes = len(toy.passes)
    time.sleep(0.05)
    assert len(toy.passes) <= passes + 1
    settled(scheduler)


def test_what_does_not_fit_waits_until_there_is_room() -> None:
    toy = Toy()
    scheduler = Scheduler(toy, lambda: 1000)
    first = scheduler.run(Job(lambda: toy.text([1], Sampler(100_000, ())), nbytes=1 << 40))
    while not next(first):
        pass
    second = Job(lambda: toy.text([2], Sampler(3, ())), nbytes=2000)
    stream = scheduler.run(second)
    assert next(stream) == []
    assert second.text is None
    first.close()
    assert len([i for piece in stream for i in piece]) == 3


def test_one_that_fails_takes_no_neighbour_along() -> None:
    toy = Toy()
    expected = ids_of(toy, toy.text([1, 2, 3], Sampler(30, ())))

    scheduler = Scheduler(toy, lambda: None)
    found: dict[int, Any] = {}
    started = threading.Barrier(2)

    def visit(i: int) -> None:
        started.wait()
        prompt = [[1, 2, 3], [5] * 9][i]
        try:
            found[i] = all_of(scheduler, Job(lambda: toy.text(prompt, Sampler(30, ()))))
        except torch.OutOfMemoryError as error:
            found[i] = error

    short = toy.hidden

    def only_the_long_one(x: Any, batch: Any) -> Any:
        made = short(x, batch)
        if any(span.length == 9 for span in batch.spans):
            raise torch.OutOfMemoryError("CUDA out of memory")
        return made

    toy.hidden = only_the_long_one
    threads_of(visit, 2)
    assert found[0] == expected
    assert isinstance(found[1], torch.OutOfMemoryError)


def test_an_error_before_the_first_pass_reaches_its_own_consumer() -> None:
    scheduler = Scheduler(Toy(), lambda: None)

    def broken() -> Text:
        raise ZeroDivisionError("inside")

    with pytest.raises(ZeroDivisionError, match="inside"):
        all_of(scheduler, Job(broken))
    settled(scheduler)


def test_alone_waits_for_the_end_and_lets_nobody_in() -> None:
    toy = Toy()
    scheduler = Scheduler(toy, lambda: None)
    found: list[list[int]] = []
    job = Job(lambda: toy.text([1], Sampler(200, ())))
    thread = threading.Thread(target=lambda: found.append(all_of(scheduler, job)))
    with scheduler.alone():
        thread.start()
        time.sleep(0.05)
        assert not found
        assert not toy.passes
    thread.join(20)
    assert len(found[0]) == 200
    settled(scheduler)
