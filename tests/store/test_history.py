"""The numbers of a monitor's page, against the same computed in Python minute by minute and check by check."""

from __future__ import annotations

import math
import random
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from pinguin.db import Pool
from pinguin.store import history, pages
from pinguin.store.history import Window
from tests.factory import add_monitor, fetch

BEGIN = datetime(2026, 3, 1, tzinfo=UTC)
NOW = datetime(2026, 4, 12, 9, 41, tzinfo=UTC)
"""Between them clocks change in Europe (29 March) and on Lord Howe (5 April, by half an hour)."""
MINUTE = timedelta(minutes=1)
PHASES = ("dns", "connect", "tls", "first_byte", "transfer")

Past = list[tuple[datetime, str]]


async def transitions(pool: Pool, monitor: int, past: Past) -> None:
    async with pool.connection() as conn:
        await conn.execute("delete from transitions where monitor_id = %s", (monitor,))
        async with conn.cursor() as cursor:
            await cursor.executemany(
                "insert into transitions (monitor_id, at, confirmed_at, to_status) values (%s, %s, %s, %s)",
                [(monitor, at, at, status) for at, status in past],
            )


async def maintenance(pool: Pool, monitor: int, windows: Sequence[tuple[datetime, datetime]], counts: str) -> None:
    async with pool.connection() as conn:
        cursor = await conn.execute(
            "insert into maintenances (title, rule, zone) values ('work', '{\"kind\": \"manual\"}', 'UTC') returning id"
        )
        row = await cursor.fetchone()
        assert row
        for starts, ends in windows:
            await conn.execute(
                """insert into maintenance_windows (maintenance_id, starts_at, ends_at, counts, everything, tags,
                  monitor_ids) values (%s, %s, %s, %s, false, '{}', %s)""",
                (row[0], starts, ends, counts, [monitor]),
            )


def eventful(seed: int) -> Past:
    """Weeks of changes at whole minutes, downtime over midnights and clock changes among them."""
    dice = random.Random(seed)
    past: Past = [(BEGIN + timedelta(minutes=dice.randrange(2000)), "pending")]
    at = past[0][0] + MINUTE
    while at < NOW:
        past.append((at, dice.choice(["up", "up", "up", "down", "degraded", "unknown", "paused"])))
        at += timedelta(minutes=dice.choice([1, 7, 55, 400, 1500, 4000]))
    return [*past, (datetime(2026, 3, 28, 22, 3, tzinfo=UTC), "down"), (datetime(2026, 3, 29, 4, 11, tzinfo=UTC), "up")]


def minutes(past: Past, windows: Sequence[tuple[datetime, datetime]]) -> list[tuple[datetime, str]]:
    """Of each minute that counts: whether it was up or down."""
    found, ordered, status = [], sorted(past), ""
    at = BEGIN
    while at < NOW:
        while ordered and ordered[0][0] <= at:
            status = ordered.pop(0)[1]
        kind = {"up": "up", "degraded": "up", "down": "down"}.get(status)
        if kind and not any(starts <= at < ends for starts, ends in windows):
            found.append((at, kind))
        at += MINUTE
    return found


WINDOWS = [
    (datetime(2026, 3, 28, 23, 0, tzinfo=UTC), datetime(2026, 3, 29, 2, 30, tzinfo=UTC)),
    (datetime(2026, 4, 2, 10, 15, tzinfo=UTC), datetime(2026, 4, 4, 3, 0, tzinfo=UTC)),
    (datetime(2026, 4, 3, 10, 15, tzinfo=UTC), datetime(2026, 4, 4, 4, 0, tzinfo=UTC)),
]


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "Asia/Kathmandu", "Australia/Lord_Howe", "America/New_York"])
async def test_days_and_hours_are_those_of_the_zone(pool: Pool, seed: int, zone: str) -> None:
    monitor, past, place = await add_monitor(pool, BEGIN), eventful(seed), ZoneInfo(zone)
    await transitions(pool, monitor, past)
    await maintenance(pool, monitor, WINDOWS, "excluded")
    await maintenance(pool, monitor, [(BEGIN, NOW)], "as_measured")
    by_day: dict[date, dict[str, float]] = defaultdict(lambda: {"up": 0.0, "down": 0.0})
    by_hour: dict[tuple[int, int], dict[str, float]] = defaultdict(lambda: {"up": 0.0, "down": 0.0})
    last_days = NOW.astimezone(place).date() - timedelta(days=29)
    for at, kind in minutes(past, WINDOWS):
        local = at.astimezone(place)
        by_day[local.date()][kind] += 60
        if local.date() >= last_days:
            by_hour[local.isoweekday(), local.hour][kind] += 60
    async with pool.connection() as conn:
        days = await history.days(conn, monitor, zone, 40, NOW)
        hours = await history.hours(conn, monitor, zone, 30, NOW)
    assert [each.day for each in days] == [NOW.astimezone(place).date() - timedelta(days=n) for n in range(39, -1, -1)]
    for day in days:
        expected = by_day[day.day]
        assert (day.up_s, day.down_s) == pytest.approx((expected["up"], expected["down"])), day
        known = expected["up"] + expected["down"]
        assert day.uptime == (pytest.approx(expected["up"] / known) if known else None)
    found = {(each.weekday, each.hour): (each.up_s, each.down_s) for each in hours}
    assert found == {when: pytest.approx((spent["up"], spent["down"])) for when, spent in by_hour.items()}


