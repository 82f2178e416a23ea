"""What happens between two statements: steps that come while an end is written, people who meet recorders, and rows
that one statement sees and the next does not."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from psycopg.types.json import Jsonb

from pinguin.db import Connection, Pool, make_pool
from pinguin.model import Status
from pinguin.store import incidents, recording
from pinguin.worker.recorder import record
from tests.alerts_sql.outbox import Outbox
from tests.conftest import Services
from tests.factory import fetch


async def test_who_is_told_while_the_end_is_written_hears_of_the_end(outbox: Outbox) -> None:
    """A recorder's transaction takes a while: a step that comes due in it is told by senders that see no end yet."""
    phone, boss = await outbox.channel("phone", default=False), await outbox.channel("boss", default=False)
    shop = await outbox.monitor(rules={"steps": [{"channels": [phone]}, {"after_s": 300, "channels": [boss]}]})
    await outbox.seen(shop, "d", every_s=0)
    assert await outbox.told() == ["phone: down shop"]
    await outbox.later(285)
    await outbox.seen(shop, "u", every_s=0)
    told = "update notifications set status = 'sent', told_at = now(), due_at = now() where channel_id = %s"
    await outbox.run(f"{told} and kind = 'down'", boss)
    assert sorted(await outbox.told()) == ["boss: up shop", "phone: up shop"]


async def test_a_step_that_was_about_to_come_leaves_nothing(outbox: Outbox) -> None:
    phone, boss = await outbox.channel("phone", default=False), await outbox.channel("boss", default=False)
    shop = await outbox.monitor(rules={"steps": [{"channels": [phone]}, {"after_s": 300, "channels": [boss]}]})
    await outbox.seen(shop, "d", every_s=0)
    assert await outbox.told() == ["phone: down shop"]
    await outbox.later(285)
    await outbox.seen(shop, "u", every_s=0)
    assert await outbox.told() == ["phone: up shop"]
    await outbox.later(60)
    assert await outbox.told() == []
    assert await outbox.waiting() == []


async def test_a_first_step_with_a_delay_is_not_told_of_what_was_shorter(outbox: Outbox) -> None:
    phone = await outbox.channel(default=False)
    shop = await outbox.monitor(rules={"steps": [{"after_s": 300, "channels": [phone]}]})
    await outbox.seen(shop, "du", every_s=60)
    await outbox.later(600)
    assert await outbox.told() == []
    assert await outbox.waiting() == []


async def test_a_first_step_with_a_delay_is_told_late_of_what_was_longer(outbox: Outbox) -> None:
    phone = await outbox.channel(default=False, broken_at=datetime.now(UTC))
    shop = await outbox.monitor(rules={"steps": [{"after_s": 300, "channels": [phone]}]})
    await outbox.seen(shop, "d", every_s=400)
    await outbox.seen(shop, "u", every_s=60)
    await outbox.run("update channels set broken_at = null")
    assert await outbox.told() == ["phone: down shop"]


async def test_people_who_acknowledge_and_a_recorder_that_closes(outbox: Outbox, stack: Services) -> None:
    """A recorder closes incidents in the order of slots, people lock them in the order of ids: no circle."""
    first, second = await outbox.monitor("m1"), await outbox.monitor("m2")
    await outbox.seen([first, second], "d", every_s=60)
    ids = [row[0] for row in await fetch(outbox.pool, "select id from incidents order by id")]
    newer, older = await outbox.results([first], "u"), await outbox.results([second], "u")
    older[0].scheduled_at -= timedelta(seconds=30)
    async with make_pool(stack.database_url, 3) as pool:
        async with pool.connection() as conn, conn.transaction():
            await recording.write_results(conn, [*newer, *older])
            await conn.execute("update incidents set ended_at = now(), closed_by = 'recovery' where id = %s", (ids[1],))
            acknowledging = asyncio.create_task(_acknowledge(pool, ids))
            await _waits_for_a_lock(conn)
            await conn.execute("update incidents set ended_at = now(), closed_by = 'recovery' where id = %s", (ids[0],))
        assert await acknowledging == []


async def _acknowledge(pool: Pool, ids: list[int]) -> list[int]:
    async with pool.connection() as conn:
        return await incidents.acknowledge(conn, ids, "ada", "")


async def _waits_for_a_lock(conn: Connection) -> None:
    """Until somebody does; on the embedded database, where one comes after the other, nobody ever will."""
    for _ in range(40):
        if await (await conn.execute("select 1 from pg_locks where not granted")).fetchone():
            return
        await asyncio.sleep(0.05)


