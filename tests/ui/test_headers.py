"""Headers of the running page, the hosts that it answers, and what many visitors cost."""

from __future__ import annotations

import re
import tracemalloc
from collections.abc import Iterator
from typing import Any

import gradio as gr
import httpx
import pytest

from sgv_demo.results.store import Store
from sgv_demo.settings import Settings
from sgv_demo.ui import headers, theme
from sgv_demo.ui.desk import Choice, Desk
from sgv_demo.ui.layout import build_app, launch_options
from sgv_demo.ui.uploads import Uploads
from tests.support.scripted import Script, ScriptedAnswerer, ScriptedCaptioner


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[gr.Blocks]:
    folder = tmp_path_factory.mktemp("headers")
    choice = Choice(
        "scripted",
        "Scripted",
        "",
        lambda report: ScriptedCaptioner(Script()),
        lambda report: ScriptedAnswerer(Script()),
    )
    desk = Desk(Settings(store_dir=folder), [choice], Store(folder, 10))
    made = build_app(desk)
    made.launch(quiet=True, prevent_thread_lock=True, server_name="127.0.0.1", **launch_options(desk))
    yield made
    made.close()


@pytest.fixture(scope="module")
def page(app: gr.Blocks) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=str(app.local_url)) as client:
        yield client


@pytest.mark.parametrize("address", ["/", "/config", "/results/x/keyframes/y.jpg", "/theme.css", "/gradio_api/info"])
def test_every_answer_is_what_it_says_and_runs_nothing_but_the_pages_own(page: httpx.Client, address: str) -> None:
    got = page.get(address).headers
    assert got["x-content-type-options"] == "nosniff"
    policy = dict(part.split(" ", 1) for part in got["content-security-policy"].split("; "))
    assert "'unsafe-inline'" not in policy["script-src"]
    assert "{nonce}" not in policy["script-src"]
    assert policy["default-src"] == policy["base-uri"] == policy["frame-ancestors"] == "'self'"
    assert policy["object-src"] == "'none'"


def test_each_answer_has_a_word_of_its_own_that_its_scripts_carry(page: httpx.Client) -> None:
    words = set()
    for _ in range(2):
        answer = page.get("/")
        found = re.search(r"'nonce-([\w-]+)'", answer.headers["content-security-policy"])
        assert found
        assert answer.text.count("<script") == answer.text.count(f'<script nonce="{found[1]}"') > 2
        words.add(found[1])
    assert len(words) == 2


@pytest.mark.parametrize(
    ("host", "answered"),
    [
        ("127.0.0.1", True),
        ("127.0.0.1:7860", True),
        ("localhost:1", True),
        ("LOCALHOST", True),
        ("[::1]:7860", True),
        ("evil.example", False),
        ("localhost.evil.example", False),
        ("127.0.0.1.evil.example:7860", False),
        ("", False),
    ],
)
def test_a_page_of_this_machine_answers_to_this_machines_names(page: httpx.Client, host: str, answered: bool) -> None:
    for address in ("/", "/config", "/gradio_api/info"):
        answer = page.get(address, headers={"host": host})
        assert (answer.status_code == 200) is answered
        assert answered or "SGV_ALLOWED_HOSTS" in answer.text


@pytest.mark.parametrize(
    ("setting", "listens", "names"),
    [
        ("", "127.0.0.1", ("localhost", "127.0.0.1", "[::1]")),
        ("", "0.0.0.0", ()),
        ("Captions.example, other.example", "0.0.0.0", ("captions.example", "other.example")),
        ("captions.example", "127.0.0.1", ("captions.example",)),
        ("*", "127.0.0.1", ()),
    ],
)
def test_the_names_are_a_setting(setting: str, listens: str, names: tuple[str, ...]) -> None:
    assert headers.allowed_hosts(setting, listens) == names


def test_a_space_may_be_framed_by_hugging_face_and_others_by_nobody_unless_it_is_set() -> None:
    def frames(**how: Any) -> str:
        return headers.policy(theme.head(), **({"framing": "", "space": False} | how)).rpartition("frame-ancestors ")[2]

    assert frames() == "'self'"
    assert frames(space=True) == "'self' https://huggingface.co https://*.hf.space"
    assert frames(framing="https://example.org") == frames(framing="https://example.org", space=True)
    assert frames(framing="https://example.org") == "'self' https://example.org"


def test_a_thousand_visitors_cost_fifty_megabytes_at_most(app: gr.Blocks, monkeypatch: pytest.MonkeyPatch) -> None:
    holder = app.app.state_holder
    assert holder.capacity == Settings().max_sessions
    tracemalloc.start()
    try:
        for number in range(6):
            assert holder[f"visitor {number}"] is not None
        each = tracemalloc.get_traced_memory()[0] / 6
    finally:
        tracemalloc.stop()
    assert 10_000 < each < 50_000_000 / holder.capacity
    monkeypatch.setattr(holder, "capacity", 4)
    for number in range(10):
        assert holder[f"later visitor {number}"] is not None
    assert len(holder.session_data) <= 6  # one goes for each that comes
    assert "later visitor 9" in holder


def test_the_running_page_counts_what_an_address_sends(page: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Uploads, "_fault", lambda self, address: "Too much.")
    refused = page.post("/gradio_api/upload", files={"files": ("a.mp4", b"x")})
    assert (refused.status_code, refused.text) == (429, "Too much.")
    monkeypatch.undo()
    assert page.post("/gradio_api/upload", files={"files": ("a.mp4", b"x")}).status_code == 200
