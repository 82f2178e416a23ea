"""Pages and database go away under jobs that ping: no ping is lost, nobody is alarmed, who stops is missed."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import httpx
import pytest

from tests.chaos.faults import _away
from tests.chaos.system import System, running
from tests.data_folder import data_folder

ADD = """
insert into monitors (name, type, target, options, failure_threshold, passive)
select 'job' || n, 'push', 'often', '{"period_s": 3, "grace_s": 6}', 1, true from generate_series(1, %s) n returning id
"""
STATUSES = """
select array_agg(distinct status::text) from monitor_states s join monitors m on m.id = s.monitor_id where m.passive
"""
WATCHED = """
select since > to_timestamp(%s) and seen_at > since + interval '8 s' from push_watch
"""
"""Somebody has taken pings again since then, without a break, for longer than a grace."""
JOBS = 5


@dataclass
class Jobs:
    """Jobs that ping every second, and try again as `curl --retry` does. answered: what each was told was taken."""

    base: str
    tokens: list[str]
    answered: int = 0
    refused: int = 0
    _stop: asyncio.Event = field(default_factory=asyncio.Event)
    _running: list[asyncio.Task[None]] = field(default_factory=list)

    @asynccontextmanager
    async def pinging(self) -> AsyncIterator[None]:
        """While the block lasts, or until `end`."""
        async with httpx.AsyncClient(timeout=10) as client:
            self._running = [asyncio.create_task(self._job(client, each)) for each in self.tokens]
            try:
                yield
            finally:
                await self.end()

    async def end(self) -> None:
        """Ping no more, and hear the last answers."""
        self._stop.set()
        await asyncio.gather(*self._running)

    async def _job(self, client: httpx.AsyncClient, token: str) -> None:
        while not self._stop.is_set():
            try:
                answer = await client.post(f"{self.base}/{token}", content=b"well")
                self.answered += answer.status_code == 200
                self.refused += answer.status_code != 200
            except httpx.HTTPError:
                self.refused += 1
            with suppress(TimeoutError):
                async with asyncio.timeout(1):
                    await self._stop.wait()


@pytest.fixture(scope="module")
async def system(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[System]:
    async with running(await data_folder(tmp_path_factory, "push", migrated=True), load=()) as started:
        yield started


@pytest.fixture(scope="module")
async def jobs(system: System) -> AsyncIterator[Jobs]:
    """Jobs that ping `web-1`; all of them are up."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    await system.start("web-1", PINGUIN_WEB_PORT=str(port), PINGUIN_WEB_HOST="127.0.0.1")
    await system.ask(ADD, (JOBS,))
    tokens = [str(row[0]) for row in await system.ask("select token from push_tokens")]
    await system.until("select count(*) = 1 from push_watch")
    made = Jobs(f"http://127.0.0.1:{port}", tokens)
    async with made.pinging():
        await system.until(f"select ({STATUSES}) = '{{up}}'")
        yield made


async def test_nobody_is_alarmed_by_pages_that_were_away(system: System, jobs: Jobs) -> None:
    """Nobody could ping meanwhile: what was due then is judged a grace after the return, when the jobs are back."""
    await system.stop("web-1")
    await asyncio.sleep(16)  # a break, and several deadlines
    began = time.time()
    await system.start("web-2", PINGUIN_WEB_PORT=jobs.base.rpartition(":")[2], PINGUIN_WEB_HOST="127.0.0.1")
    await system.until("select count(*) > 5 from pings where at > to_timestamp(%s)", (began,))
    await system.until(WATCHED, (began,))
    assert jobs.refused > 0
    assert await system.ask("select reason, message from incidents") == []
    assert (await system.ask(STATUSES))[0][0] == ["up"]


async def test_no_ping_is_lost_and_nobody_is_alarmed_while_the_database_is_away(system: System, jobs: Jobs) -> None:
    """And Valkey forgets meanwhile what waits in it."""
    began, before, refused = time.time(), jobs.answered, jobs.refused
    away = asyncio.create_task(_away(system.stack.database_child, 12))  # killed, and back only after several deadlines
    async with asyncio.timeout(60):
        while await system.broker.backlog.pings.count() < 3 * JOBS:
            await asyncio.sleep(0.05)
    await system.redis.flushall()
    await away
    assert jobs.answered > before + 2 * JOBS, "pings were not taken while the database was away"

    await system.until("select count(*) > 0 from pings where at > now() - interval '1 s'")
    await jobs.end()
    async with asyncio.timeout(60):
        while await system.broker.backlog.pings.count():
            await asyncio.sleep(0.2)
    [(written, monitors)] = await system.ask("select count(*), count(distinct monitor_id) from pings")
    assert written >= jobs.answered
    assert monitors == JOBS
    assert jobs.refused == refused
    apart = "select at, at - lag(at) over (partition by monitor_id order by at) as gap from pings"
    gap = f"select max(gap) from ({apart}) g where at > to_timestamp(%s)"
    assert (await system.ask(f"select ({gap}) < interval '8.5 s'", (began,)))[0][0], await system.ask(gap, (began,))
    assert await system.ask("select reason, message from incidents") == []

    # And now that they have stopped, they are missed: within their grace and a moment.
    await system.until(f"select ({STATUSES}) = '{{down}}'", within_s=40)
    assert await system.ask("select count(*), count(distinct monitor_id) from incidents") == [(JOBS, JOBS)]
    assert await system.ask("select distinct reason from incidents") == [("missed",)]
