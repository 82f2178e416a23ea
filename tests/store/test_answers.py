"""The answers of sql/analytics/ compared with numbers computed here, from what was recorded, in another way."""

from __future__ import annotations

import math
import random
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pytest

from pinguin.db import Connection, Pool, make_pool
from pinguin.model import Result, Status
from pinguin.web import analytics
from pinguin.worker.recorder import record
from tests.conftest import EMPTY, Services
from tests.factory import add_monitor, result

STEP = timedelta(minutes=30)
DAYS = 16
PHASES = ("dns", "connect", "tls", "first_byte", "transfer")
HOUR = timedelta(hours=1)

Rows = list[dict[str, Any]]


@dataclass
class Past:
    """What happened: every monitor's results, oldest first. ended: the hour that they end with."""

    began: datetime
    ended: datetime
    results: dict[str, list[Result]] = field(default_factory=dict)
    ids: dict[str, int] = field(default_factory=dict)

    def within(self, name: str, since: datetime, until: datetime, region: str | None = None) -> list[Result]:
        return [
            each for each in self.results[name] if since <= each.scheduled_at < until and region in (None, each.region)
        ]

    def outages(self, name: str) -> Iterator[tuple[datetime, datetime]]:
        """(first failed check, first good one after it)."""
        start = None
        for each in self.results[name]:
            if each.status is Status.DOWN:
                start = start or each.scheduled_at
            elif start:
                yield start, each.scheduled_at
                start = None
        assert start is None

    def down_s(self, name: str, since: datetime, until: datetime) -> float:
        parts = (min(until, end) - max(since, start) for start, end in self.outages(name))
        return sum(part.total_seconds() for part in parts if part > timedelta(0))

    def uptime(self, name: str, since: datetime, until: datetime) -> float:
        watched = (until - max(since, self.began)).total_seconds()
        return 1 - self.down_s(name, since, until) / watched


def percentile(results: list[Result], fraction: float) -> float:
    """The nearest rank: the smallest latency that this share of the good checks does not exceed."""
    ranked = sorted(each.latency_ms for each in results if each.latency_ms is not None)
    return ranked[max(0, math.ceil(fraction * len(ranked)) - 1)]


def share(results: list[Result]) -> float:
    """Of failed checks, in percent."""
    return 100 * sum(each.status is Status.DOWN for each in results) / len(results)


@pytest.fixture(scope="module")
async def past(stack: Services) -> Past:
    """Three monitors over sixteen days up to this hour, with outages, two regions and noise. Made once."""
    async with make_pool(stack.database_url, 2) as pool:
        async with pool.connection() as conn:
            await conn.execute("set client_min_messages = warning")
            await conn.execute(EMPTY)
            for relation in ("results", "results_hourly", "results_daily", "pings"):
                await conn.execute(f"truncate {relation}")
        found = await lived(pool)
    await _roll_up(stack.database_url, found)
    return found


@pytest.fixture
async def conn(past: Past, stack: Services) -> AsyncIterator[Connection]:
    """What a test changes is undone."""
    async with (
        await psycopg.AsyncConnection.connect(stack.database_url, autocommit=True) as found,
        found.transaction(force_rollback=True),
    ):
        await found.execute("set local timezone = 'UTC'")
        yield found


async def lived(pool: Pool) -> Past:
    dice = random.Random(17)
    ended = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    found = Past(ended - timedelta(days=DAYS), ended)
    kinds: list[tuple[str, str, tuple[str, ...], float, int, list[str]]] = [
        ("shop", "http", ("eu",), 120, 9, ["web", "money"]),
        ("api", "http", ("eu", "us"), 40, 0, ["web"]),
        ("db", "tcp", ("eu",), 4, 3, ["base"]),
    ]
    for name, kind, regions, typical_ms, outages, tags in kinds:
        monitor_id = found.ids[name] = await add_monitor(
            pool, found.began, name=name, type=kind, tags=tags, regions=list(regions), interval_s=1800,
            failure_threshold=1, recovery_threshold=1,
        )  # fmt: skip
        slots = int((ended - found.began) / STEP)
        starts = dice.sample(range(4, slots - 12, 12), outages)
        down = {start + place for start in starts for place in range(dice.randint(1, 8))}
        found.results[name] = [
            _result(dice, monitor_id, found.began + number * STEP, region, typical_ms, number in down)
            for number in range(slots)
            for region in regions
        ]
        await record(pool, found.results[name])
    return found


