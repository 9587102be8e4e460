"""A visitor's own server: refused where it may not be, offered to that visitor alone, never mixed up in the store."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from sgv_demo.engines.remote import addresses
from sgv_demo.engines.remote.engine import load
from sgv_demo.errors import EngineError, SettingsError
from sgv_demo.results.store import Store
from sgv_demo.settings import Settings
from sgv_demo.ui.desk import Desk, VisitorsServer
from sgv_demo.ui.engines.ownserver import OwnServer
from sgv_demo.ui.serve import choices
from tests.support.fault_server import serving


def _desk(folder: Path, *, allowed: bool) -> Desk:
    settings = Settings(store_dir=folder, engine="measured", visitor_urls=allowed, remote_timeout=5.0)
    return Desk(settings, choices(settings)[:1], Store(folder, 10))


def test_a_name_holds_what_was_given() -> None:
    server = VisitorsServer("https://example.org/v1", "owner/name with spaces")
    assert VisitorsServer.of(server.name()) == server
    assert VisitorsServer.of("measured") is None
    assert VisitorsServer.of("server\nonly one") is None


def test_without_the_operators_leave_nothing_is_asked(tmp_path: Path) -> None:
    with serving() as faults:
        desk = _desk(tmp_path, allowed=False)
        with pytest.raises(SettingsError, match="SGV_VISITOR_URLS"):
            desk.captioner(VisitorsServer(faults.url, "tiny").name())
        assert not faults.keys


@pytest.mark.parametrize(
    ("url", "words"), [("", "Give the server"), ("ftp://a", "no server"), ("http://127.0.0.1:9/v1", "lies inside")]
)
def test_a_useless_address_is_explained(tmp_path: Path, url: str, words: str) -> None:
    updates = OwnServer(_desk(tmp_path, allowed=True)).use(url, "tiny")
    assert updates.keys() == {"own_note"}
    assert words in updates["own_note"]


def test_a_server_that_answers_is_chosen_for_both_roles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(addresses, "public_address", lambda host, port: host)
    with serving() as faults:
        desk = _desk(tmp_path, allowed=True)
        updates = OwnServer(desk).use(f" {faults.url} ", "")
        name = updates["engine"]["value"]
        assert updates["answerer"]["value"] == name
        assert [value for _, value in updates["engine"]["choices"]] == ["measured", name]
        assert desk.info(name).label == "A server of your own"
        theirs = desk.answerer(name)
        operators = load(replace(desk.settings, base_url=faults.url, remote_model=theirs.info.model))
        assert theirs.info.model == operators.info.model
        assert theirs.info.fingerprint != operators.info.fingerprint
    with pytest.raises(EngineError):
        desk.captioner("no such engine")
