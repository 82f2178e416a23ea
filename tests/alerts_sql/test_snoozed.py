"""Snoozed outages: when somebody hears of one again, and when nobody does."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from pinguin.store import incidents
from tests.alerts_sql.outbox import Outbox
from tests.factory import fetch


async def snooze(outbox: Outbox, minutes: float | None) -> None:
    """The outage, for so long from now on; None wakes it."""
    until = None if minutes is None else datetime.now(UTC) + timedelta(minutes=minutes)
    ((incident,),) = await fetch(outbox.pool, "select id from incidents where ended_at is null")
    async with outbox.pool.connection() as conn:
        assert await incidents.snooze(conn, incident, "ada", until)


async def acknowledge_and_take_back(outbox: Outbox) -> None:
    ((incident,),) = await fetch(outbox.pool, "select id from incidents")
    async with outbox.pool.connection() as conn:
        await incidents.acknowledge(conn, [incident], "ada", "")
        assert await incidents.take_back(conn, incident, "ada", "")


async def test_a_snoozed_outage_is_told_if_it_lasts(outbox: Outbox) -> None:
    shop = await outbox.outage({"remind_every_s": 300})
    await outbox.run("update incidents set snoozed_until = now() + interval '1 hour'")
    await outbox.later(600)
    assert await outbox.told() == []
    assert await outbox.waiting() == [("reminder", "snoozed")]
    await outbox.later(3000)
    assert await outbox.told() == ["phone: reminder shop"]
    await outbox.run("update incidents set snoozed_until = now() + interval '1 hour'")
    await outbox.seen(shop, "u")
    assert await outbox.told() == ["phone: up shop"]


async def test_when_a_snooze_ends_those_who_know_of_it_hear_that_it_lasts(outbox: Outbox) -> None:
    """Once, and without reminders too: else a snooze would be a way to forget it."""
    await outbox.outage()
    await snooze(outbox, 600)
    await snooze(outbox, 60)
    await outbox.later(3000)
    assert await outbox.told() == []
    await outbox.later(900)
    assert await outbox.told() == ["phone: reminder shop"]
    await outbox.later(90_000)
    assert await outbox.told() == []


async def test_who_is_reminded_rarely_hears_of_the_end_of_a_snooze_in_time(outbox: Outbox) -> None:
    await outbox.outage({"remind_every_s": 7200})
    await snooze(outbox, 30)
    await outbox.later(1900)
    assert await outbox.told() == ["phone: reminder shop"]
    assert [kind for kind, _ in await outbox.waiting()] == ["reminder"]


@pytest.mark.parametrize("how", ["up", "woken", "acknowledged"])
async def test_a_snooze_that_ends_otherwise_ends_in_silence(outbox: Outbox, how: str) -> None:
    shop = await outbox.outage()
    await snooze(outbox, 30)
    if how == "up":
        await outbox.seen(shop, "u")
    elif how == "woken":
        await snooze(outbox, None)
    else:
        async with outbox.pool.connection() as conn:
            ids = [row[0] for row in await fetch(outbox.pool, "select id from incidents")]
            await incidents.acknowledge(conn, ids, "ada", "")
    await outbox.later(3600)
    assert await outbox.told() == (["phone: up shop"] if how == "up" else [])
    assert await outbox.waiting() == []


async def test_an_acknowledgement_that_is_taken_back_leaves_the_end_of_a_snooze_to_be_told(outbox: Outbox) -> None:
    await outbox.outage()
    await snooze(outbox, 30)
    await acknowledge_and_take_back(outbox)
    await outbox.later(1900)
    assert await outbox.told() == ["phone: reminder shop"]
    # The snooze is over by now: there is nothing more to tell of it.
    await acknowledge_and_take_back(outbox)
    await outbox.later(3600)
    assert await outbox.told() == []


async def test_an_outage_that_ended_while_it_was_snoozed_before_it_was_told_is_not(outbox: Outbox) -> None:
    await outbox.channel()
    shop = await outbox.monitor()
    await outbox.seen(shop, "d", every_s=5)
    await outbox.run("update incidents set snoozed_until = now() + interval '1 hour'")
    assert await outbox.told() == []
    await outbox.seen(shop, "u")
    assert await outbox.told() == []
    assert await outbox.waiting() == []
