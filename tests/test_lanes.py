"""Turns: so many at once, in order, and nobody loses one."""

from __future__ import annotations

import threading

import pytest

from sgv_demo import lanes
from sgv_demo.lanes import Lane, in_line


def test_so_many_at_once_first_come_first_served() -> None:
    lane = Lane(2)
    places = [lane.join() for _ in range(4)]
    assert [place.since is not None for place in places] == [True, True, False, False]
    assert [place.before for place in places[2:]] == [0, 1]
    places[1].leave()
    assert places[2].wait(0)
    assert not places[3].wait(0)
    places[3].leave()
    places[0].leave()
    places[2].leave()
    places[2].leave()
    assert not lane.inside
    assert not lane.line


def test_who_wants_it_alone_waits_for_all_and_keeps_later_ones_waiting() -> None:
    lane = Lane(3)
    early, whole, late = lane.join(), lane.join(whole=True), lane.join()
    assert not whole.wait(0)
    assert not late.wait(0), "or it would never be alone"
    early.leave()
    assert whole.wait(0)
    assert not late.wait(0)
    whole.leave()
    assert late.wait(0)


def test_a_place_that_is_left_wakes_who_waits_for_it() -> None:
    lane = Lane(1)
    lane.join()
    waiting = lane.join()
    found: list[bool] = []
    thread = threading.Thread(target=lambda: found.append(waiting.wait()))
    thread.start()
    waiting.leave()
    thread.join(20)
    assert found == [False]


def test_the_wait_is_told_from_how_long_turns_took_and_counts_down(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(lanes.time, "monotonic", lambda: now[0])
    lane = Lane(1)
    first, second, third = lane.join(), lane.join(), lane.join()
    assert third.seconds is None
    assert in_line("the engine", third) == "Waiting for the engine: 1 in line before you"
    now[0] = 10.0
    first.leave()
    assert third.seconds == pytest.approx(10)
    now[0] = 14.0
    assert third.seconds == pytest.approx(6)
    assert in_line("the engine", third) == "Waiting for the engine: next in line, about 6 s"
    now[0] = 60.0
    assert third.seconds == 0, "a turn that takes longer than usual"
    second.leave()
    assert third.since == 60.0


def test_a_block_holds_its_turn_whatever_happens() -> None:
    lane, held = Lane(1), []

    def fail() -> None:
        with lane.turn():
            held.append(len(lane.inside))
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert held == [1]
    assert not lane.inside
