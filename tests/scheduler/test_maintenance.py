"""The leader's round over maintenance windows."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

from pinguin.broker import Broker
from pinguin.db import Pool, connection
from pinguin.lifecycle import cancel
from pinguin.maintenance import Cron, Manual, Rule
from pinguin.scheduler.chores import do_chores
from pinguin.scheduler.maintenance import Memory, keep_windows
from pinguin.store import maintenance
from pinguin.store.maintenance import Draft
from tests.factory import add_monitor, fetch

HOUR = timedelta(hours=1)
HOURLY = Cron(expression="0 * * * *", duration_s=60)
HOW_FAR = "select max(starts_at) - now() > interval '34 days' from maintenance_windows"


async def plan(pool: Pool, rule: Rule, **given: Any) -> int:
    async with connection(pool) as conn:
        return await maintenance.create(conn, Draft(**{"title": "Deploy", "rule": rule, "everything": True, **given}))


async def forget_half(pool: Pool) -> None:
    """As if the leader had been away for a while."""
    await fetch(pool, "delete from maintenance_windows where starts_at > now() + interval '9 days' returning 1")
    await fetch(pool, "update maintenances set planned_until = now() + interval '9 days' returning 1")


async def test_open_pages_hear_of_windows_that_begin_and_end(pool: Pool, broker: Broker) -> None:
    made, memory = await plan(pool, Manual()), Memory()
    async with broker.subscribe() as events:

        async def heard(within_s: float) -> list[str]:
            await keep_windows(broker, pool, memory)
            event = await events.next(within_s)
            return [] if event is None else [event.kind]

        assert await heard(0.3) == []
        async with connection(pool) as conn:
            await maintenance.start(conn, made, HOUR)
        assert await heard(60) == ["changed"]
        assert await heard(0.3) == []
        async with connection(pool) as conn:
            await maintenance.end(conn, made)
        assert await heard(60) == ["changed"]
        assert await heard(0.3) == []


async def test_windows_are_planned_further_as_time_goes_by(pool: Pool, broker: Broker) -> None:
    await plan(pool, HOURLY)
    before = await fetch(pool, "select starts_at, ends_at from maintenance_windows order by 1")
    await forget_half(pool)
    await keep_windows(broker, pool, Memory())
    assert (await fetch(pool, "select starts_at, ends_at from maintenance_windows order by 1"))[: len(before)] == before


async def test_what_is_no_rule_does_not_keep_the_others_from_being_planned(pool: Pool, broker: Broker) -> None:
    bad = await plan(pool, HOURLY)
    await plan(pool, HOURLY)
    await fetch(pool, "update maintenances set zone = 'Mars/Olympus' where id = %s returning 1", bad)
    await forget_half(pool)
    await keep_windows(broker, pool, Memory())
    assert await fetch(pool, HOW_FAR) == [(True,)]


async def test_a_window_that_is_over_names_its_monitors(pool: Pool, broker: Broker) -> None:
    shop = await add_monitor(pool, tags=["web"])
    made = await plan(pool, Manual(), everything=False, tags=["web"])
    async with connection(pool) as conn:
        await maintenance.start(conn, made, HOUR)
        await keep_windows(broker, pool, Memory())
        assert await fetch(pool, "select settled, monitor_ids from maintenance_windows") == [(False, [])]
        await maintenance.end(conn, made)
    await keep_windows(broker, pool, Memory())
    assert await fetch(pool, "select settled, monitor_ids from maintenance_windows") == [(True, [shop])]


async def test_the_leader_does_it(pool: Pool, broker: Broker) -> None:
    await plan(pool, HOURLY)
    await forget_half(pool)
    token = await broker.lead("first", 60)
    assert token is not None
    chores = asyncio.create_task(do_chores(broker, pool, token))
    async with asyncio.timeout(60):
        while await fetch(pool, HOW_FAR) != [(True,)]:
            assert not chores.done(), chores
            await asyncio.sleep(0.1)
    await cancel(chores)
