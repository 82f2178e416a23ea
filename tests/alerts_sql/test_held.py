"""What holds an alert back, and what lets it go: maintenance, what a monitor depends on, quiet hours, snoozing."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
import pytest

from pinguin.store import incidents
from tests.alerts_sql.outbox import Outbox
from tests.factory import fetch

BERLIN = ZoneInfo("Europe/Berlin")


async def test_an_outage_that_outlasts_maintenance_is_told_when_that_ends(outbox: Outbox) -> None:
    """TRAP 2."""
    await outbox.channel()
    shop = await outbox.monitor()
    await outbox.maintenance(shop, seconds=600)
    await outbox.seen(shop, "d", every_s=300)
    assert await outbox.told() == []
    assert await outbox.waiting() == [("down", "maintenance")]
    held = "select who, text from incident_events where kind = 'held'"
    assert await fetch(outbox.pool, held) == [("phone", "maintenance")]
    await outbox.later(300)
    assert await outbox.told() == ["phone: down shop"]
    assert await fetch(outbox.pool, held) == [("phone", "maintenance")]


async def test_it_is_told_at_the_very_end_of_the_window(outbox: Outbox) -> None:
    await outbox.channel()
    shop = await outbox.monitor()
    await outbox.maintenance(shop, seconds=10)
    await outbox.seen(shop, "d", every_s=1)
    assert await outbox.gather() is None
    due = "select n.due_at = w.ends_at from notifications n, maintenance_windows w"
    assert await fetch(outbox.pool, due) == [(True,)]


async def test_an_outage_of_maintenance_is_never_told(outbox: Outbox) -> None:
    await outbox.channel()
    shop = await outbox.monitor()
    await outbox.maintenance(shop, seconds=600)
    await outbox.seen(shop, "du", every_s=120)
    assert await outbox.told() == []
    await outbox.later(3600)
    assert await outbox.told() == []
    assert await outbox.ends() == [("down", "cancelled", "over"), ("up", "cancelled", "untold")]


async def test_an_outage_that_outlasted_maintenance_is_told_though_the_channel_was_away_and_it_is_over(
    outbox: Outbox,
) -> None:
    """TRAP 2 with TRAP 7: that it was held last does not mean that it was one of maintenance."""
    await outbox.channel()
    shop, bar = await outbox.monitor("shop"), await outbox.monitor("bar")
    await outbox.maintenance(shop, seconds=300)
    await outbox.seen([shop, bar], "d", every_s=120)
    assert await outbox.waiting() != []
    message = await outbox.gather()
    assert message
    assert await outbox.waiting() == [("down", "maintenance")]
    assert await outbox.failed(message)
    await outbox.later(300)
    await outbox.seen(shop, "u")
    assert await outbox.reclaim() == message
    assert await outbox.delivered(message)
    assert await outbox.told() == ["phone: down shop"]


async def test_recovery_is_told_in_maintenance_too(outbox: Outbox) -> None:
    await outbox.channel()
    shop = await outbox.monitor()
    await outbox.seen(shop, "d")
    assert await outbox.told() == ["phone: down shop"]
    await outbox.maintenance(shop, seconds=600)
    await outbox.seen(shop, "u")
    assert await outbox.told() == ["phone: up shop"]


async def test_an_escalation_begins_anew_when_maintenance_ends(outbox: Outbox) -> None:
    """Else everybody would be called at once, the last resort with the first."""
    phone, boss = await outbox.channel("phone", default=False), await outbox.channel("boss", default=False)
    shop = await outbox.monitor(rules={"steps": [{"channels": [phone]}, {"after_s": 600, "channels": [boss]}]})
    await outbox.maintenance(shop, seconds=3600)
    await outbox.seen(shop, "d", every_s=1800)
    assert await outbox.told() == []
    await outbox.later(1800)
    assert await outbox.told() == ["phone: down shop"]
    assert await outbox.waiting() == [("down", "escalation")]
    await outbox.later(600)
    assert await outbox.told() == ["boss: down shop"]


async def test_a_monitor_waits_for_what_it_depends_on(outbox: Outbox) -> None:
    await outbox.channel()
    host, shop = await outbox.monitor("host"), await outbox.monitor("shop")
    await outbox.depends(shop, host)
    await outbox.seen([host, shop], "ud")
    assert await outbox.told() == ["phone: down host"]
    await outbox.seen([host, shop], "dd")
    assert await outbox.told() == []
    assert await outbox.waiting() == [("down", "dependency")]
    await outbox.seen([host, shop], "uu")
    assert await outbox.told() == ["phone: up host"]
    assert await outbox.waiting() == []


async def test_it_is_told_when_it_is_still_down_after_that_is_up(outbox: Outbox) -> None:
    await outbox.channel()
    host, shop = await outbox.monitor("host"), await outbox.monitor("shop")
    await outbox.depends(shop, host)
    await outbox.seen([host, shop], "ud")
    assert await outbox.told() == ["phone: down host"]
    await outbox.seen(shop, "d", every_s=20)
    await outbox.seen(host, "u", every_s=20)
    assert await outbox.told() == ["phone: up host"], "the shop has not been looked at since"
    await outbox.seen(shop, "d", every_s=1)
    assert await outbox.told() == []  # it is looked at every few seconds
    await outbox.later(15)
    assert await outbox.told() == ["phone: down shop"]


async def test_nobody_hears_of_those_that_come_back_after_what_they_depend_on(outbox: Outbox) -> None:
    await outbox.channel()
    host = await outbox.monitor("host")
    shops = [await outbox.monitor(f"shop{n}", recovery_threshold=2) for n in range(3)]
    for shop in shops:
        await outbox.depends(shop, host)
    await outbox.seen([host, *shops], "ud")
    assert await outbox.told() == ["phone: down host"]
    await outbox.seen(host, "u", every_s=30)
    for _ in range(2):
        assert await outbox.told() in (["phone: up host"], [])
        await outbox.seen(shops, "u", every_s=50)
    assert await outbox.told() == []
    assert await outbox.waiting() == []


async def test_a_failure_waits_until_what_it_depends_on_was_looked_at(outbox: Outbox) -> None:
    await outbox.channel()
    host, shop = await outbox.monitor("host"), await outbox.monitor("shop")
    await outbox.depends(shop, host)
    await outbox.seen([host, shop], "u", every_s=30)
    await outbox.seen(shop, "d", every_s=5)
    assert await outbox.told() == []
    assert await outbox.waiting() == [("down", "dependency?")]
    await outbox.seen(host, "u", every_s=1)
    assert await outbox.told() == ["phone: down shop"]  # its failure is its own


async def test_it_does_not_wait_for_ever_for_a_look(outbox: Outbox) -> None:
    await outbox.channel()
    host, shop = await outbox.monitor("host"), await outbox.monitor("shop")
    await outbox.depends(shop, host)
    await outbox.seen(shop, "d", every_s=20)
    assert await outbox.told() == []
    await outbox.later(60)
    assert await outbox.told() == ["phone: down shop"]


async def test_a_paused_or_deleted_monitor_holds_nobody_back(outbox: Outbox) -> None:
    await outbox.channel()
    host, shop = await outbox.monitor("host"), await outbox.monitor("shop")
    await outbox.depends(shop, host)
    await outbox.seen([host, shop], "d")
    assert await outbox.told() == ["phone: down host"]
    await outbox.run("update monitors set enabled = false where id = %s", host)
    await outbox.later(15)
    assert await outbox.told() == ["phone: down shop"]


async def test_monitors_that_depend_on_each_other_are_told(outbox: Outbox) -> None:
    await outbox.channel()
    ring = [await outbox.monitor(name) for name in ("one", "two", "three")]
    for monitor, on in zip(ring, [*ring[1:], ring[0]], strict=True):
        await outbox.depends(monitor, on)
    await outbox.seen(ring, "d", every_s=1)
    assert await outbox.told() == ["phone: down one, down two, down three"]


async def test_recovery_is_never_held_back_by_what_it_depends_on(outbox: Outbox) -> None:
    await outbox.channel()
    host, shop = await outbox.monitor("host"), await outbox.monitor("shop")
    await outbox.seen([host, shop], "u")
    await outbox.seen(shop, "d")
    assert await outbox.told() == ["phone: down shop"]
    await outbox.depends(shop, host)
    await outbox.seen(host, "d")
    await outbox.seen(shop, "u")
    assert await outbox.told() == ["phone: down host, up shop"]


async def quiet_until(outbox: Outbox, moment: datetime) -> datetime | None:
    found: datetime | None = (await fetch(outbox.pool, "select quiet_until(c, %s) from channels c", moment))[0][0]
    return found


def local(text: str, zone: ZoneInfo = BERLIN) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone).astimezone(UTC)


@pytest.mark.parametrize(
    ("hours", "days", "moment", "until"),
    [
        ("22:00-07:00", "1234567", "2026-01-14 21:59", None),
        ("22:00-07:00", "1234567", "2026-01-14 22:00", "2026-01-15 07:00"),
        ("22:00-07:00", "1234567", "2026-01-15 06:59", "2026-01-15 07:00"),
        ("22:00-07:00", "1234567", "2026-01-15 07:00", None),
        ("22:00-07:00", "1234567", "2026-03-29 01:00", "2026-03-29 07:00"),  # a night of eight hours
        ("22:00-07:00", "1234567", "2026-10-25 06:30", "2026-10-25 07:00"),  # one of ten
        ("02:30-04:00", "1234567", "2026-03-29 03:45", "2026-03-29 04:00"),  # 02:30 does not exist that day
        ("22:00-07:00", "5", "2026-01-17 03:00", "2026-01-17 07:00"),  # Friday's, on Saturday
        ("22:00-07:00", "5", "2026-01-16 03:00", None),  # Thursday's
        ("22:00-07:00", "67", "2026-01-19 03:00", "2026-01-19 07:00"),
        ("09:00-17:00", "67", "2026-01-17 12:00", "2026-01-17 17:00"),
        ("09:00-17:00", "67", "2026-01-16 12:00", None),
        ("00:00-00:00", "67", "2026-01-17 12:00", "2026-01-18 00:00"),
    ],
)
async def test_quiet_hours(outbox: Outbox, hours: str, days: str, moment: str, until: str | None) -> None:
    begin, end = (time.fromisoformat(part) for part in hours.split("-"))
    weekdays = [int(day) for day in days]
    await outbox.channel(quiet_from=begin, quiet_to=end, quiet_zone="Europe/Berlin", quiet_days=weekdays)
    assert await quiet_until(outbox, local(moment)) == (until and local(until))


@pytest.mark.parametrize(
    "values",
    [
        {"quiet_from": time(1), "quiet_to": time(2)},
        {"quiet_from": time(1), "quiet_to": time(2), "quiet_zone": "Moon/Far_Side"},
        {"quiet_from": time(1), "quiet_to": time(2), "quiet_zone": "UTC", "quiet_days": [0]},
        {"quiet_from": time(1), "quiet_to": time(1), "quiet_zone": "UTC"},
    ],
)
async def test_quiet_hours_that_would_never_work_are_refused_by_the_table(
    outbox: Outbox, values: dict[str, Any]
) -> None:
    """Else one channel, edited by hand, would keep senders from all."""
    with pytest.raises((psycopg.DataError, psycopg.IntegrityError)):
        await outbox.channel(**values)


async def quiet_for(outbox: Outbox, seconds: float) -> None:
    """Make the channels quiet from an hour ago for so many seconds more."""
    now = datetime.now(UTC)
    begin, end = now - timedelta(hours=1), now + timedelta(seconds=seconds)
    await outbox.run("update channels set quiet_from = %s, quiet_to = %s, quiet_zone = 'UTC'", begin.time(), end.time())


async def quiet_no_more(outbox: Outbox) -> None:
    """Time that goes by is not seen by clocks on the wall."""
    await outbox.run("update channels set quiet_from = null, quiet_to = null, quiet_zone = null")


async def test_what_happens_in_quiet_hours_is_told_when_they_end(outbox: Outbox) -> None:
    await outbox.channel()
    shop, bar = await outbox.monitor("shop"), await outbox.monitor("bar")
    await quiet_for(outbox, 7200)
    await outbox.seen([shop, bar], "d")
    await outbox.seen(bar, "u")
    assert await outbox.told() == []
    due = await fetch(outbox.pool, "select distinct held, due_at > now() + interval '110 minutes' from notifications")
    assert due == [("quiet", True)], "not looked at again until they end"
    await quiet_no_more(outbox)
    await outbox.later(7200)
    assert await outbox.told() == ["phone: down shop, down bar"]  # bar's as one that is over


async def test_another_try_waits_for_the_end_of_quiet_hours_too(outbox: Outbox) -> None:
    await outbox.channel()
    await outbox.seen(await outbox.monitor(), "d")
    message = await outbox.gather()
    assert message
    assert await outbox.failed(message)
    await quiet_for(outbox, 7200)
    await outbox.later(60)
    assert await outbox.reclaim() is None
    await quiet_no_more(outbox)
    assert await outbox.reclaim() == message


async def test_a_snoozed_outage_is_told_if_it_lasts(outbox: Outbox) -> None:
    await outbox.channel()
    shop = await outbox.monitor(rules={"remind_every_s": 300})
    await outbox.seen(shop, "d")
    assert await outbox.told() == ["phone: down shop"]
    await outbox.run("update incidents set snoozed_until = now() + interval '1 hour'")
    await outbox.later(600)
    assert await outbox.told() == []
    assert await outbox.waiting() == [("reminder", "snoozed")]
    await outbox.later(3000)
    assert await outbox.told() == ["phone: reminder shop"]
    await outbox.run("update incidents set snoozed_until = now() + interval '1 hour'")
    await outbox.seen(shop, "u")
    assert await outbox.told() == ["phone: up shop"]


async def snoozed(outbox: Outbox, minutes: float | None) -> None:
    until = None if minutes is None else datetime.now(UTC) + timedelta(minutes=minutes)
    ((incident,),) = await fetch(outbox.pool, "select id from incidents where ended_at is null")
    async with outbox.pool.connection() as conn:
        assert await incidents.snooze(conn, incident, "ada", until)


async def test_when_a_snooze_ends_those_who_know_of_it_hear_that_it_lasts(outbox: Outbox) -> None:
    """Once, and without reminders too: else a snooze would be a way to forget it."""
    await outbox.channel()
    shop = await outbox.monitor()
    await outbox.seen(shop, "d", every_s=5)
    assert await outbox.told() == ["phone: down shop"]
    await snoozed(outbox, 600)
    await snoozed(outbox, 60)
    await outbox.later(3000)
    assert await outbox.told() == []
    await outbox.later(900)
    assert await outbox.told() == ["phone: reminder shop"]
    await outbox.later(90_000)
    assert await outbox.told() == []


async def test_who_is_reminded_rarely_hears_of_the_end_of_a_snooze_in_time(outbox: Outbox) -> None:
    await outbox.channel()
    shop = await outbox.monitor(rules={"remind_every_s": 7200})
    await outbox.seen(shop, "d", every_s=5)
    assert await outbox.told() == ["phone: down shop"]
    await snoozed(outbox, 30)
    await outbox.later(1900)
    assert await outbox.told() == ["phone: reminder shop"]
    assert [kind for kind, _ in await outbox.waiting()] == ["reminder"]


@pytest.mark.parametrize("how", ["up", "woken", "acknowledged"])
async def test_a_snooze_that_ends_otherwise_ends_in_silence(outbox: Outbox, how: str) -> None:
    await outbox.channel()
    shop = await outbox.monitor()
    await outbox.seen(shop, "d", every_s=5)
    assert await outbox.told() == ["phone: down shop"]
    await snoozed(outbox, 30)
    if how == "up":
        await outbox.seen(shop, "u")
    elif how == "woken":
        await snoozed(outbox, None)
    else:
        async with outbox.pool.connection() as conn:
            ids = [row[0] for row in await fetch(outbox.pool, "select id from incidents")]
            await incidents.acknowledge(conn, ids, "ada", "")
    await outbox.later(3600)
    assert await outbox.told() == (["phone: up shop"] if how == "up" else [])
    assert await outbox.waiting() == []


async def test_an_outage_that_ended_while_it_was_snoozed_before_it_was_told_is_not(outbox: Outbox) -> None:
    await outbox.channel()
    shop = await outbox.monitor()
    await outbox.seen(shop, "d", every_s=5)
    await outbox.run("update incidents set snoozed_until = now() + interval '1 hour'")
    assert await outbox.told() == []
    await outbox.seen(shop, "u")
    assert await outbox.told() == []
    assert await outbox.waiting() == []


async def test_a_channel_whose_news_is_all_held_keeps_no_other_waiting(outbox: Outbox) -> None:
    first, second = await outbox.channel("first", default=False), await outbox.channel("second", default=False)
    shop = await outbox.monitor("shop", {"steps": [{"channels": [first]}]})
    bar = await outbox.monitor("bar", {"steps": [{"channels": [second]}]})
    await outbox.maintenance(shop, seconds=3600)
    await outbox.seen(shop, "d", every_s=1)
    await outbox.seen(bar, "d", every_s=1)
    message = await outbox.gather()
    assert message
    assert await outbox.said(message) == "second: down bar"
