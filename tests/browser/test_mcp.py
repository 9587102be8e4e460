"""The page's tools through a real MCP client; needs the extra `gradio[mcp]` and is skipped without it."""

from __future__ import annotations

import asyncio
import base64
import json
from ast import literal_eval
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.browser.conftest import Server

pytest.importorskip("mcp", reason="gradio[mcp] is not installed; the MCP test did NOT run.")


def _called(server: Server, tool: str, arguments: dict[str, Any]) -> tuple[dict[str, Any], Any]:
    """Parameters of all tools by name, and one tool's result."""
    from mcp import ClientSession  # pyright: ignore[reportMissingImports]
    from mcp.client.streamable_http import streamablehttp_client  # pyright: ignore[reportMissingImports]

    async def session() -> tuple[dict[str, Any], Any]:
        address = f"{server.url}gradio_api/mcp/"
        async with streamablehttp_client(address) as (read, write, _), ClientSession(read, write) as client:
            await client.initialize()
            tools = {t.name: t.inputSchema["properties"] for t in (await client.list_tools()).tools}
            name = next(t for t in tools if t.endswith(tool))
            answer = await client.call_tool(name, arguments)
            text = "".join(getattr(part, "text", "") for part in answer.content)
            assert not answer.isError, text
            return tools, literal_eval(text)  # Gradio writes Python literals

    # In a thread of its own: Playwright's loop runs in this one while its browser is open.
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, session()).result()


def test_tools_caption_summarize_and_ask(server: Server, clip: Path) -> None:
    tools, summary = _called(server, "summarize", {"captions": "A street.\nA car comes.", "engine": "scripted"})
    assert {"caption", "ask", "summarize"} <= {name.rpartition("_")[2] for name in tools}
    assert all(parameter["description"] for parameters in tools.values() for parameter in parameters.values())
    assert "A summary of 2 captions" in json.dumps(summary)
    video = "data:video/mp4;base64," + base64.b64encode(clip.read_bytes()).decode("ascii")
    _, result = _called(server, "caption", {"video": video, "mode": "sliding", "engine": "scripted"})
    assert [caption["index"] for caption in result["captions"]] == [0, 1, 2, 3]
    assert result["summary"].startswith("A summary of 4 captions")
    _, answer = _called(server, "ask", {"video": video, "question": "What is red?", "engine": "scripted"})
    assert "Answer 1 about What is red?" in json.dumps(answer)
