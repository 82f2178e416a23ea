"""The leader judges silence: once nothing waits, and only while pings can be taken."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from pinguin.broker import Broker
from pinguin.db import Pool, connection
from pinguin.scheduler import watch as watching
from pinguin.scheduler.push import judge_pushes
from pinguin.store import push
from tests.factory import fetch
from tests.scheduler.test_watch import OPEN
from tests.scheduler.test_watch import watching as running
from tests.store.pushing import add_push, age, ping, status


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "WATCH_S", 0.1)
    monkeypatch.setattr(watching, "PATIENCE", timedelta(0))


async def open_for(pool: Pool, seconds: float) -> None:
    """Say that pings could be taken for so long."""
    async with connection(pool) as conn:
        await push.say_open(conn, timedelta(seconds=seconds), timedelta(seconds=12))


async def missing(pool: Pool) -> int:
    """A monitor whose ping is missing; its id."""
    monitor_id = await add_push(pool)
    await ping(pool, monitor_id)
    await age(pool, monitor_id, 95)  # expected after 60 s, an outage after 90 s
    return monitor_id


async def test_it_is_judged_and_told(pool: Pool, broker: Broker) -> None:
    monitor_id = await missing(pool)
    await open_for(pool, 1000)
    async with broker.subscribe() as events:
        await judge_pushes(broker, pool)
        event = await events.next(60)
    assert event is not None
    assert (event.kind, event.monitors) == ("result", [monitor_id])
    assert (await status(pool, monitor_id))[:2] == ("down", "missed")


async def test_nothing_is_judged_before_what_waits_is_written(pool: Pool, broker: Broker) -> None:
    monitor_id = await missing(pool)
    await open_for(pool, 1000)
    await broker.backlog.pings.keep("{}", 10)
    await judge_pushes(broker, pool)
    assert (await status(pool, monitor_id))[0] == "up"
    await broker.backlog.pings.forget([entry for _, _, entry in await broker.backlog.pings.peek(10)])
    await judge_pushes(broker, pool)
    assert (await status(pool, monitor_id))[0] == "down"


@pytest.mark.parametrize("seen", ["never", "before the deadline"])
async def test_nothing_is_judged_of_a_time_in_which_nobody_took_pings(pool: Pool, broker: Broker, seen: str) -> None:
    """However short that time is: one second."""
    monitor_id = await missing(pool)
    if seen == "before the deadline":
        await open_for(pool, 1000)
        before = "update push_watch set seen_at = (select min(deadline) from push_states) - interval '1 s' returning 1"
        await fetch(pool, before)
    await judge_pushes(broker, pool)
    assert (await status(pool, monitor_id))[0] == "up"
    await open_for(pool, 1000)
    await judge_pushes(broker, pool)
    assert (await status(pool, monitor_id))[0] == "down"


async def test_after_a_time_in_which_nobody_took_pings_there_is_a_grace(pool: Pool, broker: Broker) -> None:
    monitor_id = await missing(pool)
    await open_for(pool, 5)
    await judge_pushes(broker, pool)
    assert (await status(pool, monitor_id))[0] == "up"
    [(wait,)] = await fetch(pool, "select look_at - now() from push_states")
    assert timedelta(seconds=10) < wait <= timedelta(seconds=25)


async def test_edits_are_planned_while_nobody_takes_pings(pool: Pool, broker: Broker) -> None:
    await add_push(pool)
    await judge_pushes(broker, pool)
    [(version, wait)] = await fetch(pool, "select version, look_at - now() from push_states")
    assert version == 1
    assert timedelta(seconds=60) < wait <= timedelta(seconds=90)


async def test_many_at_once(pool: Pool, broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pinguin.scheduler.push.BATCH", 20)
    for _ in range(45):
        await add_push(pool)
    await judge_pushes(broker, pool)
    day = "update push_states set {0} = {0} - interval '1 day' returning 1"
    for column in ("expected_at", "deadline", "look_at"):
        await fetch(pool, day.format(column))
    await open_for(pool, 1_000_000)
    await judge_pushes(broker, pool)
    assert await fetch(pool, "select count(*) from incidents") == [(45,)]
    assert await fetch(pool, "select count(*) from push_states where look_at < now()") == [(0,)]


async def test_that_nobody_takes_pings_is_raised_once_for_all(pool: Pool, broker: Broker) -> None:
    for _ in range(3):
        await add_push(pool)
    async with running(broker, pool):
        rows = await fetch(pool, OPEN)
        assert [row[0] for row in rows] == ["pushes"]
        assert "start `pinguin web`" in rows[0][2]
        await open_for(pool, 1)
        began = datetime.now(UTC)
        while [row[0] for row in await fetch(pool, OPEN)]:
            assert datetime.now(UTC) - began < timedelta(seconds=60)


async def test_that_pings_wait_is_raised(pool: Pool, broker: Broker) -> None:
    await broker.backlog.pings.keep("{}", 10)
    async with running(broker, pool):
        [(code, _, message)] = await fetch(pool, OPEN)
    assert (code, message) == ("pushes", "1 ping of a job waits in Redis for the database")


async def test_without_push_monitors_nobody_needs_to_take_pings(pool: Pool, broker: Broker) -> None:
    async with running(broker, pool):
        assert await fetch(pool, OPEN) == []
