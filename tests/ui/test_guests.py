"""Nobody takes every place: bounds by visitor and by address."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from sgv_demo.errors import SettingsError
from sgv_demo.settings import Settings
from sgv_demo.ui.guests import Guests
from tests.support.visitors import asking

SETTINGS = Settings(max_own_runs=2, max_address_runs=3)


def test_one_visitor_has_so_many_at_once_and_others_have_theirs() -> None:
    guests = Guests(SETTINGS)
    with ExitStack() as under_way:
        with asking("a", "127.0.0.1"):
            for _ in range(2):
                under_way.enter_context(guests.one_more())
            with pytest.raises(SettingsError, match=r"^You have 2 runs or questions under way.*stop one\.$"):
                under_way.enter_context(guests.one_more())
        with asking("b", "127.0.0.1"), guests.one_more():
            pass
    with asking("a", "127.0.0.1"), guests.one_more():
        assert len(guests._counts) == 1
    assert not guests._counts


def test_one_address_has_so_many_at_once_but_not_this_machine() -> None:
    guests = Guests(SETTINGS)
    with ExitStack() as under_way:
        for session in "abc":
            with asking(session, "203.0.113.9"):
                under_way.enter_context(guests.one_more())
        with asking("d", "203.0.113.9"), pytest.raises(SettingsError, match="From your address 3 runs"):
            under_way.enter_context(guests.one_more())
        for session in "efgh":
            with asking(session, "::1"):
                under_way.enter_context(guests.one_more())
    assert not guests._counts


def test_in_a_space_the_proxy_names_the_address() -> None:
    guests = Guests(Settings(space=True, max_address_runs=1))
    with asking("a", "10.0.0.1", "203.0.113.9, 10.0.0.1"), guests.one_more():
        with asking("b", "10.0.0.1", "203.0.113.9"), pytest.raises(SettingsError), guests.one_more():
            pass
        with asking("c", "10.0.0.1", "203.0.113.10"), guests.one_more():
            pass


def test_the_programs_own_runs_count_against_nobody() -> None:
    guests = Guests(Settings(max_own_runs=0, max_address_runs=0))
    with guests.one_more(), guests.one_more():
        assert not guests._counts