async def test_the_account_of_a_stretch_is_that_of_uptime(pool: Pool) -> None:
    monitor, past = await add_monitor(pool, BEGIN), eventful(3)
    await transitions(pool, monitor, past)
    await maintenance(pool, monitor, WINDOWS, "excluded")
    since, until = datetime(2026, 3, 20, 4, 7, tzinfo=UTC), datetime(2026, 4, 3, 1, 2, tzinfo=UTC)
    counted = [kind for at, kind in minutes(past, WINDOWS) if since <= at < until]
    maintained = sum(
        any(starts <= since + n * MINUTE < ends for starts, ends in WINDOWS)
        for n in range(int((until - since) / MINUTE))
    )  # fmt: skip
    async with pool.connection() as conn:
        found = await history.account(conn, monitor, since, until)
    [(uptime, up_s, down_s, unmonitored_s)] = await fetch(
        pool,
        "select uptime, up_s, down_s, unmonitored_s from uptime(array[%s]::bigint[], %s, %s)",
        monitor,
        since,
        until,
    )
    assert (found.uptime, found.up_s, found.down_s) == (uptime, up_s, down_s)
    assert found.maintenance_s + found.other_s == pytest.approx(unmonitored_s)
    assert (found.up_s, found.down_s) == pytest.approx((60 * counted.count("up"), 60 * counted.count("down")))
    assert found.maintenance_s == pytest.approx(60 * maintained)
    assert sum((found.up_s, found.down_s, found.maintenance_s, found.other_s)) == pytest.approx(
        (until - since).total_seconds()
    )


async def test_a_day_knows_its_worst_incident(pool: Pool) -> None:
    monitor = await add_monitor(pool, BEGIN)
    cases = [
        ("2026-04-01T21:00Z", "2026-04-02T01:30Z", "over midnight"),
        ("2026-04-02T05:00Z", "2026-04-02T05:50Z", "short"),
        ("2026-04-10T12:00Z", None, "still open"),
    ]
    for starts, ends, message in cases:
        await fetch(
            pool,
            """insert into incidents (monitor_id, started_at, confirmed_at, ended_at, reason, message, region)
            values (%s, %s, %s, %s, 'timeout', %s, 'local') returning 1""",
            monitor, starts, starts, ends, message,
        )  # fmt: skip
    async with pool.connection() as conn:
        days = {each.day.isoformat(): each for each in await history.days(conn, monitor, "Europe/Berlin", 20, NOW)}
        account = await history.account(conn, monitor, NOW - timedelta(days=3), NOW)
    assert (days["2026-04-01"].message, days["2026-04-01"].seconds) == ("over midnight", 3600)
    assert (days["2026-04-02"].message, days["2026-04-02"].seconds) == ("over midnight", 3.5 * 3600)
    assert [days[f"2026-04-{day:02}"].incidents for day in (1, 2, 3, 9, 10, 11, 12)] == [1, 2, 0, 0, 1, 1, 1]
    assert days["2026-04-11"].seconds == 86400
    assert days["2026-04-12"].seconds == (11 * 60 + 41) * 60
    assert account.incidents == 1


async def checks(pool: Pool, monitor: int, days: float, step: timedelta) -> list[dict[str, Any]]:
    """Random results up to `NOW` of two regions, some of them failed."""
    dice, rows = random.Random(7), []
    at = NOW - timedelta(days=days)
    while at < NOW:
        for region in ("eu", "us"):
            status = dice.choices(["up", "degraded", "down", "unknown"], [90, 4, 4, 2])[0]
            total = math.exp(dice.gauss(4, 0.7)) if status in ("up", "degraded") or dice.random() < 0.3 else None
            times = {f"{name}_ms": total * share if total else None for name, share in zip(PHASES, SHARES, strict=True)}
            rows.append({"at": at, "region": region, "status": status, "latency_ms": total, **times})
        at += step
    async with pool.connection() as conn, conn.cursor() as cursor:
        await cursor.executemany(
            f"""insert into results (monitor_id, scheduled_at, region, version, status, latency_ms,
              {", ".join(f"{name}_ms" for name in PHASES)}, started_at, recorded_at, evidence)
            values ({monitor}, %(at)s, %(region)s, 1, %(status)s, %(latency_ms)s,
              {", ".join(f"%({name}_ms)s" for name in PHASES)}, %(at)s, %(at)s, '{{}}')""",
            rows,
        )
    return rows


SHARES = (0.05, 0.1, 0.25, 0.5, 0.1)


