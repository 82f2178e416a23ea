"""Definitions reach Redis: by hint within a second, by reconcile always."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import redis.asyncio as aioredis

from pinguin.broker import Broker
from pinguin.db import Pool
from pinguin.lifecycle import cancel
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


@pytest.fixture
async def chores(broker: Broker, pool: Pool, token: str) -> AsyncIterator[None]:
    task = asyncio.create_task(do_chores(broker, pool, token))
    await asyncio.sleep(0.3)
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
    async def becomes(expected: str | None) -> None:
        async with asyncio.timeout(1):
            while (await broker.definitions()).get(one, "-")[:2] != (expected or "-"):
                await asyncio.sleep(0.02)

    one = await add_monitor(pool)
    await broker.announce_change([one])
    await becomes("1:")
    for change, expected in (
        ("interval_s = 30", "2:"),
        ("enabled = false", None),
        ("enabled = true", "4:"),
        ("archived_at = now()", None),
    ):
        await fetch(pool, f"update monitors set {change} where id = %s returning 1", one)
        await broker.announce_change([one])
        await becomes(expected)


async def test_a_new_monitor_is_checked_at_once(broker: Broker, pool: Pool, chores: None) -> None:
    one = await add_monitor(pool, interval_s=3600)
    await broker.announce_change([one])
    (job,) = await broker.take("local", 10, 2)
    assert (job.monitor_id, job.version) == (one, 1)


async def test_an_edit_without_a_hint_arrives_with_the_next_reconcile(
    broker: Broker, pool: Pool, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RECONCILE_S", 0.2)
    task = asyncio.create_task(module.follow(broker, pool, token))
    one = await add_monitor(pool)
    async with asyncio.timeout(3):
        while one not in await broker.definitions():
            await asyncio.sleep(0.05)
    await cancel(task)


async def test_the_loop_dispatches_just_after_the_second(broker: Broker, pool: Pool, token: str) -> None:
    for n in range(30):
        await add_monitor(pool, name=f"m{n}", interval_s=2)
    await reconcile(broker, pool, token)
    stop = asyncio.Event()
    loop = asyncio.create_task(dispatch_forever(broker, stop))
    lateness, jobs = [], []
    until = asyncio.get_running_loop().time() + 4.5
    while asyncio.get_running_loop().time() < until:
        taken = await broker.take("local", 100, 0.2)
        now = (await broker.now()).timestamp()
        lateness += [now - job.slot for job in taken]
        jobs += taken
        await broker.release(taken)
    stop.set()
    await asyncio.wait_for(loop, 3)
    assert len(jobs) >= 45
    assert len({(job.monitor_id, job.slot) for job in jobs}) == len(jobs)
    assert sorted(lateness)[len(lateness) // 2] < 0.5
