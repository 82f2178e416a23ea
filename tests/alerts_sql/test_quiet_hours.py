"""Quiet hours: when they end, and that what happens in them is told then."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
import pytest

from tests.alerts_sql.outbox import Outbox
from tests.factory import fetch

BERLIN = ZoneInfo("Europe/Berlin")


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
