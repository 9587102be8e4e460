"""The API through a real `gradio_client`, on scripted engines."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from gradio_client import Client, handle_file

from tests.browser.conftest import Server
from tests.browser.running import ROOT


@pytest.fixture
def client(server: Server) -> Iterator[Client]:
    made = Client(server.url, verbose=False)
    yield made
    made.close()


def test_only_the_documented_endpoints(client: Client) -> None:
    found = client.view_api(return_format="dict", print_info=False)
    assert isinstance(found, dict)
    assert set(found["named_endpoints"]) == {"/keyframes", "/caption", "/summarize", "/recaption", "/ask"}
    assert found["unnamed_endpoints"] == {}
    names = {
        name: [p["parameter_name"] for p in endpoint["parameters"]]
        for name, endpoint in found["named_endpoints"].items()
    }
    sampling = ["video", "every", "threshold", "start", "end", "maximum", "keep_all"]
    decoding = ["max_new_tokens", "beams", "temperature", "top_p"]
    new = ["published", "measure"]
    assert names == {  # clients pass them by place: what is new comes last
        "/keyframes": [*sampling, "similarity", "read_text", *new],
        "/caption": [
            *sampling, "mode", "engine", "max_new_tokens", "similarity", "read_text", *decoding[1:], *new, "summarize",
            "language",
        ],
        "/summarize": ["captions", "engine", *decoding, "language"],
        "/recaption": ["prompt", "engine", *decoding, "language"],
        "/ask": [
            "video", "question", "history", "start", "end", "frames", "temperature", "engine", "top_p",
            "max_new_tokens", "published",
        ],
    }  # fmt: skip
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    section = readme.partition("### API")[2].partition("## ")[0]
    assert all(f"| `{name}` |" in section for name in names)
    late = {*new, "summarize"}
    told = [p for parameters in names.values() for p in parameters if p not in late]
    assert [p for p in told if not re.search(rf"`{p}\b", section)] == []


def test_every_parameter_says_what_it_is_and_what_it_is_without_one(client: Client) -> None:
    found = client.view_api(return_format="dict", print_info=False)
    assert isinstance(found, dict)
    parameters = [p for endpoint in found["named_endpoints"].values() for p in endpoint["parameters"]]
    assert [p["parameter_name"] for p in parameters if not p["python_type"]["description"]] == []
    needed = {p["parameter_name"] for p in parameters if not p["parameter_has_default"]}
    assert needed == {"video", "captions", "prompt", "question"}
    printed = client.view_api(return_format="str", print_info=False)
    assert isinstance(printed, str)
    assert "0 is the similarity's own, 0.87 (histogram) or 0.93 (clip)" in printed
    assert "0 is the end of the video" in printed


def test_choices_reach_the_run(client: Client, clip: Path) -> None:
    found = client.predict(
        handle_file(str(clip)), read_text=False, beams=3, temperature=0.5, top_p=0.9, api_name="/caption"
    )
    assert found["settings"]["sampling"]["read_text"] is False
    expected = {"beams": 3, "max_new_tokens": 1024, "temperature": 0.5, "top_p": 0.9, "language": "en"}
    assert found["settings"]["generation"] == expected


@pytest.mark.parametrize(
    ("endpoint", "wrong"),
    [
        ("/ask", {"frames": 65}),
        ("/ask", {"top_p": 0}),
        ("/ask", {"history": "x"}),
        ("/ask", {"history": [["one"]]}),
        ("/caption", {"beams": 0}),
        ("/caption", {"similarity": "x"}),
        ("/caption", {"every": 1e-9}),
        ("/keyframes", {"start": -1e308}),
        ("/keyframes", {"end": 1e308}),
    ],
)
def test_what_is_out_of_range_is_refused(client: Client, clip: Path, endpoint: str, wrong: dict[str, Any]) -> None:
    question: dict[str, Any] = {"question": "What moves?"} if endpoint == "/ask" else {}
    with pytest.raises(Exception, match=r"can't be .*; choose|choices|pairs of texts"):
        client.predict(handle_file(str(clip)), **question, **wrong, api_name=endpoint)


def test_keyframes(client: Client, clip: Path) -> None:
    found = client.predict(handle_file(str(clip)), api_name="/keyframes")
    assert [round(k["time"]) for k in found["keyframes"]] == [0, 2, 4, 6]
    assert found["video"]["duration"] == 6.0


def test_caption_streams(client: Client, clip: Path) -> None:
    job = client.submit(handle_file(str(clip)), api_name="/caption")
    last = job.result(timeout=90)
    assert [c["text"].split()[0] for c in last["captions"]] == ["First", "Pair", "Pair", "Pair"]
    assert last["summary"].startswith("A summary of 4 captions")
    assert len(job.outputs()) > 1


def test_texts(client: Client) -> None:
    assert client.predict("0:00 a\n0:02 b", api_name="/summarize")["summary"].startswith("A summary of 2 captions")
    assert "a lighthouse" in client.predict("a lighthouse", api_name="/recaption")["text"]


def test_ask_remembers_what_it_is_given(client: Client, server: Server, clip: Path) -> None:
    video = handle_file(str(clip))
    first = client.predict(video, "What moves?", api_name="/ask")
    assert first["answer"].startswith("Answer 1")
    assert len(first["frames"]) == 16
    second = client.predict(video, "And then?", first["history"], api_name="/ask")
    assert second["answer"].startswith("Answer 2")


def test_errors_are_one_sentence(client: Client, tmp_path: Path) -> None:
    broken = tmp_path / "broken.mp4"
    broken.write_text("no video")
    with pytest.raises(Exception) as caught:
        client.predict(handle_file(str(broken)), api_name="/keyframes")
    assert ("Traceback" not in str(caught.value) and ";" in str(caught.value)) or "." in str(caught.value)


def test_no_file_of_the_server_can_be_named(client: Client, server: Server) -> None:
    secret = Path(__file__)
    with pytest.raises(Exception, match=r"(?i)not|invalid|allowed|upload"):
        client.predict({"path": str(secret), "meta": {"_type": "gradio.FileData"}}, api_name="/keyframes")