def _result(dice: random.Random, monitor_id: int, at: datetime, region: str, typical_ms: float, down: bool) -> Result:
    if down:
        each = result(monitor_id, status=Status.DOWN, region=region)
    else:
        latency = dice.lognormvariate(math.log(typical_ms * (3 if region == "us" else 1)), 0.5)
        shares = [dice.random() for _ in PHASES]
        phases = {name: latency * part / sum(shares) for name, part in zip(PHASES, shares, strict=True)}
        each = result(monitor_id, region=region, latency_ms=latency, phases=phases)
    each.scheduled_at = each.started_at = at
    return each


async def _roll_up(url: str, past: Past) -> None:
    """As the policies would have: earlier tests may have moved what counts as rolled up."""
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as conn:
        for view in ("results_hourly", "results_daily"):
            day = past.began.replace(hour=0)
            await conn.execute(
                "call refresh_continuous_aggregate(%s, %s, %s)", (view, day, past.ended + timedelta(days=2))
            )


async def ask(conn: Connection, name: str, **given: Any) -> Rows:
    """As the page fills it in; numbers as float."""
    cursor = await conn.execute(analytics.question(name).filled(given).encode())
    columns = [column.name for column in cursor.description or ()]
    return [dict(zip(columns, map(_plain, row), strict=True)) for row in await cursor.fetchall()]


def _plain(value: Any) -> Any:
    return float(value) if isinstance(value, Decimal) else value


def close(value: Any, rel: float = 0.031) -> Any:
    """Percentiles are of histograms whose bins are 6 % wide."""
    return pytest.approx(float(value), rel=rel, abs=0.06)


def window(past: Past) -> tuple[datetime, datetime]:
    return past.began + timedelta(days=3), past.began + timedelta(days=10)


async def test_uptime(conn: Connection, past: Past) -> None:
    since, until = window(past)
    rows = {row["name"]: row for row in await ask(conn, "uptime", since=since, until=until)}
    assert set(rows) == set(past.ids)
    for name, row in rows.items():
        assert float(row["uptime_percent"]) == pytest.approx(100 * past.uptime(name, since, until), abs=1e-4)
        assert row["down"].total_seconds() == pytest.approx(past.down_s(name, since, until))
        assert row["unmonitored"] == timedelta(0)
        assert float(row["good_checks_percent"]) == pytest.approx(
            100 - share(past.within(name, since, until)), abs=1e-4
        )
    [alone] = await ask(conn, "uptime", monitor=past.ids["db"], since=since, until=until)
    assert alone == rows["db"]


async def test_uptime_windows(conn: Connection, past: Past) -> None:
    rows = {(row["name"], row["window"]): row for row in await ask(conn, "uptime_windows")}
    now = datetime.now(UTC)
    for days, label in ((1, "24 hours"), (7, "7 days")):
        down = past.down_s("shop", now - timedelta(days=days), now)
        assert rows["shop", label]["down"].total_seconds() == pytest.approx(down, abs=60)
    assert rows["api", "7 days"]["uptime_percent"] == 100


async def test_availability_by_month(conn: Connection, past: Past) -> None:
    rows = await ask(conn, "availability_by_month", monitor=past.ids["shop"])
    for row in rows:
        month = datetime.strptime(row["month"], "%Y-%m").replace(tzinfo=UTC)
        after = (month + timedelta(days=32)).replace(day=1)
        assert row["name"] == "shop"
        assert float(row["down_minutes"]) == pytest.approx(past.down_s("shop", month, after) / 60, abs=0.05)
        assert row["incidents"] == sum(month <= start < after for start, _ in past.outages("shop"))
    assert sum(row["incidents"] for row in rows) == 9