def exact(values: Sequence[float], fraction: float) -> float:
    """As percentile_cont has it."""
    ordered, place = sorted(values), fraction * (len(values) - 1)
    low = math.floor(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def ranked(values: Sequence[float], fraction: float) -> float:
    """The value at that rank, as histograms count."""
    return sorted(values)[max(math.ceil(fraction * len(values)) - 1, 0)]


def compare(found: Any, rows: Sequence[dict[str, Any]], raw: bool) -> None:
    fine = [row for row in rows if row["status"] in ("up", "degraded")]
    assert (found.checks, found.fine, found.good) == (len(rows), len(fine), len(fine))
    assert found.down == sum(row["status"] == "down" for row in rows)
    times = [row["latency_ms"] for row in fine]
    for name, fraction in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99)):
        if not times:
            assert getattr(found, name) is None
        elif raw:
            assert getattr(found, name) == pytest.approx(exact(times, fraction), rel=1e-5)
        else:
            assert getattr(found, name) == pytest.approx(ranked(times, fraction), rel=0.031)
    for name in PHASES:
        mean = sum(row[f"{name}_ms"] for row in fine) / len(fine) if fine else None
        assert getattr(found, f"{name}_ms") == (mean and pytest.approx(mean, rel=1e-5))


@pytest.mark.parametrize(
    ("grain", "days", "bucket_s", "step"),
    [
        ("raw", 0.25, 120, timedelta(seconds=45)),
        ("raw", 2, 3600, timedelta(minutes=11)),
        ("hourly", 5, 7200, timedelta(minutes=17)),
        ("daily", 20, 2 * 86400, timedelta(minutes=61)),
    ],
)
async def test_every_bucket_of_a_chart_is_as_its_checks_were(
    pool: Pool, grain: history.Grain, days: float, bucket_s: int, step: timedelta
) -> None:
    monitor = await add_monitor(pool, BEGIN, regions=["eu", "us"])
    rows = await checks(pool, monitor, days, step)
    await checks(pool, await add_monitor(pool, BEGIN, name="another"), 0.2, step)
    ending = datetime.fromtimestamp(math.ceil(NOW.timestamp() / bucket_s) * bucket_s, UTC)
    origin = ending - timedelta(seconds=bucket_s * math.ceil(days * 86400 / bucket_s + 1))
    async with pool.connection() as conn:
        window = Window(monitor, origin, ending, bucket_s, grain)
        buckets, total = history.put_together(window, await history.charted(conn, window, NOW))
    grouped: dict[datetime, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        grouped[origin + (row["at"] - origin) // timedelta(seconds=bucket_s) * timedelta(seconds=bucket_s)].append(row)
    assert [bucket.at for bucket in buckets] == sorted(grouped)
    for bucket in buckets:
        compare(bucket, grouped[bucket.at], grain == "raw")
    compare(total, rows, grain == "raw")


async def test_shares_of_good_checks_are_those_of_the_windows(pool: Pool) -> None:
    monitor = await add_monitor(pool, BEGIN)
    rows = await checks(pool, monitor, 40, timedelta(minutes=59))
    async with pool.connection() as conn:
        found = await history.ratios(conn, monitor, NOW)
    for label, days in (("24 h", 1), ("7 d", 7), ("30 d", 30), ("1 y", 365)):
        first = (NOW - timedelta(days=days)).replace(minute=0) + timedelta(hours=1)  # whole hours
        judged = [row["status"] for row in rows if row["at"] >= first and row["status"] != "unknown"]
        good = len(judged) - judged.count("down")
        assert (found[label].good, found[label].judged) == (good, len(judged)), label


async def test_beats_and_results_are_the_newest_first(pool: Pool) -> None:
    monitor = await add_monitor(pool, BEGIN, regions=["eu", "us"])
    rows = await checks(pool, monitor, 0.1, timedelta(minutes=5))
    expected = [
        (row["at"], row["region"]) for row in sorted(rows, key=lambda row: (-row["at"].timestamp(), row["region"]))
    ]
    since = NOW - timedelta(days=1)
    async with pool.connection() as conn:
        beats = await history.beats(conn, monitor, since, 10)
        first = await history.results(conn, monitor, before=(NOW, None), since=since, most=7)
        place = first[-1].scheduled_at, first[-1].region
        rest = await history.results(conn, monitor, before=place, since=since, most=500)
        failed = await history.results(conn, monitor, before=(NOW, None), since=since, most=500, status="down")
    assert [each.scheduled_at for each in beats] == [at for at, _ in expected[:10]]
    assert [(each.scheduled_at, each.region) for each in [*first, *rest]] == expected
    assert len(failed) == sum(row["status"] == "down" for row in rows)


async def test_a_database_whose_clock_is_behind_ours_has_no_beats_yet(pool: Pool) -> None:
    """Neither is there a range that would end before it begins, of the maintenance that they were in."""
    monitor = await add_monitor(pool)
    ahead = datetime.now(UTC) + timedelta(hours=1)
    async with pool.connection() as conn:
        assert await history.beats(conn, monitor, ahead, 30) == []
        assert await pages.beats(conn, [monitor], ahead) == {monitor: []}
