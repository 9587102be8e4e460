"""No address fills the disk: files at once, megabytes an hour."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from sgv_demo.settings import Settings
from sgv_demo.ui.uploads import Uploads

SETTINGS = Settings(max_uploads=2, max_upload_megabytes=3)
MEGABYTE = b"x" * (1 << 20)


class Door:
    """Gradio's upload address behind the middleware; `held` keeps what comes from ending."""

    def __init__(self, settings: Settings, clock: Callable[[], float] = lambda: 0.0) -> None:
        self.held = asyncio.Event()
        self.held.set()
        app = Starlette(routes=[Route("/gradio_api/{what}", self._take, methods=["POST"])])
        self.app = Uploads(app, settings, clock)

    async def _take(self, request: Request) -> PlainTextResponse:
        size = len(await request.body())
        await self.held.wait()
        return PlainTextResponse(str(size))

    async def send(self, address: str, body: bytes = b"", to: str = "upload", forwarded: str = "") -> httpx.Response:
        transport = httpx.ASGITransport(self.app, client=(address, 1))
        headers = {"x-forwarded-for": forwarded} if forwarded else {}
        async with httpx.AsyncClient(transport=transport, base_url="http://page") as client:
            return await client.post(f"/gradio_api/{to}", content=body, headers=headers)


def test_an_address_has_so_many_files_on_their_way_and_others_have_theirs() -> None:
    async def scene() -> None:
        door = Door(SETTINGS)
        door.held.clear()
        coming = [asyncio.create_task(door.send("203.0.113.9")) for _ in range(2)]
        await asyncio.sleep(0.05)
        refused = await door.send("203.0.113.9")
        assert (refused.status_code, refused.text[:27]) == (429, "2 files from your address a")
        others = [
            asyncio.create_task(door.send(address, to=to))
            for address, to in (("203.0.113.10", "upload"), ("127.0.0.1", "upload"), ("203.0.113.9", "queue"))
        ]
        await asyncio.sleep(0.05)
        door.held.set()
        assert {answer.status_code for answer in await asyncio.gather(*coming, *others)} == {200}
        assert (await door.send("203.0.113.9")).status_code == 200
        assert not door.app._under_way

    asyncio.run(scene())


def test_an_address_may_send_so_much_within_an_hour() -> None:
    async def scene() -> None:
        now = [0.0]
        door = Door(SETTINGS, lambda: now[0])
        for _ in range(3):
            assert (await door.send("203.0.113.9", MEGABYTE)).text == str(1 << 20)
            now[0] += 60
        refused = await door.send("203.0.113.9", MEGABYTE)
        assert (refused.status_code, refused.text) == (
            429,
            "Your address has sent 3 MB within an hour, the most that it may; try again later.",
        )
        assert (await door.send("203.0.113.10", MEGABYTE)).status_code == 200
        now[0] = 3630.0
        assert (await door.send("203.0.113.9")).status_code == 200, "the first is more than an hour ago"
        now[0] = 9999.0
        await door.send("203.0.113.11")
        assert not door.app._sent, "what nobody asks about isn't kept"

    asyncio.run(scene())


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_this_machine_sends_what_it_wants(address: str) -> None:
    async def scene() -> None:
        door = Door(Settings(max_uploads=0, max_upload_megabytes=0))
        assert (await door.send(address, MEGABYTE)).status_code == 200

    asyncio.run(scene())


def test_in_a_space_the_proxy_names_who_sends() -> None:
    async def scene() -> None:
        door = Door(Settings(space=True, max_upload_megabytes=1))
        assert (await door.send("10.0.0.1", MEGABYTE, forwarded="203.0.113.9, 10.0.0.1")).status_code == 200
        assert (await door.send("10.0.0.1", MEGABYTE, forwarded="203.0.113.9")).status_code == 429
        assert (await door.send("10.0.0.1", MEGABYTE, forwarded="203.0.113.10")).status_code == 200

    asyncio.run(scene())
