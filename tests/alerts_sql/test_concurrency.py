"""Recorders, senders, people and chores side by side: nobody waits for somebody who waits for them."""

from __future__ import annotations

import asyncio
import random

from pinguin.db import connection, make_pool
from pinguin.store import alert_chores
from pinguin.worker.recorder import record
from tests.alerts_sql.outbox import Outbox
from tests.conftest import Services
from tests.factory import fetch

ROUNDS = 12
DUE = """
update notifications set due_at = due_at - interval '3 seconds'
where id in (select id from notifications where status = 'waiting' order by id for no key update skip locked)
"""
ACKNOWLEDGE = """
update incidents set acknowledged_at = now()
where id = (select id from incidents where ended_at is null and acknowledged_at is null limit 1)
"""


async def test_everybody_at_once(outbox: Outbox, stack: Services) -> None:
    """A deadlock is an error of whoever lost, so it would be seen here; on the embedded database nobody is at once."""
    channels = [await outbox.channel(name) for name in ("phone", "mail")]
    monitors = [await outbox.monitor(f"m{n}", {"remind_every_s": 1}) for n in range(20)]
    for child in monitors[10:]:
        await outbox.depends(child, monitors[0])
    async with make_pool(stack.database_url, 8) as pool:
        crowd = Outbox(pool)
        await asyncio.gather(
            *(_record(crowd, monitors[part::2]) for part in range(2)),
            _record(crowd, monitors),
            *(_send(crowd, f"sender{n}") for n in range(3)),
            _edit(crowd, channels),
            _acknowledge(crowd),
            _tidy(crowd),
        )
    await outbox.run("update channels set enabled = true")
    await outbox.later(60)
    await outbox.seen(monitors, "u")
    for _ in range(3):
        await outbox.later(400)
        while message := await outbox.reclaim() or await outbox.gather():
            await outbox.delivered(message)
            await outbox.later(7)
    doubled = "select message_id from attempts where outcome = 'delivered' group by message_id having count(*) > 1"
    assert await fetch(outbox.pool, doubled) == []


async def _record(outbox: Outbox, monitors: list[int]) -> None:
    for n in range(ROUNDS):
        batch = await outbox.results(random.sample(monitors, len(monitors)), "d" if n % 2 else "u")
        await record(outbox.pool, batch)


async def _send(outbox: Outbox, name: str) -> None:
    for n in range(2 * ROUNDS):
        await outbox.run(DUE)
        sender = f"{name}-{n}"
        if message := await outbox.reclaim(sender) or await outbox.gather(sender):
            mark = random.choice([outbox.delivered, outbox.delivered, outbox.failed, outbox.refused])
            await mark(message, sender)


async def _edit(outbox: Outbox, channels: list[int]) -> None:
    """Switch channels off and on, and mend them."""
    for n in range(2 * ROUNDS):
        await outbox.run("update channels set enabled = not enabled where id = %s", channels[n % 2])
        mended = "update channels set options = jsonb_build_object('n', %s::integer), enabled = true where id = %s"
        await outbox.run(mended, n, channels[n % 2])


async def _acknowledge(outbox: Outbox) -> None:
    for _ in range(ROUNDS):
        await outbox.run(ACKNOWLEDGE)
        await asyncio.sleep(0.01)


async def _tidy(outbox: Outbox) -> None:
    for _ in range(ROUNDS):
        async with connection(outbox.pool) as conn:
            await alert_chores.give_up(conn, 1000)
            await alert_chores.tell_expiries(conn)
            await alert_chores.keep_slow_spells(conn)
