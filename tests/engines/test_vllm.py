"""The exported answerer on a real vLLM, its build for CPUs: the published ids, and our engine's answers over it.

Part of `make fleet`, which sets vLLM up in an environment of its own (`.venv-vllm`).
"""

from __future__ import annotations

import base64
import io
import json
import re
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from sgv_demo.engines.remote.answerer import OFFICIAL_NAME
from sgv_demo.engines.sharegpt4video.config import read_setup
from sgv_demo.engines.sharegpt4video.export import export
from tests.engines.test_export import CASES, CHECKPOINT, ROUNDED, picture
from tests.support.served import VLLM, vllm
from tests.support.spread import spread

pytestmark = [
    pytest.mark.vllm,
    pytest.mark.skipif(not VLLM.exists(), reason="needs .venv-vllm, which `make fleet` sets up"),
]


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    root = tmp_path_factory.mktemp("vllm")
    export(read_setup(CHECKPOINT), root / "out", dtype="float32", view="anyres")
    spread(root / "out")
    server = vllm(root / "out", root, OFFICIAL_NAME)
    server.start(600)
    yield server.url.removesuffix("/models")
    server.kill()


@pytest.mark.parametrize("name", CASES)
def test_it_gives_the_published_ids(url: str, name: str) -> None:
    case = CASES[name]
    question = re.findall(r"<\|end_header_id\|>\n\n(.*?)<\|eot_id\|>", case["prompt"], re.DOTALL)[1]
    parts: list[dict[str, Any]] = [{"type": "text", "text": question.removeprefix("<image>\n")}]
    if image := picture(case):
        held = io.BytesIO()
        image.save(held, "PNG")
        data = f"data:image/png;base64,{base64.b64encode(held.getvalue()).decode()}"
        parts.insert(0, {"type": "image_url", "image_url": {"url": data}})
    body = {"model": OFFICIAL_NAME, "messages": [{"role": "user", "content": parts}], "max_tokens": 24}
    body |= {"temperature": 0, "return_token_ids": True}
    request = urllib.request.Request(f"{url}/chat/completions", json.dumps(body).encode())
    request.add_header("Content-Type", "application/json")
    with urllib.request.urlopen(request, timeout=300) as answer:
        found = json.load(answer)["choices"][0]["token_ids"]
    expected = (case if case["kind"] == "text_only" else case["spatial_unpad"])["generated_ids"]
    assert (found == expected) != (name == ROUNDED), found