async def test_error_budget(conn: Connection, past: Past) -> None:
    since, until = window(past)
    rows = {row["name"]: row for row in await ask(conn, "error_budget", since=since, until=until)}
    allowed = timedelta(days=7).total_seconds() * 0.001
    for name in past.ids:
        used = past.down_s(name, since, until)
        assert float(rows[name]["allowed_minutes"]) == pytest.approx(allowed / 60, abs=0.05)
        assert float(rows[name]["used_percent"]) == pytest.approx(100 * used / allowed, abs=0.05)
        assert rows[name]["kept"] is (used <= allowed)


async def test_latency_percentiles(conn: Connection, past: Past) -> None:
    since, until = window(past)
    for row in await ask(conn, "latency_percentiles", since=since, until=until):
        good = past.within(row["name"], since, until)
        latencies = [each.latency_ms for each in good if each.latency_ms]
        assert row["checks"] == len(latencies)
        assert row["mean_ms"] == close(sum(latencies) / len(latencies), rel=1e-3)
        assert row["max_ms"] == pytest.approx(max(latencies), rel=1e-5)
        for column, fraction in (("p50_ms", 0.5), ("p95_ms", 0.95), ("p99_ms", 0.99)):
            assert row[column] == close(percentile(good, fraction))


async def test_slowest_monitors(conn: Connection, past: Past) -> None:
    rows = await ask(conn, "slowest_monitors")
    assert [row["name"] for row in rows][-1] == "db"
    since = datetime.now(UTC) - timedelta(hours=24)
    began = since.replace(minute=0, second=0, microsecond=0) + HOUR  # whole hours within the day
    for row in rows:
        good = [each for each in past.within(row["name"], began, past.ended) if each.latency_ms]
        assert row["checks"] == len(good)
        assert row["p95_ms"] == close(percentile(good, 0.95))
        for phase in PHASES:
            assert row[f"mean_{phase}_ms"] == close(sum(each.phases[phase] for each in good) / len(good), rel=1e-3)


async def test_percentiles_by_week(conn: Connection, past: Past) -> None:
    rows = await ask(conn, "percentiles_by_week", monitor=past.ids["api"])
    weeks: dict[str, list[Result]] = defaultdict(list)
    for each in past.results["api"]:
        weeks[f"{each.scheduled_at:%G-W%V}"].append(each)
    assert [row["week"] for row in rows] == sorted(weeks)
    for row in rows:
        assert row["checks"] == len(weeks[row["week"]])
        for column, fraction in (("p50_ms", 0.5), ("p95_ms", 0.95), ("p99_ms", 0.99)):
            assert row[column] == close(percentile(weeks[row["week"]], fraction))


async def test_phases_by_day(conn: Connection, past: Past) -> None:
    rows = await ask(conn, "phases_by_day", monitor=past.ids["shop"])
    days: dict[Any, list[Result]] = defaultdict(list)
    for each in past.results["shop"]:
        if each.latency_ms:
            days[each.scheduled_at.date()].append(each)
    assert [row["day"] for row in rows] == sorted(days)
    for row in rows:
        good = days[row["day"]]
        assert row["checks"] == len(good)
        for phase in PHASES:
            assert row[f"{phase}_ms"] == close(sum(each.phases[phase] for each in good) / len(good), rel=1e-3)


async def test_worst_hours(conn: Connection, past: Past) -> None:
    rows = await ask(conn, "worst_hours", since=past.began, until=past.ended)
    hours: dict[tuple[str, int], list[Result]] = defaultdict(list)
    for each in (each for name in past.ids for each in past.results[name]):
        hours[f"{each.scheduled_at:%a}", each.scheduled_at.hour].append(each)
    assert len(rows) == 24
    for row in rows:
        found = hours[row["weekday"], row["hour"]]
        assert (row["checks"], row["failed"]) == (len(found), sum(each.status is Status.DOWN for each in found))
        assert row["p95_ms"] == close(percentile(found, 0.95))
    worst = sorted((round(share(found), 2) for found in hours.values()), reverse=True)[:24]
    assert [float(row["failed_percent"]) for row in rows] == worst