async def test_a_verdict_on_a_row_that_came_meanwhile_makes_no_empty_message(outbox: Outbox) -> None:
    """Each function in a statement sees more than the statement does: what was written in between."""
    channel = await outbox.channel()
    async with outbox.pool.connection() as conn, conn.transaction(force_rollback=True):
        await conn.execute(
            "create or replace function bound_verdicts(wanted channels, most integer) "
            "returns table (id bigint, verdict text, until timestamptz, why text) language sql as "
            "$$ select 4711::bigint, 'send', null::timestamptz, null::text $$"
        )
        settled = "select settle_due(c, 'sender', interval '30 seconds') from channels c where id = %s"
        assert await (await conn.execute(settled, (channel,))).fetchone() == (None,)


async def test_a_message_that_no_sender_outlives_is_given_up_after_a_day(outbox: Outbox) -> None:
    await outbox.channel()
    shop, bar = await outbox.monitor("shop"), await outbox.monitor("bar")
    await outbox.seen(shop, "d", every_s=5)
    assert await outbox.gather() is not None
    for _ in range(9):
        await outbox.later(60)
        assert await outbox.reclaim() is not None
    await outbox.later(86400)
    assert await outbox.reclaim() is None
    await outbox.seen(bar, "d", every_s=5)
    assert await outbox.told() == ["phone: down bar"]
    rows = await fetch(
        outbox.pool, "select status, held from notifications where monitor_id = %s and kind = 'down'", shop
    )
    assert rows == [("failed", "a day without success")]


async def test_lost_results_are_told_although_no_more_are_lost(outbox: Outbox) -> None:
    await outbox.channel()
    await outbox.run("insert into pipeline_incidents (code, message) values ('lost', '9 results did not fit')")
    await outbox.run("update pipeline_incidents set ended_at = now()")
    await outbox.later(30)
    assert await outbox.told() == ["phone: pipeline Pinguin"]


@pytest.mark.parametrize(("lasted_s", "told"), [(45, []), (600, ["phone: pipeline Pinguin"])])
async def test_a_time_in_which_nobody_could_tell_is_told_afterwards(
    outbox: Outbox, lasted_s: int, told: list[str]
) -> None:
    await outbox.channel()
    await outbox.run(
        "insert into pipeline_incidents (code, started_at, ended_at, message) "
        "values ('unwatched', now() - %s * interval '1 second', now(), 'nobody looked after the pipeline')",
        lasted_s,
    )
    await outbox.later(30)
    assert await outbox.told() == told


@pytest.mark.parametrize(
    "rules",
    [
        {"slow_percentile": {"above_ms": 100, "percentile": 950}},
        {"slow_percentile": {"above_ms": 100, "window_s": 1.5}},
        {"certificate_days": [999_999_999]},
    ],
)
async def test_rules_that_the_leader_could_not_follow_are_refused(outbox: Outbox, rules: dict[str, object]) -> None:
    shop = await outbox.monitor()
    with pytest.raises(psycopg.errors.CheckViolation):
        await outbox.run("update monitors set alerts = %s where id = %s", Jsonb(rules), shop)


async def test_an_outage_that_ended_while_the_database_was_away_is_one_message(outbox: Outbox) -> None:
    """TRAP 7: results that waited are written late; what is told says when it was."""
    await outbox.channel()
    shop = await outbox.monitor()
    down, up = await outbox.results([shop], "d"), await outbox.results([shop], "u")
    down[0].scheduled_at -= timedelta(minutes=10)
    up[0].scheduled_at -= timedelta(minutes=3)
    assert (down[0].status, up[0].status) == (Status.DOWN, Status.UP)
    await record(outbox.pool, [*down, *up])
    await outbox.later(5)
    assert await outbox.told() == ["phone: down shop"]
    lasted = "select extract(epoch from ended_at - started_at)::integer from incidents"
    assert await fetch(outbox.pool, lasted) == [(420,)]


async def test_what_flapping_ended_in_has_an_end_after_a_refusal_too(outbox: Outbox) -> None:
    await outbox.channel()
    shop = await outbox.monitor(rules={"flap_outages": 2, "flap_window_s": 1200})
    await outbox.seen(shop, "du", every_s=5)
    assert await outbox.told() == ["phone: down shop"]
    await outbox.seen(shop, "d", every_s=5)
    assert await outbox.told() == ["phone: flapping shop"]
    await outbox.later(400)
    message = await outbox.gather()
    assert message
    assert await outbox.refused(message)
    await outbox.run("update channels set broken_at = null")
    assert await outbox.told() == ["phone: stable shop"]
    await outbox.later(4000)
    await outbox.seen(shop, "u", every_s=5)
    assert "phone: up shop" in await outbox.told()
