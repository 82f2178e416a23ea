"""Postgres goes away: nothing is lost, the order is kept, memory is bounded, a loss is counted."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import msgspec
import pytest
import redis.asyncio as aioredis

from pinguin.broker import Broker
from pinguin.db import Pool, make_pool, migrate
from pinguin.embedded.stack import EmbeddedStack
from pinguin.errors import Unavailable
from pinguin.lifecycle import cancel
from pinguin.model import Result, Status
from pinguin.store.expiries import Expiries
from pinguin.worker import recorder as module
from pinguin.worker import spill as spilling
from pinguin.worker.recorder import Recorder, record
from pinguin.worker.spill import Spill
from tests.data_folder import data_folder
from tests.factory import add_monitor, fetch, result
from tests.worker.test_recorder import job

DOWN, UP = Status.DOWN, Status.UP


class Door:
    """Between a recorder and its database: shut it, and the database is away."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.shut = False
        real = module.record

        async def guarded(pool: Pool, results: Sequence[Result], expiries: Expiries | None = None) -> bool:
            if self.shut:
                raise Unavailable("shut")
            return await real(pool, results, expiries)

        monkeypatch.setattr(module, "record", guarded)


@pytest.fixture
def door(monkeypatch: pytest.MonkeyPatch) -> Door:
    return Door(monkeypatch)


@asynccontextmanager
async def recording(pool: Pool, broker: Broker, name: str = "a", limit: int = 1000) -> AsyncIterator[Recorder]:
    recorder = Recorder(pool, broker, Spill(broker, name, limit))
    task = asyncio.create_task(recorder.run())
    try:
        yield recorder
    finally:
        ended = task.done()
        await cancel(task)
        if ended:
            task.result()  # why