async def test_regions_compared(conn: Connection, past: Past) -> None:
    since, until = window(past)
    eu, us = await ask(conn, "regions_compared", since=since, until=until)
    assert [(row["name"], row["region"]) for row in (eu, us)] == [("api", "eu"), ("api", "us")]
    for row in (eu, us):
        found = past.within("api", since, until, row["region"])
        assert row["checks"] == len(found)
        assert row["good_percent"] == 100
        assert row["p50_ms"] == close(percentile(found, 0.5))
        assert row["p95_ms"] == close(percentile(found, 0.95))
    assert eu["behind_ms"] == 0
    assert us["behind_ms"] == close(us["p50_ms"] - eu["p50_ms"], rel=0.01)


async def test_certificates(conn: Connection, past: Past) -> None:
    now = datetime.now(UTC)
    ends = {
        "shop": now + timedelta(days=12, hours=3),
        "db": now - timedelta(hours=5),
        "api": now + timedelta(days=79, hours=3),
    }
    for name, at in ends.items():
        await conn.execute(
            "insert into monitor_expiries (monitor_id, kind, expires_at, subject) values (%s, 'domain', %s, %s)",
            (past.ids[name], at, f"{name}.test"),
        )
    rows = await ask(conn, "certificates")
    assert [(row["name"], row["days_left"]) for row in rows] == [("db", -1), ("shop", 12), ("api", 79)]


