"""The database goes away under jobs that ping: no ping is lost, nobody is alarmed, and a job that stops is noticed."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.chaos.faults import _away
from tests.chaos.system import System, running

ADD = """
insert into monitors (name, type, target, options, failure_threshold, passive)
select 'job' || n, 'push', 'often', '{"period_s": 3, "grace_s": 6}', 1, true from generate_series(1, %s) n returning id
"""
STATUSES = """
select array_agg(distinct status::text) from monitor_states s join monitors m on m.id = s.monitor_id where m.passive
"""
JOBS = 5


@dataclass
class Jobs:
    """Jobs that ping every second, and try again as `curl --retry` does. answered: what each was told was taken."""

    base: str
    tokens: list[str]
    answered: int = 0
    refused: int = 0

    async def run(self, stop: asyncio.Event) -> None:
        async with httpx.AsyncClient(timeout=10) as client:
            await asyncio.gather(*(self._job(client, each, stop) for each in self.tokens))

    async def _job(self, client: httpx.AsyncClient, token: str, stop: asyncio.Event) -> None:
        while not stop.is_set():
            try:
                answer = await client.post(f"{self.base}/{token}", content=b"well")
                self.answered += answer.status_code == 200
                self.refused += answer.status_code != 200
            except httpx.HTTPError:
                self.refused += 1
            with suppress(TimeoutError):
                async with asyncio.timeout(1):
                    await stop.wait()


@pytest.fixture
async def system(tmp_path: Path) -> AsyncIterator[tuple[System, Jobs]]:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    async with running(tmp_path, load=()) as system:
        await system.start("web-1", PINGUIN_WEB_PORT=str(port), PINGUIN_WEB_HOST="127.0.0.1")
        await system.ask(ADD, (JOBS,))
        tokens = [str(row[0]) for row in await system.ask("select token from push_tokens")]
        await system.until("select count(*) = 1 from push_watch", within_s=30)
        yield system, Jobs(f"http://127.0.0.1:{port}", tokens)


async def test_no_ping_is_lost_and_nobody_is_alarmed_while_the_database_is_away(system: tuple[System, Jobs]) -> None:
    running_system, jobs = system
    stop = asyncio.Event()
    pinging = asyncio.create_task(jobs.run(stop))
    await running_system.until(f"select ({STATUSES}) = '{{up}}'", within_s=60)

    before = jobs.answered
    await _away(running_system.stack.database_child, 14)  # killed, and back only after three deadlines
    assert jobs.answered > before + 2 * JOBS, "pings were not taken while the database was away"

    await running_system.until("select count(*) > 0 from pings where at > now() - interval '1 s'", within_s=60)
    stop.set()
    await pinging
    async with asyncio.timeout(60):
        while await running_system.broker.pings_waiting():
            await asyncio.sleep(0.2)
    [(written, monitors)] = await running_system.ask("select count(*), count(distinct monitor_id) from pings")
    assert written >= jobs.answered
    assert monitors == JOBS
    assert jobs.refused == 0
    gap = "select max(gap) from (select at - lag(at) over (partition by monitor_id order by at) as gap from pings) g"
    assert (await running_system.ask(f"select ({gap}) < interval '8.5 s'"))[0][0], await running_system.ask(gap)
    assert await running_system.ask("select reason, message from incidents") == []

    # And now that they have stopped, they are missed: within their grace and a moment.
    began = time.monotonic()
    await running_system.until(f"select ({STATUSES}) = '{{down}}'", within_s=60)
    assert time.monotonic() - began < 40
    assert await running_system.ask("select count(*), count(distinct monitor_id) from incidents") == [(JOBS, JOBS)]
    assert await running_system.ask("select distinct reason from incidents") == [("missed",)]


async def test_nobody_is_alarmed_by_pages_that_were_away(system: tuple[System, Jobs]) -> None:
    """Nobody could ping meanwhile: what was due then is judged a grace after the return, when the jobs are back."""
    running_system, jobs = system
    stop = asyncio.Event()
    pinging = asyncio.create_task(jobs.run(stop))
    await running_system.until(f"select ({STATUSES}) = '{{up}}'", within_s=60)
    await running_system.stop("web-1")
    await asyncio.sleep(25)  # a break, and several deadlines
    port = jobs.base.rpartition(":")[2]
    await running_system.start("web-2", PINGUIN_WEB_PORT=port, PINGUIN_WEB_HOST="127.0.0.1")
    began = time.time()
    await running_system.until("select count(*) > 5 from pings where at > to_timestamp(%s)", (began,), within_s=60)
    await asyncio.sleep(8)  # past the grace from the return
    stop.set()
    await pinging
    assert jobs.refused > 0
    assert await running_system.ask("select reason, message from incidents") == []
    assert (await running_system.ask(STATUSES))[0][0] == ["up"]
