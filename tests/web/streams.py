"""The pages over real HTTP, and streams of events as an open page has them."""

from __future__ import annotations

import asyncio
import html
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import uvicorn
from litestar import Litestar

from pinguin.db import Pool
from pinguin.web.sessions import new_token, token_hash


@asynccontextmanager
async def served(app: Litestar) -> AsyncIterator[str]:
    """Its address."""
    config = uvicorn.Config(app, port=0, log_config=None, access_log=False, ws="none", timeout_graceful_shutdown=2)
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server._serve())
    async with asyncio.timeout(60):
        while not server.started:
            await asyncio.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        app.state.web.hub.close()
        server.should_exit = True
        await serving


class Stream:
    """An EventSource."""

    def __init__(self, answer: httpx.Response) -> None:
        self._lines = answer.aiter_lines()

    async def next(self, wanted: str, within_s: float = 60) -> str:
        """The data of the next event of that name; others before it are passed over."""
        async with asyncio.timeout(within_s):
            while True:
                name, data = await self.event()
                if name == wanted:
                    return data

    async def event(self) -> tuple[str, str]:
        """Name and data of the next event, whichever comes; comments are none."""
        name, data = "", []
        async for line in self._lines:
            if line.startswith("event: "):
                name = line.removeprefix("event: ")
            elif line.startswith("data: "):
                data.append(line.removeprefix("data: "))
            elif not line:
                if name:
                    return name, "\n".join(data)
                data = []
        raise AssertionError("the stream ended")


async def session(pool: Pool) -> str:
    """The token of a new one."""
    token = new_token()
    async with pool.connection() as conn:
        await conn.execute(
            "insert into sessions values (%s, (select id from users), now(), now() + interval '1 h')",
            (token_hash(token),),
        )
    return token


@asynccontextmanager
async def stream(address: str, path: str, pool: Pool, token: str | None = None) -> AsyncIterator[Stream]:
    """token: of the session that listens; without one, a new one."""
    token = token or await session(pool)
    async with (
        httpx.AsyncClient(base_url=address, cookies={"pinguin": token}, timeout=120) as client,
        client.stream("GET", path, headers={"Accept": "text/event-stream"}) as answer,
    ):
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert "content-encoding" not in answer.headers
        yield Stream(answer)


async def drawn(address: str, path: str, pool: Pool) -> str:
    """The path of the stream of a page that was drawn just now."""
    async with httpx.AsyncClient(base_url=address, cookies={"pinguin": await session(pool)}, timeout=60) as client:
        page = (await client.get(path)).text
    found = re.search(r'sse-connect="([^"]+)"', page)
    assert found is not None
    return html.unescape(found[1])


async def until_open(app: Litestar, pages: int) -> None:
    """Wait until so many pages listen."""
    async with asyncio.timeout(60):
        while app.state.web.hub.open_pages != pages:
            await asyncio.sleep(0.01)
