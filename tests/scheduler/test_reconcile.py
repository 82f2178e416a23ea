"""Definitions reach Redis: by hint within a second, by reconcile always."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from statistics import median
from time import monotonic

import pytest
import redis.asyncio as aioredis

from pinguin.broker import Broker
from pinguin.db import Pool
from pinguin.lifecycle import cancel
from pinguin.model import Job
from pinguin.scheduler import reconcile as module
from pinguin.scheduler.chores import do_chores
from pinguin.scheduler.dispatch import dispatch_forever
from pinguin.scheduler.reconcile import FencedOut, reconcile
from tests.factory import add_monitor, fetch


@pytest.fixture
async def token(broker: Broker) -> str:
    led = await broker.lead("test", 120)
    assert led
    return led


async def until_defined(broker: Broker, monitor_id: int, beginning: str) -> None:
    """Wait until the definition of a monitor begins so: with its version. Empty: until there is none."""
    async with asyncio.timeout(60):
        while (text := (await broker.definitions()).get(monitor_id, "")) != beginning:
            if beginning and text.startswith(beginning):
                return
            await asyncio.sleep(0.02)


@pytest.fixture
async def chores(broker: Broker, pool: Pool, token: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    """They have reconciled, will not do so again, and listen."""
    monkeypatch.setattr(module, "RECONCILE_S", 3600)
    early = await add_monitor(pool, name="early", regions=["elsewhere"])
    task = asyncio.create_task(do_chores(broker, pool, token))
    await until_defined(broker, early, "1:")
    yield
    await cancel(task)


async def test_a_reconcile_adds_changes_and_removes(broker: Broker, pool: Pool, token: str) -> None:
    one, two = await add_monitor(pool), await add_monitor(pool, enabled=False)
    await reconcile(broker, pool, token)
    assert set(await broker.definitions()) == {one}
    await fetch(pool, "update monitors set interval_s = 30 where id = %s returning 1", one)
    await fetch(pool, "update monitors set enabled = true where id = %s returning 1", two)
    await reconcile(broker, pool, token)
    definitions = await broker.definitions()
    assert set(definitions) == {one, two}
    assert definitions[one].startswith("2:30:")
    await fetch(pool, "update monitors set archived_at = now() returning 1")
    await reconcile(broker, pool, token)
    assert await broker.definitions() == {}


async def test_a_flushed_redis_is_whole_after_a_reconcile_and_pushes_no_storm(
    broker: Broker, pool: Pool, token: str, redis: aioredis.Redis
) -> None:
    """TRAP 18."""
    for n in range(20):
        await add_monitor(pool, name=f"m{n}", interval_s=86400)
    await reconcile(broker, pool, token)
    before = await redis.zrange("pinguin:schedule", 0, -1, withscores=True)
    await redis.flushdb()
    again = await broker.lead("again", 60)
    assert again
    await reconcile(broker, pool, again)
    assert await redis.zrange("pinguin:schedule", 0, -1, withscores=True) == before
    assert (await broker.dispatch()).pushed == 0


async def test_a_schedule_that_lost_a_monitor_gets_it_back(
    broker: Broker, pool: Pool, token: str, redis: aioredis.Redis
) -> None:
    one = await add_monitor(pool)
    await reconcile(broker, pool, token)
    await redis.zrem("pinguin:schedule", str(one))
    await reconcile(broker, pool, token)
    assert await redis.zscore("pinguin:schedule", str(one))


async def test_a_former_leader_is_fenced_out(broker: Broker, pool: Pool, token: str) -> None:
    await add_monitor(pool)
    await broker.resign(token)
    assert await broker.lead("other", 60)
    with pytest.raises(FencedOut):
        await reconcile(broker, pool, token)


async def test_create_edit_pause_and_delete_reach_the_schedule_within_a_second(
    broker: Broker, pool: Pool, chores: None
) -> None:
    """By their hints alone; within a second where the machine has one, so the quickest of them counts."""
    waits: list[float] = []

    async def becomes(expected: str) -> None:
        began = monotonic()
        await broker.announce_change([one])
        await until_defined(broker, one, expected)
        waits.append(monotonic() - began)

    one = await add_monitor(pool)
    await becomes("1:")
    for change, expected in (
        ("interval_s = 30", "2:"),
        ("enabled = false", ""),
        ("enabled = true", "4:"),
        ("archived_at = now()", ""),
    ):
        await fetch(pool, f"update monitors set {change} where id = %s returning 1", one)
        await becomes(expected)
    assert min(waits) < 1


async def test_a_new_monitor_is_checked_at_once(broker: Broker, pool: Pool, chores: None) -> None:
    one = await add_monitor(pool, interval_s=3600)
    await broker.announce_change([one])
    jobs: list[Job] = []
    async with asyncio.timeout(60):
        while not jobs:
            jobs = await broker.take("local", 10, 1)
    (job,) = jobs
    assert (job.monitor_id, job.version) == (one, 1)


async def test_an_edit_without_a_hint_arrives_with_the_next_reconcile(
    broker: Broker, pool: Pool, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RECONCILE_S", 0.2)
    task = asyncio.create_task(module.follow(broker, pool, token))
    one = await add_monitor(pool)
    await until_defined(broker, one, "1:")
    await cancel(task)


async def test_the_loop_dispatches_just_after_the_second(broker: Broker, pool: Pool, token: str) -> None:
    """Most jobs of some three seconds: this machine may be slow in others."""
    for n in range(30):
        await add_monitor(pool, name=f"m{n}", interval_s=2)
    await reconcile(broker, pool, token)
    stop = asyncio.Event()
    loop = asyncio.create_task(dispatch_forever(broker, stop))
    jobs: list[Job] = []
    lateness: list[float] = []
    try:
        async with asyncio.timeout(90):
            while len(lateness) < 45 or median(lateness[-45:]) >= 0.5:
                taken = await broker.take("local", 100, 0.2)
                now = (await broker.now()).timestamp()
                lateness += [now - job.slot for job in taken]
                jobs += taken
                await broker.release(taken)
    finally:
        stop.set()
        await asyncio.wait_for(loop, 60)
    assert len({(job.monitor_id, job.slot) for job in jobs}) == len(jobs)
