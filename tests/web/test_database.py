from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from pinguin.broker import Broker
from pinguin.db import Pool, make_pool
from pinguin.errors import Unavailable
from pinguin.settings import Settings
from pinguin.web.app import create_app
from pinguin.web.database import PATIENCE_S, connection
from tests import listening
from tests.conftest import Services
from tests.web.conftest import Client, account, browser, signed_in

LONG_S = 0.7


class Line:
    """The way to the database. While it hangs, connections stay open and nothing passes."""

    def __init__(self, url: str) -> None:
        self._given = conninfo_to_dict(url)
        self._passes = asyncio.Event()
        self._passes.set()
        self._writers: list[asyncio.StreamWriter] = []

    def hang(self) -> None:
        self._passes.clear()

    def go_on(self) -> None:
        self._passes.set()

    @asynccontextmanager
    async def served(self) -> AsyncIterator[str]:
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        try:
            yield make_conninfo("", **{**self._given, "host": "127.0.0.1", "port": port, "sslmode": "disable"})
        finally:
            await listening.close(server)
            for writer in self._writers:
                writer.transport.abort()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        host, port = str(self._given["host"]), self._given.get("port", 5432)
        if host.startswith("/"):
            there = await asyncio.open_unix_connection(f"{host}/.s.PGSQL.{port}")
        else:
            there = await asyncio.open_connection(host, int(str(port)))
        self._writers += [writer, there[1]]
        await asyncio.gather(self._pump(reader, there[1]), self._pump(there[0], writer))

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        try:
            while data := await source.read(65536):
                await self._passes.wait()
                sink.write(data)
        except ConnectionError:
            pass
        sink.close()


@pytest.fixture
async def line(stack: Services, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[Line, Pool]]:
    monkeypatch.setattr("pinguin.web.database.PATIENCE_S", LONG_S)
    way = Line(stack.database_url)
    async with way.served() as url, make_pool(url, 2) as through:
        yield way, through
        way.go_on()


async def until_it_answers(client: Client) -> None:
    async with asyncio.timeout(60):
        while (await client.get("/")).status_code != 200:
            await asyncio.sleep(0.1)


async def test_pages_answer_while_the_database_hangs_and_come_back(
    stack: Services, broker: Broker, pool: Pool, line: tuple[Line, Pool]
) -> None:
    way, through = line
    app = create_app(Settings(redis_url=stack.redis_url), through, broker)
    async with browser(app) as client:
        await signed_in(client, pool, await account(pool))
        waits: list[float] = []
        while len(waits) < 5 and min(waits, default=math.inf) >= LONG_S + 1:  # the machine may be busy in one or two
            await until_it_answers(client)
            way.hang()
            began = time.monotonic()
            paths = ("/", "/incidents", "/sign-in", "/", "/setup")
            answers = await asyncio.gather(*(client.get(path) for path in paths))
            waits.append(time.monotonic() - began)
            assert [answer.status_code for answer in answers] == [503] * 5
            assert "The database does not answer" in answers[0].text
            way.go_on()
        assert min(waits) < LONG_S + 1
        await until_it_answers(client)


async def test_a_query_without_an_answer_is_cut_and_its_connection_replaced(line: tuple[Line, Pool]) -> None:
    way, through = line

    async def hang() -> None:
        async with connection(through) as conn:
            way.hang()
            await conn.execute("select 1")

    began = time.monotonic()
    with pytest.raises(Unavailable, match="does not answer"):
        await hang()
    assert time.monotonic() - began < PATIENCE_S
    way.go_on()
    async with asyncio.timeout(60):
        while True:
            try:
                async with connection(through) as again:
                    await again.execute("select 1")
                break
            except Unavailable:
                await asyncio.sleep(0.1)


async def test_who_gives_up_waiting_takes_no_connection_along(open_pool: Pool) -> None:
    async def ask() -> None:
        async with connection(open_pool) as conn:
            await conn.execute("select 1")

    for turn in range(60):
        asking = asyncio.create_task(ask())
        for _ in range(turn % 12):
            await asyncio.sleep(0)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
    await asyncio.gather(*(ask() for _ in range(20)))
