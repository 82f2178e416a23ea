"""Leadership: one at a time, handed over at once, refused when it is over."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import redis.asyncio as aioredis

from pinguin.broker import Broker
from pinguin.scheduler import leader
from pinguin.scheduler.leader import lead_forever

LEASE_S = 120.0


class Reign:
    """Chores that only note who leads."""

    def __init__(self) -> None:
        self.tokens: list[str] = []
        self.current: set[str] = set()

    async def __call__(self, token: str) -> None:
        self.tokens.append(token)
        self.current.add(token)
        try:
            await asyncio.Event().wait()
        finally:
            self.current.discard(token)


@asynccontextmanager
async def candidate(broker: Broker, name: str, reign: Reign) -> AsyncIterator[asyncio.Event]:
    stop = asyncio.Event()
    task = asyncio.create_task(lead_forever(broker, name, reign, stop))
    try:
        yield stop
    finally:
        stop.set()
        await asyncio.wait_for(task, LEASE_S / 2)


async def until(condition: object) -> None:
    """Far sooner than a lease ends."""
    assert callable(condition)
    async with asyncio.timeout(LEASE_S / 2):
        while not condition():
            await asyncio.sleep(0.02)


async def renewed(redis: aioredis.Redis, times: int) -> None:
    """Wait until the leader's lease was prolonged so often."""
    left = await redis.pttl("pinguin:leader")
    async with asyncio.timeout(LEASE_S / 2):
        while times:
            await asyncio.sleep(0.02)
            before, left = left, await redis.pttl("pinguin:leader")
            assert left > 0
            times -= left > before


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same loop on a faster clock, and a lease that no slow moment outlasts."""
    monkeypatch.setattr(leader, "TTL_S", LEASE_S)
    monkeypatch.setattr(leader, "RENEW_S", 0.2)
    monkeypatch.setattr(leader, "PAUSE_S", 0.05)


async def test_one_leads_and_the_other_takes_over_at_once_when_it_stops(broker: Broker, redis: aioredis.Redis) -> None:
    reign = Reign()
    async with candidate(broker, "a", reign) as stop_a, candidate(broker, "b", reign) as stop_b:
        await until(lambda: len(reign.current) == 1)
        await renewed(redis, 3)
        (first,) = reign.tokens
        (stop_a if first.endswith(":a") else stop_b).set()
        await until(lambda: len(reign.tokens) == 2)
        assert {token[-2:] for token in reign.tokens} == {":a", ":b"}
        assert reign.current == {reign.tokens[1]}
    assert reign.current == set()
    assert await broker.leader() is None


async def test_a_dead_leader_is_succeeded_when_its_lease_ends(broker: Broker) -> None:
    dead = await broker.lead("dead", 0.9)
    assert dead
    reign = Reign()
    async with candidate(broker, "heir", reign):
        await until(lambda: bool(reign.tokens))
    assert int(reign.tokens[0].split(":")[0]) > int(dead.split(":")[0])


async def test_a_leader_whose_key_is_gone_stops_its_chores_and_leads_anew(
    broker: Broker, redis: aioredis.Redis
) -> None:
    """TRAP 18: a flushed Redis."""
    reign = Reign()
    async with candidate(broker, "a", reign):
        await until(lambda: len(reign.current) == 1)
        await redis.flushdb()
        await until(lambda: len(reign.tokens) == 2)
        assert len(reign.current) == 1


async def test_chores_that_fail_do_not_end_the_scheduler(broker: Broker) -> None:
    calls = []

    async def fail(token: str) -> None:
        calls.append(token)
        raise RuntimeError("a bug")

    stop = asyncio.Event()
    task = asyncio.create_task(lead_forever(broker, "a", fail, stop))
    await until(lambda: len(calls) >= 2)
    assert not task.done()
    stop.set()
    await asyncio.wait_for(task, LEASE_S / 2)
