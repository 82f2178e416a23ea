"""Uptime by day and by hour of the week over the API: the days are those of the zone that is asked for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from pinguin.db import Pool
from tests.api.conftest import Program
from tests.factory import add_monitor

KIRITIMATI = "Pacific/Kiritimati"
"""14 hours ahead of UTC, and no daylight-saving time."""


@pytest.fixture
def began() -> datetime:
    return datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0) - timedelta(days=1)


@pytest.fixture
async def monitor(pool: Pool, began: datetime) -> int:
    """Up since the day before yesterday at noon (UTC), but for one hour from yesterday's 12:00 on."""
    made = await add_monitor(pool, made_at=began - timedelta(days=2))
    async with pool.connection() as conn:
        await conn.execute("delete from transitions where monitor_id = %s", (made,))
        for hours, status in ((-24, "up"), (0, "down"), (1, "up")):
            at = began + timedelta(hours=hours)
            await conn.execute(
                "insert into transitions (monitor_id, at, confirmed_at, to_status) values (%s, %s, %s, %s)",
                (made, at, at, status),
            )
    return made


@pytest.mark.parametrize("zone", ["UTC", KIRITIMATI])
async def test_the_hour_of_an_outage_lies_in_its_day_of_the_zone(
    owner: Program, monitor: int, began: datetime, zone: str
) -> None:
    local = began.astimezone(ZoneInfo(zone))
    days = await owner.read(f"/monitors/{monitor}/uptime/days", zone=zone, days=7)
    assert days["zone"] == zone
    assert len(days["items"]) == 7
    assert [day["day"] for day in days["items"]] == sorted(day["day"] for day in days["items"])
    assert [day["day"] for day in days["items"] if day["down_s"]] == [local.date().isoformat()]
    assert sum(day["down_s"] for day in days["items"]) == pytest.approx(3600)
    hours = await owner.read(f"/monitors/{monitor}/uptime/hours", zone=zone, days=7)
    (down,) = [hour for hour in hours["items"] if hour["down_s"]]
    assert (down["weekday"], down["hour"], down["down_s"]) == (local.isoweekday(), local.hour, pytest.approx(3600))
    assert all(hour["uptime"] == 1 for hour in hours["items"] if hour is not down)


async def test_days_without_a_zone_are_those_of_utc(owner: Program, monitor: int) -> None:
    days = await owner.read(f"/monitors/{monitor}/uptime/days")
    assert (days["zone"], len(days["items"])) == ("UTC", 90)
    assert days["items"][0]["uptime"] is None


@pytest.mark.parametrize(
    ("query", "field"),
    [("zone=Mars/Olympus", "zone"), ("zone=../etc/passwd", "zone"), ("days=0", "days"), ("days=367", "days")],
)
@pytest.mark.parametrize("what", ["days", "hours"])
async def test_what_is_no_zone_and_too_many_days_are_named(
    owner: Program, monitor: int, what: str, query: str, field: str
) -> None:
    answer = await owner.get(f"/api/v1/monitors/{monitor}/uptime/{what}?{query}")
    assert answer.status_code == 422
    assert list(answer.json()["errors"]) == [field]


async def test_there_is_none_of_a_monitor_that_is_not_there(owner: Program) -> None:
    for what in ("days", "hours"):
        assert (await owner.get(f"/api/v1/monitors/999/uptime/{what}")).status_code == 404