async def test_flapping(conn: Connection, past: Past) -> None:
    rows = await ask(conn, "flapping", since=past.began, until=past.ended)
    outages = {name: list(past.outages(name)) for name in past.ids}
    assert [row["name"] for row in rows] == ["shop", "db"]
    for row in rows:
        found = outages[row["name"]]
        assert (row["changes"], row["went_down"]) == (2 * len(found), len(found))
        assert row["last_change"] == found[-1][1]
        lengths = sorted(end - start for start, end in found)
        assert row["median_outage"] == lengths[len(lengths) // 2]


async def test_longest_outages(conn: Connection, past: Past) -> None:
    rows = await ask(conn, "longest_outages")
    wanted = sorted((end - start for name in past.ids for start, end in past.outages(name)), reverse=True)
    assert [row["duration"] for row in rows] == wanted[:20]
    assert {row["state"] for row in rows} == {"recovery"}


async def test_incidents(conn: Connection, past: Past) -> None:
    rows = await ask(conn, "incidents", monitor=past.ids["db"])
    outages = list(past.outages("db"))
    assert [(row["started_at"], row["ended_at"]) for row in rows] == outages[::-1]
    mean = sum((end - start for start, end in outages), timedelta(0)) / len(outages)
    assert {row["monitor_mean_time_to_recover"] for row in rows} == {mean}


async def test_incidents_by_cause(conn: Connection, past: Past) -> None:
    [row] = await ask(conn, "incidents_by_cause")
    lengths = [end - start for name in past.ids for start, end in past.outages(name)]
    assert (row["reason"], row["incidents"], row["monitors"]) == ("refused", 12, 2)
    assert row["down_in_all"] == sum(lengths, timedelta(0))
    ordered = sorted(lengths)
    assert row["median_duration"] == (ordered[5] + ordered[6]) / 2


async def test_recovery_by_month(conn: Connection, past: Past) -> None:
    rows = await ask(conn, "recovery_by_month")
    assert {row["tag"]: row["monitors"] for row in rows} == {"web": 2, "money": 1, "base": 1}
    members = {"web": ("shop", "api"), "money": ("shop",), "base": ("db",)}
    for row in rows:
        month = datetime.strptime(row["month"], "%Y-%m").replace(tzinfo=UTC)
        after = min((month + timedelta(days=32)).replace(day=1), datetime.now(UTC))
        found = [pair for name in members[row["tag"]] for pair in past.outages(name) if month <= pair[0] < after]
        assert row["failures"] == len(found)
        if not found:
            assert row["mean_time_to_recover"] is None
            continue
        lengths = [(end - start).total_seconds() for start, end in found]
        assert row["mean_time_to_recover"].total_seconds() == pytest.approx(sum(lengths) / len(lengths))
        assert row["longest"].total_seconds() == max(lengths)
        up = sum(
            (after - max(month, past.began)).total_seconds() - past.down_s(name, month, after)
            for name in members[row["tag"]]
        )
        assert row["mean_time_between_failures"].total_seconds() == pytest.approx(up / len(found), abs=120)


async def test_checks_by_type(conn: Connection, past: Past) -> None:
    rows = {row["type"]: row for row in await ask(conn, "checks_by_type")}
    for kind, names in (("http", ("shop", "api")), ("tcp", ("db",))):
        found = [each for name in names for each in past.results[name]]
        row = rows[kind]
        assert (row["monitors"], row["checks"], row["unknown"]) == (len(names), len(found), 0)
        assert row["failed"] == sum(each.status is Status.DOWN for each in found)
        assert row["p50_ms"] == close(percentile(found, 0.5))
        assert row["p95_ms"] == close(percentile(found, 0.95))


async def test_before_after(conn: Connection, past: Past) -> None:
    changed, until = past.began + timedelta(days=8), past.began + timedelta(days=15)
    rows = await ask(conn, "before_after", since=changed, until=until)
    assert [(row["name"], row["side"]) for row in rows] == [
        (name, side) for name in ("api", "db", "shop") for side in ("before", "after")
    ]
    for row in rows:
        since, end = (changed, until) if row["side"] == "after" else (changed - timedelta(days=7), changed)
        found = past.within(row["name"], since, end)
        assert row["checks"] == len(found)
        assert float(row["uptime_percent"]) == pytest.approx(100 * past.uptime(row["name"], since, end), abs=1e-4)
        assert float(row["failed_percent"]) == pytest.approx(share(found), abs=0.005)
        assert row["p50_ms"] == close(percentile(found, 0.5))
        assert row["p95_ms"] == close(percentile(found, 0.95))


async def test_down_now(conn: Connection, past: Past) -> None:
    assert await ask(conn, "down_now") == []
    await conn.execute(
        "update monitor_states set status = 'down', since = %s, reason = 'refused' where monitor_id = %s",
        (past.ended, past.ids["db"]),
    )
    [row] = await ask(conn, "down_now")
    assert (row["name"], row["since"], row["reason"]) == ("db", past.ended, "refused")


async def test_missing_slots(conn: Connection, past: Past) -> None:
    """Slots by the formula: phase + k · interval since 1970, phase a golden-ratio hash of the number."""
    since, until = window(past)
    monitor_id = past.ids["db"]
    phase = (((monitor_id * 2654435761) % 2**32) * 1800) // 2**32
    slots = [
        datetime.fromtimestamp(at, UTC)
        for at in range(phase, math.ceil(until.timestamp()), 1800)
        if since.timestamp() <= at < until.timestamp()
    ]
    gone = sorted(random.Random(4).sample(slots[:-1], 17))
    await conn.execute("delete from results where monitor_id = %s", (monitor_id,))
    for slot in set(slots) - set(gone):
        await conn.execute(
            "insert into results (monitor_id, scheduled_at, region, version, status, started_at, recorded_at, evidence)"
            " values (%s, %s, 'eu', 1, 'up', now(), now(), '{}')",
            (monitor_id, slot),
        )
    [row] = await ask(conn, "missing_slots", monitor=monitor_id, since=since, until=until)
    assert (row["due"], row["missing"], row["last_missing"]) == (len(slots), 17, gone[-1])


async def test_job_runs(conn: Connection, past: Past) -> None:
    cursor = await conn.execute(
        "insert into monitors (name, type, target, options, passive)"
        " values ('backup', 'push', '', '{}', true) returning id"
    )
    [(monitor_id,)] = await cursor.fetchall()
    now, dice = datetime.now(UTC), random.Random(3)
    pings: list[tuple[str, int | None, float | None]] = [("start", None, None)]
    for _ in range(40):
        kind = dice.choice(["success", "fail", "exit", "log"])
        took = dice.uniform(1000, 90_000) if kind != "log" else None
        pings.append((kind, dice.choice([0, 1]) if kind == "exit" else None, took))
    for number, (kind, code, took) in enumerate(pings):
        await conn.execute(
            "insert into pings (monitor_id, at, id, kind, exit_code, duration_ms, method, user_agent, body)"
            " values (%s, %s, gen_random_uuid(), %s, %s, %s, 'GET', '', '')",
            (monitor_id, now - timedelta(hours=number + 1), kind, code, took),
        )
    [row] = await ask(conn, "job_runs")
    times = sorted(took / 1000 for _, _, took in pings if took)
    assert row["runs"] == len(times)
    assert row["failed"] == sum(kind == "fail" or code == 1 for kind, code, _ in pings)
    assert float(row["mean_s"]) == pytest.approx(sum(times) / len(times), abs=0.051)
    assert float(row["longest_s"]) == pytest.approx(times[-1], abs=0.051)
    place = 0.95 * (len(times) - 1)
    below = times[int(place)]
    assert float(row["p95_s"]) == pytest.approx(below + (place % 1) * (times[int(place) + 1] - below), abs=0.051)
    assert row["last_ping"].timestamp() == pytest.approx((now - HOUR).timestamp(), abs=1)


async def test_alerts_by_week(conn: Connection, past: Past) -> None:
    dice, now = random.Random(9), datetime.now(UTC)
    sent: dict[str, list[tuple[datetime, int, str]]] = defaultdict(list)
    cursor = await conn.execute(
        "insert into channels (name, kind, options) values ('ops', 'webhook', '{}') returning id"
    )
    [(channel,)] = await cursor.fetchall()
    for number in range(60):
        at = (now - timedelta(hours=dice.randint(1, 24 * 60))).replace(microsecond=0)
        kind, tries = dice.choice(["down", "up", "reminder"]), dice.randint(1, 3)
        sent[f"{at:%G-W%V}"].append((at, tries, kind))
        await conn.execute(
            """with g as (insert into messages (channel_id, status, attempts, created_at, ended_at)
              values (%s, 'sent', %s, %s, %s) returning id, channel_id)
            insert into notifications (key, channel_id, monitor_id, kind, at, due_at, message_id)
            select %s, channel_id, %s, %s, now(), now(), id from g""",
            (channel, tries, at - timedelta(seconds=3), at, f"n{number}", past.ids["db"], kind),
        )
    rows = await ask(conn, "alerts_by_week")
    assert [row["week"] for row in rows] == sorted(sent, reverse=True)
    for row in rows:
        found = sent[row["week"]]
        night = [kind != "up" and (at.hour >= 22 or at.hour < 7) for at, _, kind in found]
        assert (row["messages"], row["tries_again"]) == (len(found), sum(tries - 1 for _, tries, _ in found))
        assert (row["outages"], row["at_night"]) == (sum(kind != "up" for *_, kind in found), sum(night))
        assert row["median_delivery_s"] == 3


async def test_every_written_question_has_such_a_test() -> None:
    assert {f"test_{name}" for name in analytics.questions()} <= set(globals())


async def test_the_roll_ups_of_the_views_say_what_the_results_say(conn: Connection, past: Past) -> None:
    cursor = await conn.execute(
        "select m.name, h.bucket, h.checks, h.down, h.mean_ms, h.p50_ms, h.max_ms from history.results_daily h"
        " join history.monitors m on m.id = h.monitor_id where region = 'eu'"
    )
    for row in await cursor.fetchall():
        name, day, checks, down, mean, p50, most = row
        found = past.within(name, day, day + timedelta(days=1), "eu")
        latencies = [each.latency_ms for each in found if each.latency_ms]
        assert (checks, down) == (len(found), sum(each.status is Status.DOWN for each in found))
        if latencies:
            assert mean == pytest.approx(sum(latencies) / len(latencies), rel=1e-4)
            assert most == pytest.approx(max(latencies), rel=1e-5)
            assert p50 == close(percentile(found, 0.5))