@pytest.fixture(autouse=True)
def looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever drains looks for what waits."""
    monkeypatch.setattr(spilling, "LOOK_S", 0.3)


async def drained(broker: Broker, within_s: float = 60) -> None:
    async with asyncio.timeout(within_s):
        while await broker.backlog.results.count():
            await asyncio.sleep(0.05)


async def test_results_of_an_outage_are_written_in_order_afterwards(pool: Pool, broker: Broker, door: Door) -> None:
    """TRAP 4: an error while the previous state is read is not a first result."""
    shop = await add_monitor(pool, failure_threshold=2, recovery_threshold=1)
    await record(pool, [result(shop, 0)])
    async with recording(pool, broker) as recorder:
        door.shut = True
        for minute, status in enumerate([DOWN, DOWN, UP, UP], 1):
            each = result(shop, 60 * minute, status)
            recorder.add(job(each), each)
            await asyncio.wait_for(recorder.flushed(), 30)
        assert await broker.backlog.results.count() == 4
        assert await fetch(pool, "select count(*) from results") == [(1,)]
        door.shut = False
        late = result(shop, 300, DOWN)  # behind what waits, not before it
        recorder.add(job(late), late)
        await drained(broker)
    assert await fetch(pool, "select count(*) from results") == [(6,)]
    history = await fetch(pool, "select to_status from transitions order by id offset 1")
    assert history == [("up",), ("down",), ("up",)]
    assert await fetch(pool, "select status, failures from monitor_states") == [("up", 1)]


async def test_the_spill_is_drained_once_by_many_workers(pool: Pool, broker: Broker, door: Door) -> None:
    monitors = [await add_monitor(pool, name=f"m{n}") for n in range(40)]
    door.shut = True
    async with recording(pool, broker, "a") as a, recording(pool, broker, "b") as b:
        for minute in range(30):
            for monitor in monitors:
                each = result(monitor, 60 * minute)
                (a if monitor % 2 else b).add(job(each), each)
        await asyncio.wait_for(asyncio.gather(a.flushed(), b.flushed()), 60)
        assert await broker.backlog.results.count() == 1000  # of 1200: the bound
        door.shut = False
        await drained(broker)
    assert await fetch(pool, "select count(*) from results") == [(1000,)]


async def test_a_commit_that_takes_long_does_not_keep_its_monitors_from_being_checked(
    pool: Pool, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = await add_monitor(pool, failure_threshold=1)
    real = module.record
    go_on, commits = asyncio.Event(), list[int]()

    async def slow(pool: Pool, results: Sequence[Result], expiries: Expiries | None = None) -> bool:
        await go_on.wait()
        written = await real(pool, results, expiries)
        commits.append(len(results))
        return written

    monkeypatch.setattr(module, "record", slow)
    async with recording(pool, broker) as recorder:
        recorder.add(job(result(shop, 0, DOWN)), result(shop, 0, DOWN))
        await asyncio.wait_for(recorder.flushed(), 30)
        assert await broker.backlog.results.count() == 1
        go_on.set()
        async with asyncio.timeout(30):
            while await broker.backlog.results.count() or len(commits) < 2:  # the late one, and the one from the spill
                await asyncio.sleep(0.05)
    assert await fetch(pool, "select count(*) from results") == [(1,)]
    assert await fetch(pool, "select status, failures from monitor_states") == [("down", 1)]


async def test_what_an_emptied_redis_forgets_is_put_there_again(
    pool: Pool, broker: Broker, redis: aioredis.Redis, door: Door
) -> None:
    """A database that is slow at the moment at which Redis loses everything shall cost no result."""
    shop, other = await add_monitor(pool), await add_monitor(pool, name="other")
    door.shut = True
    async with recording(pool, broker, "a") as a, recording(pool, broker, "b") as b:
        for recorder, monitor in ((a, shop), (b, other)):
            for minute in range(3):
                each = result(monitor, 60 * minute)
                recorder.add(job(each), each)
            await asyncio.wait_for(recorder.flushed(), 30)
        await redis.flushall()
        late = result(shop, 180)
        a.add(job(late), late)  # numbers begin anew, before anybody has looked
        await asyncio.wait_for(a.flushed(), 30)
        async with asyncio.timeout(20):
            while await broker.backlog.results.count() < 7:
                await asyncio.sleep(0.05)
        door.shut = False
        await drained(broker)
    written = await fetch(pool, "select monitor_id, count(*) from results group by 1 order by 1")
    assert written == [(shop, 4), (other, 3)]


async def test_what_is_written_is_put_there_never_again(broker: Broker, redis: aioredis.Redis) -> None:
    spill = Spill(broker, "a", limit=10)
    await spill.put([result(1, 60 * n) for n in range(4)])
    await broker.backlog.results.forget([number for _, number in (await broker.backlog.results.peek(10))[:3]])
    assert not await spill.is_empty()
    await redis.flushall()
    assert not await spill.is_empty()
    assert [text for text, _ in await broker.backlog.results.peek(10)] == [msgspec.json.encode(result(1, 180)).decode()]
    await broker.backlog.results.forget([number for _, number in await broker.backlog.results.peek(10)])
    assert not await spill.is_empty(), "others may not have put theirs there yet"
    await redis.flushall()
    await spill.is_empty()
    assert await broker.backlog.results.count() == 0


async def test_results_wait_in_the_order_of_their_slots(broker: Broker) -> None:
    """Also those of workers that put them there again one after the other."""
    one, other = Spill(broker, "a", limit=10), Spill(broker, "b", limit=10)
    await one.put([result(1, 60 * n) for n in (1, 4)])
    await other.put([result(1, 60 * n) for n in (5, 2, 3)])
    texts = [text for text, _ in await broker.backlog.results.peek(10)]
    assert texts == [msgspec.json.encode(result(1, 60 * n)).decode() for n in range(1, 6)]


async def test_who_still_writes_a_batch_from_before_redis_was_emptied_drops_no_other_result(
    broker: Broker, redis: aioredis.Redis
) -> None:
    spill = Spill(broker, "a", limit=10)
    await spill.put([result(1, 0)])
    before = [number for _, number in await broker.backlog.results.peek(10)]
    await redis.flushall()
    await spill.put([result(2, 0)])
    await broker.backlog.results.forget(before)
    assert await broker.backlog.results.count() == 2


async def test_after_redis_was_emptied_newer_results_let_older_ones_go_first(
    pool: Pool, broker: Broker, redis: aioredis.Redis, door: Door
) -> None:
    """Else the time of those that wait would look like a gap: quiet, and up again."""
    shop = await add_monitor(pool, interval_s=1, timeout_s=1)
    await record(pool, [result(shop, 0)])
    async with recording(pool, broker, "a") as a, recording(pool, broker, "b") as b:
        door.shut = True
        for second in range(1, 9):
            each = result(shop, second)
            b.add(job(each), each)
        await asyncio.wait_for(b.flushed(), 5)
        await redis.flushall()
        door.shut = False
        newer = result(shop, 9)
        a.add(job(newer), newer)
        await asyncio.wait_for(a.flushed(), 20)
        await drained(broker)
    assert await fetch(pool, "select count(*) from results") == [(10,)]
    assert await fetch(pool, "select to_status from transitions order by id") == [("pending",), ("up",)]


async def test_past_the_bound_the_oldest_results_of_healthy_monitors_go_first(broker: Broker) -> None:
    spill = Spill(broker, "a", limit=4)
    await spill.put([result(1, 0, DOWN), result(2, 0), result(2, 60), result(1, 60, DOWN)])
    await spill.put([result(2, 120), result(1, 120, DOWN)])
    kept = [text for text, _ in await broker.backlog.results.peek(10)]
    assert ["down" in text for text in kept] == [True, True, False, True]
    assert "00:02:00" in kept[2]
    await spill.put([result(1, 60 * n, DOWN) for n in range(3, 6)])
    assert all("down" in text for text, _ in await broker.backlog.results.peek(10))
    counters = await broker.counters()
    assert (counters["spilled"], counters["lost"]) == (9, 5)


async def test_results_that_are_spilled_twice_keep_their_place_and_their_count(broker: Broker) -> None:
    """The answer of a first try was lost, and the worker tries again."""
    spill = Spill(broker, "a", limit=10)
    batch = [result(1, 60 * n) for n in range(6)]
    await spill.put(batch)
    await spill.put(batch)
    assert await broker.backlog.results.count() == 6
    await spill.put([result(1, 60 * n) for n in range(6, 12)])
    assert await broker.backlog.results.count() == 10
    assert (await broker.counters())["lost"] == 2


async def test_a_result_that_cannot_be_read_is_set_aside(
    pool: Pool, broker: Broker, redis: aioredis.Redis, door: Door
) -> None:
    """A rolling upgrade: another version of Pinguin wrote it."""
    shop = await add_monitor(pool)
    await broker.backlog.results.keep([(True, 0, '{"from": "another version"}')], 1000)
    await Spill(broker, "a", 1000).put([result(shop, 0)])
    async with recording(pool, broker):
        await drained(broker)
    assert await fetch(pool, "select count(*) from results") == [(1,)]
    assert await redis.lrange("pinguin:spill:aside", 0, -1) == ['{"from": "another version"}']


async def test_a_database_that_only_reads_loses_no_result(
    pool: Pool, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A failover to a standby: that is no fault of the results."""
    shop = await add_monitor(pool)
    real = module.record

    async def on_a_standby(pool: Pool, results: Sequence[Result], expiries: Expiries | None = None) -> bool:
        async with pool.connection() as conn, conn.transaction():
            await conn.execute("set transaction read only")
            await conn.execute("update monitor_states set failures = 1")
        return False

    monkeypatch.setattr(module, "record", on_a_standby)
    async with recording(pool, broker) as recorder:
        recorder.add(job(result(shop, 0)), result(shop, 0))
        await asyncio.wait_for(recorder.flushed(), 30)
        assert await broker.backlog.results.count() == 1
        monkeypatch.setattr(module, "record", real)
        await drained(broker)
    assert await fetch(pool, "select count(*) from results") == [(1,)]


