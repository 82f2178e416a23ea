"""Every question in sql/analytics/ is asked, as psql would, and its answer compared with what went in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from pinguin.db import SQL, Pool
from pinguin.model import Status
from pinguin.worker.recorder import record
from tests.factory import add_monitor, result

FILES = sorted(path.name for path in (SQL / "analytics").glob("*.sql"))


async def ask(pool: Pool, name: str, zone: str = "UTC") -> list[dict[str, Any]]:
    """zone: of the session, as psql takes it from its environment."""
    async with pool.connection() as conn, conn.transaction():
        await conn.execute("select set_config('TimeZone', %s, true)", (zone,))
        cursor = await conn.execute((SQL / "analytics" / name).read_text())
        columns = [column.name for column in cursor.description or ()]
        return [dict(zip(columns, row, strict=True)) for row in await cursor.fetchall()]


@pytest.fixture
async def shop(pool: Pool) -> int:
    """A monitor of one check a minute that was up for 50 minutes, down for 10, and is up again; as of this minute."""
    began = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(minutes=70)
    monitor_id = await add_monitor(pool, began, name="shop", failure_threshold=1)
    results = []
    for minute in range(70):
        status = Status.DOWN if 50 <= minute < 60 else Status.UP
        each = result(monitor_id, status=status, latency_ms=None if status is Status.DOWN else 100.0)
        each.scheduled_at = each.started_at = began + timedelta(minutes=minute)
        results.append(each)
    await record(pool, results)
    return monitor_id


@pytest.mark.parametrize("name", FILES)
async def test_every_question_can_be_asked_of_an_empty_database(pool: Pool, name: str) -> None:
    assert await ask(pool, name) == []


async def test_uptime(pool: Pool, shop: int) -> None:
    day = next(row for row in await ask(pool, "uptime_windows.sql") if row["window"] == "24 hours")
    assert day["down"] == timedelta(minutes=10)
    assert float(day["uptime_percent"]) == pytest.approx(100 * 60 / 70, abs=0.3)  # up to a minute has passed since
    assert day["good_checks_percent"] == round(Decimal(6000) / 70, 4)


async def test_latency_percentiles(pool: Pool, shop: int) -> None:
    (row,) = await ask(pool, "latency_percentiles.sql")
    assert row["checks"] == 60
    assert row["mean_ms"] == 100
    for percentile in ("p50_ms", "p95_ms", "p99_ms"):
        assert float(row[percentile]) == pytest.approx(100, rel=0.03)


async def test_slowest_monitors(pool: Pool, shop: int) -> None:
    slow = await add_monitor(pool, name="slow")
    each = result(slow, latency_ms=900.0, phases={"connect": 850.0})
    each.scheduled_at = each.started_at = datetime.now(UTC)
    await record(pool, [each])
    rows = await ask(pool, "slowest_monitors.sql")
    assert [row["name"] for row in rows] == ["slow", "shop"]
    assert rows[0]["mean_connect_ms"] == 850


async def test_incidents(pool: Pool, shop: int) -> None:
    (row,) = await ask(pool, "incidents.sql")
    assert (row["duration"], row["state"], row["reason"]) == (timedelta(minutes=10), "recovery", "refused")
    assert row["monitor_mean_time_to_recover"] == timedelta(minutes=10)


async def test_availability_by_month(pool: Pool, shop: int) -> None:
    rows = await ask(pool, "availability_by_month.sql")
    assert sum(row["down_minutes"] for row in rows) == 10
    assert sum(row["incidents"] for row in rows) == 1


@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Pacific/Kiritimati"])
async def test_months_are_those_of_utc_in_every_session(pool: Pool, zone: str) -> None:
    month = (datetime.now(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0) - timedelta(days=1)).replace(
        day=1
    )
    earlier = (month - timedelta(days=1)).replace(day=1)
    monitor_id = await add_monitor(pool, earlier)
    began, ended = month + timedelta(hours=1), month + timedelta(hours=2)
    async with pool.connection() as conn:
        await conn.execute("update transitions set to_status = 'up'")
        for at, status in ((began, "down"), (ended, "up")):
            await conn.execute(
                "insert into transitions (monitor_id, at, confirmed_at, to_status) values (%s, %s, %s, %s)",
                (monitor_id, at, at, status),
            )
        await conn.execute(
            "insert into incidents (monitor_id, started_at, confirmed_at, ended_at, reason, message, region)"
            " values (%s, %s, %s, %s, 'refused', 'no', 'local')",
            (monitor_id, began, began, ended),
        )
    rows = {row["month"]: row for row in await ask(pool, "availability_by_month.sql", zone)}
    down = {name: (row["down_minutes"], row["incidents"]) for name, row in rows.items()}
    assert down == {f"{datetime.now(UTC):%Y-%m}": (0, 0), f"{month:%Y-%m}": (60, 1), f"{earlier:%Y-%m}": (0, 0)}


@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Pacific/Kiritimati"])
async def test_the_checks_of_a_day_are_those_of_24_hours(pool: Pool, zone: str) -> None:
    monitor_id = await add_monitor(pool)
    now, results = datetime.now(UTC), []
    for hours in range(50):
        each = result(monitor_id, status=Status.UP if hours < 24 else Status.DOWN)
        each.scheduled_at = each.started_at = now - timedelta(hours=hours)
        results.append(each)
    await record(pool, results)
    rows = {row["window"]: row for row in await ask(pool, "uptime_windows.sql", zone)}
    assert rows["24 hours"]["good_checks_percent"] == 100
    assert rows["7 days"]["good_checks_percent"] == 48
    assert list(rows) == ["24 hours", "7 days", "30 days", "1 year"]


async def test_missing_slots(pool: Pool, shop: int) -> None:
    assert (await ask(pool, "missing_slots.sql"))[0]["due"] >= 67
    async with pool.connection() as conn:  # the grid's slots have the monitor's phase; the results were on the minute
        await conn.execute(
            "update results set scheduled_at = scheduled_at + make_interval(secs => slot_phase(%s, 60))", (shop,)
        )
        await conn.execute(
            "delete from results where scheduled_at in (select scheduled_at from results order by 1 offset 5 limit 3)"
        )
    (row,) = await ask(pool, "missing_slots.sql")
    assert row["missing"] == 3


async def test_recovery_by_month(pool: Pool, shop: int) -> None:
    """TRAP 10: an outage that somebody ended by pausing tells nothing of recovery."""
    async with pool.connection() as conn:
        await conn.execute("update monitors set tags = '{web,shop}'")
        await conn.execute(
            "insert into incidents (monitor_id, started_at, confirmed_at, ended_at, reason, message, region, closed_by)"
            " select monitor_id, started_at, now(), now(), reason, '', region, 'pause' from incidents"
        )
    rows = await ask(pool, "recovery_by_month.sql")
    assert {row["tag"] for row in rows} == {"shop", "web"}
    of_web = [row for row in rows if row["tag"] == "web" and row["failures"]]
    assert sum(row["failures"] for row in of_web) == 2
    (row,) = [row for row in of_web if row["mean_time_to_recover"]]
    assert row["mean_time_to_recover"] == timedelta(minutes=10)
    if len(of_web) == 1:  # else a month began in the last hour
        assert row["mean_time_between_failures"].total_seconds() == pytest.approx(30 * 60, abs=60)


async def test_incidents_by_cause(pool: Pool, shop: int) -> None:
    second = await add_monitor(pool, name="api", target="https://Shop.test:8443/x")
    async with pool.connection() as conn:
        await conn.execute("update monitors set target = 'shop.test:443' where id = %s", (shop,))
        await conn.execute(
            """insert into incidents (monitor_id, started_at, confirmed_at, ended_at, reason, message, region)
            select %s, started_at + at, now(), started_at + at + interval '20 min', v.reason, '', 'local'
            from incidents, (values (interval '30 s', 'refused'), (interval '1 h', 'dns')) v (at, reason)""",
            (second,),
        )
    refused, dns = await ask(pool, "incidents_by_cause.sql")
    assert (refused["reason"], refused["incidents"], refused["monitors"], refused["in_company"]) == ("refused", 2, 2, 2)
    assert (refused["down_in_all"], refused["median_duration"]) == (timedelta(minutes=30), timedelta(minutes=15))
    assert (refused["most_on_host"], float(refused["percent"])) == ("shop.test", 66.7)
    assert (dns["reason"], dns["incidents"], dns["in_company"]) == ("dns", 1, 0)


async def test_alerts_by_week(pool: Pool, shop: int) -> None:
    monday = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    monday -= timedelta(days=monday.weekday() + 7)
    async with pool.connection() as conn:
        await conn.execute(
            "insert into channels (name, kind, options, quiet_from, quiet_to, quiet_zone)"
            " values ('pager', 'webhook', '{}', '23:00', '06:00', 'Asia/Tokyo'),"
            " ('mail', 'email', '{}', null, null, null)"
        )
        for number, (channel, hours, kind, status) in enumerate(
            [
                (1, 13.5, "down", "sent"),  # 22:30 in Tokyo
                (1, 4, "down", "sent"),
                (1, 14, "up", "sent"),
                (1, 15, "down", "failed"),
                (2, 23, "down", "sent"),
                (2, 24 * 7, "reminder", "sent"),
            ]
        ):
            at = monday + timedelta(hours=hours)
            await conn.execute(
                """with g as (insert into messages (channel_id, status, attempts, created_at, ended_at)
                  values (%s, %s, 2, %s, %s) returning id, channel_id)
                insert into notifications (key, channel_id, monitor_id, kind, at, due_at, message_id)
                select %s, channel_id, %s, %s, now(), now(), id from g""",
                (channel, status, at - timedelta(seconds=2), at, f"n{number}", shop, kind),
            )
    rows = await ask(pool, "alerts_by_week.sql")
    week = f"{monday:%G-W%V}"
    found = {(row["week"] == week, row["channel"]): row for row in rows}
    pager, mail, later = found[True, "pager"], found[True, "mail"], found[False, "mail"]
    columns = ("messages", "told", "outages", "at_night", "tries_again")
    assert [pager[each] for each in columns] == [3, 3, 2, 1, 3]
    assert [mail[each] for each in columns] == [1, 1, 1, 1, 1]
    assert later["outages"] == 1
    assert pager["median_delivery_s"] == 2
