"""The pipeline watches itself: a problem is raised once, with its cause, and ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest
import redis.asyncio as aioredis

from pinguin.broker import Broker
from pinguin.db import Pool, connection
from pinguin.lifecycle import cancel
from pinguin.model import Status
from pinguin.scheduler import watch as module
from pinguin.scheduler.reconcile import FencedOut
from pinguin.store import upkeep
from pinguin.store.upkeep import Problem
from pinguin.worker.recorder import record
from pinguin.worker.spill import Spill
from tests.factory import EPOCH, add_monitor, fetch, result

OPEN = "select code, region, message from pipeline_incidents where ended_at is null order by code, region"


@pytest.fixture(autouse=True)
async def fresh(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WATCH_S", 0.1)
    monkeypatch.setattr(module, "PATIENCE", timedelta(0))


async def looked(pool: Pool) -> None:
    """Wait until a look that began after this call is over."""
    beginnings: list[datetime] = []
    async with asyncio.timeout(60):
        while len(beginnings) < 3:  # the first may be of a look that goes on, and the third ends the second
            ((began,),) = await fetch(pool, "select max(watched_at) from pipeline_watch")
            if began is not None and began not in beginnings:
                beginnings.append(began)
            await asyncio.sleep(0.02)


@asynccontextmanager
async def watching(broker: Broker, pool: Pool, memory: module.Memory | None = None) -> AsyncIterator[None]:
    """A watch that has looked."""
    token = await broker.lead("watcher", 600)
    assert token is not None
    task = asyncio.create_task(module.watch(broker, pool, token, memory or module.Memory()))
    await looked(pool)
    yield
    assert not task.done(), task
    await cancel(task)
    await broker.resign(token)


async def test_a_region_without_workers_is_said_once_and_its_monitors_say_why(pool: Pool, broker: Broker) -> None:
    for n in range(5):
        await add_monitor(pool, name=f"m{n}", regions=["mars"], interval_s=1, timeout_s=1)
    async with watching(broker, pool):
        rows = await fetch(pool, OPEN)
        assert rows == [
            ("no_worker", "mars", "no worker in region mars: start `pinguin worker` with PINGUIN_REGION=mars"),
            ("quiet", "", "5 monitors have no results"),
        ]
        states = "select distinct status, reason, message from monitor_states"
        assert await fetch(pool, states) == [("unknown", "quiet", rows[0][2])]
        await broker.present("mars", "rover")
        await looked(pool)
        assert [row[0] for row in await fetch(pool, OPEN)] == ["quiet"]
    assert await fetch(pool, "select count(*) from pipeline_incidents") == [(2,)]


async def test_what_an_emptied_redis_shows_its_old_leader_is_no_evidence(
    pool: Pool, broker: Broker, redis: aioredis.Redis
) -> None:
    """No worker is to be seen there, because nobody is: the next leader lets them come first."""
    shop = await add_monitor(pool, interval_s=1, timeout_s=1)
    await record(pool, [result(shop, 0)])
    token = await broker.lead("watcher", 60)
    assert token is not None
    await redis.flushall()
    with pytest.raises(FencedOut):
        await asyncio.wait_for(module.watch(broker, pool, token, module.Memory()), 60)
    assert await fetch(pool, OPEN) == []
    assert await fetch(pool, "select status from monitor_states") == [("up",)]


async def test_nobody_is_quiet_while_results_wait_for_the_database(pool: Pool, broker: Broker) -> None:
    shop = await add_monitor(pool, interval_s=1, timeout_s=1)
    await broker.present("local", "w")
    await Spill(broker, "w", 1000).put([result(shop, n) for n in range(3)])
    async with watching(broker, pool):
        assert await fetch(pool, OPEN) == [("spilled", "", "3 results wait in Redis for the database")]
        assert await fetch(pool, "select status from monitor_states") == [("pending",)]


async def test_results_that_were_in_again_before_anybody_looked_are_said(pool: Pool, broker: Broker) -> None:
    memory = module.Memory(spilled=2)
    await Spill(broker, "w", 1000).put([result(1, n) for n in range(5)])
    await broker.backlog.results.forget([number for _, number in await broker.backlog.results.peek(10)])
    async with watching(broker, pool, memory):
        sql = "select message, ended_at is not null from pipeline_incidents where code = 'spilled'"
        async with asyncio.timeout(60):
            while not (found := await fetch(pool, sql)) or not found[0][1]:
                await asyncio.sleep(0.1)
        assert found == [("3 results waited in Redis for the database", True)]
    assert memory.spilled == 5


async def test_results_that_waited_while_the_database_kept_a_look_waiting_are_said(
    pool: Pool, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "HUNG_S", 1)
    async with watching(broker, pool):
        async with connection(pool) as conn, conn.transaction():
            await conn.execute("lock table pipeline_watch")
            await Spill(broker, "w", 1000).put([result(1, n) for n in range(5)])
            await broker.backlog.results.forget([number for _, number in await broker.backlog.results.peek(10)])
            await asyncio.sleep(1.5)
        await looked(pool)
        found = await fetch(pool, "select message from pipeline_incidents where code = 'spilled'")
        assert found == [("5 results waited in Redis for the database",)]


async def test_what_was_decided_before_the_database_stood_still_is_not_true_after_it(pool: Pool) -> None:
    shop = await add_monitor(pool, interval_s=1, timeout_s=1)
    await record(pool, [result(shop, 60)])
    async with connection(pool) as conn:
        assert await upkeep.mark_quiet(conn, EPOCH + timedelta(seconds=62), {}) == []
        assert await upkeep.mark_quiet(conn, EPOCH + timedelta(seconds=64), {}) == [shop]


@pytest.mark.parametrize(("lost", "words"), [(7, "7 results"), (1, "1 result")])
async def test_results_that_did_not_fit_are_said_once(
    pool: Pool, broker: Broker, redis: aioredis.Redis, lost: int, words: str
) -> None:
    """Also those that were lost while nobody watched, as in every outage."""
    await redis.hincrby("pinguin:counters", "lost", lost)
    for _ in range(2):
        async with watching(broker, pool):
            pass
    message = f"{words} did not fit into Redis while the database was away"
    told = "select code, message, ended_at is not null from pipeline_incidents"
    assert await fetch(pool, told) == [("lost", message, True)]


async def test_a_monitor_that_is_unknown_already_says_why_it_is_quiet(pool: Pool, broker: Broker) -> None:
    shop = await add_monitor(pool, interval_s=60, timeout_s=1, failure_threshold=1)
    await record(pool, [result(shop, 0, Status.UNKNOWN, reason="offline", message="no canary answers")])
    async with connection(pool) as conn:
        assert await upkeep.mark_quiet(conn, datetime.now(UTC), {}) == [shop]
        assert await upkeep.mark_quiet(conn, datetime.now(UTC), {}) == []
    assert await fetch(pool, "select status, since, reason from monitor_states") == [("unknown", EPOCH, "quiet")]
    assert await fetch(pool, "select count(*) from transitions where to_status = 'unknown'") == [(1,)]


async def test_a_worker_without_a_network_is_said_once_for_all_its_monitors(pool: Pool, broker: Broker) -> None:
    """TRAP 9: their uptime is untouched, and nobody hears of each."""
    await fetch(
        pool, "insert into channels (name, kind, options, is_default) values ('a', 'x', '{}', true) returning 1"
    )
    now = int(datetime.now(UTC).timestamp() - EPOCH.timestamp())
    monitors = [await add_monitor(pool, name=f"m{n}", failure_threshold=1) for n in range(5)]
    await record(pool, [result(monitor, now - 60) for monitor in monitors])
    await record(pool, [result(monitor, now, Status.UNKNOWN, reason="offline") for monitor in monitors])
    await broker.present("local", "w")
    async with watching(broker, pool):
        assert await fetch(pool, OPEN) == [("offline", "", "a worker has no network: 5 monitors are unknown")]
        assert await fetch(pool, "select kind from notifications") == [("pipeline",)]
        await record(pool, [result(monitor, now + 60) for monitor in monitors])
        await looked(pool)
        assert await fetch(pool, OPEN) == []


async def test_a_queue_that_is_late_is_said(pool: Pool, broker: Broker, redis: aioredis.Redis) -> None:
    await add_monitor(pool, None)
    await broker.present("local", "w")
    slot = int((await broker.now()).timestamp()) - 100
    await redis.lpush("pinguin:queue:local", f"1:{slot}:1:1")
    async with watching(broker, pool):
        ((code, region, message),) = await fetch(pool, OPEN)
    assert (code, region) == ("queue_late", "local")
    assert "raise PINGUIN_WORKER_CONCURRENCY" in message


async def test_a_time_without_a_watch_is_an_incident_of_its_own(pool: Pool, broker: Broker) -> None:
    async with connection(pool) as conn:
        assert (await upkeep.watch(conn, timedelta(seconds=30)))[1] is None
        assert (await upkeep.watch(conn, timedelta(seconds=30)))[1] is None
        await conn.execute("update pipeline_watch set watched_at = now() - interval '5 minutes'")
        _, gap = await upkeep.watch(conn, timedelta(seconds=30))
    assert gap is not None
    assert 299 < gap.total_seconds() < 360
    rows = await fetch(pool, "select code, ended_at - started_at > interval '299 s' from pipeline_incidents")
    assert rows == [("unwatched", True)]


async def test_a_problem_that_comes_back_is_a_new_incident(pool: Pool) -> None:
    problem = Problem("no_worker", "mars", "no worker")
    async with connection(pool) as conn:
        assert await upkeep.set_problems(conn, [problem]) == [problem]
        assert await upkeep.set_problems(conn, [problem]) == []
        assert await upkeep.set_problems(conn, []) == []
        assert await upkeep.set_problems(conn, [problem]) == [problem]
        found = await upkeep.problems(conn, timedelta(hours=1))
    assert [(each.code, each.ended_at is None) for each in found] == [("no_worker", True), ("no_worker", False)]


async def test_a_quiet_monitor_that_is_heard_of_again_was_never_unknown(pool: Pool, broker: Broker) -> None:
    shop = await add_monitor(pool, interval_s=60, timeout_s=1, failure_threshold=1)
    await record(pool, [result(shop, 0)])
    async with connection(pool) as conn:
        assert await upkeep.mark_quiet(conn, datetime.now(UTC), {}) == [shop]
    await record(pool, [result(shop, 60 * n) for n in range(1, 4)])  # they had only been late
    sql = "select status, seconds from status_seconds(%s, '2026-01-01 00:00:00+00', '2026-01-01 00:03:00+00')"
    assert await fetch(pool, sql, [shop]) == [("up", 180)]


async def test_hot_tables_are_vacuumed_where_nobody_else_does(pool: Pool) -> None:
    async with connection(pool) as conn:
        await upkeep.vacuum(conn)