async def test_a_drainer_that_dies_leaves_the_rest_to_another(pool: Pool, broker: Broker) -> None:
    shop = await add_monitor(pool)
    await Spill(broker, "dead", 1000).put([result(shop, 60 * n) for n in range(5)])
    assert await broker.backlog.results.may_drain("dead", 20)
    assert not await broker.backlog.results.may_drain("heir", 20)
    assert await broker.backlog.results.may_drain("dead", 0.3)
    batch = await broker.backlog.results.peek(2)
    await record(pool, [result(shop, 0), result(shop, 60)])  # committed, but not forgotten in Redis
    assert len(batch) == 2
    async with recording(pool, broker, "heir"):
        await drained(broker)
    assert await fetch(pool, "select count(*) from results") == [(5,)]


async def test_a_killed_database_loses_no_result(tmp_path_factory: pytest.TempPathFactory) -> None:
    """The real thing: the database process is stopped dead for a while, then killed, under load."""
    async with EmbeddedStack(await data_folder(tmp_path_factory, "killed", migrated=True)) as stack:
        await migrate(stack.database_url)
        async with make_pool(stack.database_url, 3) as pool, Broker.connect(stack.redis_url) as broker:
            monitors = [await add_monitor(pool, name=f"m{n}") for n in range(20)]
            async with recording(pool, broker, limit=10_000) as recorder:
                for second in range(60):
                    for monitor in monitors:
                        each = result(monitor, 60 * second)
                        recorder.add(job(each), each)
                    pid = stack.database_child.pid
                    if second == 10 and pid:
                        os.kill(pid, signal.SIGSTOP)
                    if second == 40 and pid:
                        os.kill(pid, signal.SIGKILL)
                    await asyncio.sleep(0.2 if 10 <= second < 40 else 0.05)
                await asyncio.wait_for(recorder.flushed(), 60)
                await drained(broker, 60)
            assert await fetch(pool, "select count(*) from results") == [(1200,)]
            assert await fetch(pool, "select distinct status from monitor_states") == [("up",)]
