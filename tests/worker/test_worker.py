"""The worker: from a job in Redis to a row in the database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
import redis.asyncio as aioredis

from pinguin.broker import Broker
from pinguin.db import Pool
from pinguin.lifecycle import cancel
from pinguin.model import Definition
from pinguin.worker.canaries import Canaries
from pinguin.worker.definitions import Definitions
from pinguin.worker.recorder import Recorder
from pinguin.worker.spill import Spill
from pinguin.worker.worker import Worker
from tests.factory import add_monitor, fetch

BOUNDS = (
    "canaries.CONNECT_S",
    "definitions.CONNECT_S",
    "definitions.FETCH_S",
    "worker.LEARN_S",
    "recorder.PATIENCE_S",
    "recorder.COMMIT_S",
)
"""After which a worker goes on without the network or the database."""
LONG_S = 60.0
"""More than a machine that is merely slow takes for anything here."""


@asynccontextmanager
async def working(
    pool: Pool, broker: Broker, concurrency: int = 10, canaries: str = "", grace_s: float = LONG_S
) -> AsyncIterator[None]:
    """A worker that runs. It takes no slow moment of this machine for the loss of a service."""
    with pytest.MonkeyPatch.context() as patch:
        for name in BOUNDS:
            patch.setattr(f"pinguin.worker.{name}", LONG_S)
        async with _working(pool, broker, concurrency, canaries, grace_s):
            yield


@asynccontextmanager
async def _working(pool: Pool, broker: Broker, concurrency: int, canaries: str, grace_s: float) -> AsyncIterator[None]:
    recorder = Recorder(pool, broker, Spill(broker, "test", 1000))
    recording = asyncio.create_task(recorder.run())
    stop = asyncio.Event()
    worker = Worker(broker, Definitions(pool), recorder, Canaries.parse(canaries), "local", concurrency, grace_s)
    task = asyncio.create_task(worker.run(stop))
    try:
        yield
    finally:
        stop.set()
        await asyncio.wait_for(task, 2 * LONG_S)
        await cancel(recording)


@asynccontextmanager
async def target(answer: Callable[[asyncio.StreamWriter], None] | None = None) -> AsyncIterator[int]:
    """A TCP server of our own; its port. `answer` may close the connection, or leave it hanging."""

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if answer:
            answer(writer)
        await reader.read()
        writer.close()

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def ask(broker: Broker, pool: Pool, *monitor_ids: int) -> None:
    """Have these monitors checked now."""
    token = await broker.lead("test", 60) or await broker.leader()
    assert token
    rows = await fetch(
        pool, "select id, version, interval_s, timeout_s from monitors where id = any(%s)", list(monitor_ids)
    )
    definitions = [Definition(i, version, interval, 0, timeout, ["local"]) for i, version, interval, timeout in rows]
    assert await broker.define(token, definitions, [], soon=True)


async def results(pool: Pool, count: int) -> list[tuple[object, ...]]:
    """All that are written, once they are at least so many."""
    async with asyncio.timeout(LONG_S):
        while True:
            rows = await fetch(pool, "select monitor_id, status, reason from results order by monitor_id, scheduled_at")
            if len(rows) >= count:
                return rows
            await asyncio.sleep(0.05)


async def unleased(redis: aioredis.Redis) -> None:
    """Wait until no job is in flight."""
    async with asyncio.timeout(LONG_S):
        while await redis.zcard("pinguin:leases"):
            await asyncio.sleep(0.02)


async def test_a_job_becomes_a_result_and_its_lease_ends(pool: Pool, broker: Broker, redis: aioredis.Redis) -> None:
    async with target() as port, working(pool, broker):
        up = await add_monitor(pool, options={"host": "127.0.0.1", "port": port})
        down = await add_monitor(pool, options={"host": "127.0.0.1", "port": 1})
        await ask(broker, pool, up, down)
        assert await results(pool, 2) == [(up, "up", None), (down, "down", "refused")]
        await unleased(redis)


async def test_invalid_options_are_our_fault_and_never_downtime(pool: Pool, broker: Broker) -> None:
    async with working(pool, broker):
        broken = await add_monitor(pool, options={"host": "x"})
        alien = await add_monitor(pool, type="telepathy")
        await ask(broker, pool, broken, alien)
        assert await results(pool, 2) == [(broken, "unknown", "options"), (alien, "unknown", "options")]
        ((message,),) = await fetch(pool, "select message from results where monitor_id = %s", broken)
        assert "port" in message


async def test_a_target_that_never_answers_is_down_by_timeout_and_holds_up_nobody(pool: Pool, broker: Broker) -> None:
    """TRAP 1."""
    async with target() as port, working(pool, broker, concurrency=20, grace_s=0.1):
        silent = {"host": "127.0.0.1", "port": port, "expect": "hello"}
        held = [await add_monitor(pool, options=silent, timeout_s=5 * LONG_S) for _ in range(5)]
        stuck = [await add_monitor(pool, options=silent, timeout_s=1.5) for _ in range(5)]
        quick = await add_monitor(pool, options={"host": "127.0.0.1", "port": port}, timeout_s=LONG_S)
        await ask(broker, pool, *held, *stuck, quick)
        assert await results(pool, 6) == [*((monitor, "down", "timeout") for monitor in stuck), (quick, "up", None)]


async def test_no_more_checks_run_at_once_than_the_limit(pool: Pool, broker: Broker) -> None:
    """The target answers them by four, a moment after the fourth came."""
    waiting: list[asyncio.StreamWriter] = []
    most = 0

    def reply() -> None:
        for writer in waiting:
            writer.write(b"hello")
        waiting.clear()

    def answer(writer: asyncio.StreamWriter) -> None:
        nonlocal most
        waiting.append(writer)
        most = max(most, len(waiting))
        if len(waiting) == 4:
            asyncio.get_running_loop().call_later(0.1, reply)

    async with target(answer) as port, working(pool, broker, concurrency=4):
        options = {"host": "127.0.0.1", "port": port, "expect": "hello"}
        monitors = [await add_monitor(pool, options=options, timeout_s=LONG_S) for _ in range(20)]
        await ask(broker, pool, *monitors)
        rows = await results(pool, 20)
    assert {row[1] for row in rows} == {"up"}
    assert most == 4


async def test_stopping_finishes_the_checks_that_run_and_records_them(pool: Pool, broker: Broker) -> None:
    asked = asyncio.Event()
    async with target(lambda writer: asked.set()) as port:
        silent = {"host": "127.0.0.1", "port": port, "expect": "hello"}
        monitor = await add_monitor(pool, options=silent, timeout_s=1)
        async with working(pool, broker):
            await ask(broker, pool, monitor)
            await asyncio.wait_for(asked.wait(), LONG_S)
    assert await fetch(pool, "select monitor_id, status, reason from results") == [(monitor, "down", "timeout")]


async def test_stopping_hands_back_what_does_not_end_in_time(pool: Pool, broker: Broker) -> None:
    asked = asyncio.Event()
    async with target(lambda writer: asked.set()) as port:
        silent = {"host": "127.0.0.1", "port": port, "expect": "hello"}
        monitor = await add_monitor(pool, options=silent, timeout_s=5 * LONG_S)
        async with working(pool, broker, grace_s=0.2):
            await ask(broker, pool, monitor)
            await asyncio.wait_for(asked.wait(), LONG_S)
        (job,) = await broker.take("local", 10, 1)
    assert (job.monitor_id, job.attempt) == (monitor, 2)
    assert await fetch(pool, "select count(*) from results") == [(0,)]


async def test_a_worker_without_a_network_knows_nothing(pool: Pool, broker: Broker) -> None:
    """TRAP 9."""
    async with working(pool, broker, canaries="127.0.0.1:1,127.0.0.1:2"):
        monitor = await add_monitor(pool, options={"host": "127.0.0.1", "port": 3})
        await ask(broker, pool, monitor)
        assert await results(pool, 1) == [(monitor, "unknown", "offline")]
    ((message, evidence),) = await fetch(pool, "select message, evidence from results")
    assert "no canary answers (127.0.0.1:1, 127.0.0.1:2)" in message
    assert "refused" in evidence["seen"]


async def test_one_canary_that_answers_is_a_network(pool: Pool, broker: Broker) -> None:
    async with target() as port, working(pool, broker, canaries=f"127.0.0.1:1,127.0.0.1:{port}"):
        monitor = await add_monitor(pool, options={"host": "127.0.0.1", "port": 3})
        await ask(broker, pool, monitor)
        assert await results(pool, 1) == [(monitor, "down", "refused")]


async def test_an_edit_is_fetched_before_it_is_run(pool: Pool, broker: Broker, redis: aioredis.Redis) -> None:
    async with target() as port, working(pool, broker):
        monitor = await add_monitor(pool, options={"host": "127.0.0.1", "port": 1})
        await ask(broker, pool, monitor)
        await results(pool, 1)
        await unleased(redis)
        await fetch(pool, "update monitors set options = jsonb_set(options, '{port}', to_jsonb(%s)) returning 1", port)
        await asyncio.sleep(1.1)  # another second is another slot
        await ask(broker, pool, monitor)
        assert [row[1] for row in await results(pool, 2)] == ["down", "up"]
        assert await fetch(pool, "select version from results order by scheduled_at") == [(1,), (2,)]
