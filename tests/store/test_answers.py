"""The answers of sql/analytics/ compared with numbers computed here, from what was recorded, in another way."""

from __future__ import annotations

import math
import random
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
from tests.conftest import Services
from tests.emptying import EMPTY
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


async def test_down_now(conn: Connection, past: Past) -> None:
    assert await ask(conn, "down_now") == []
    await conn.execute(
        "update monitor_states set status = 'down', since = %s, reason = 'refused' where monitor_id = %s",
        (past.ended, past.ids["db"]),
    )
    [row] = await ask(conn, "down_now")
    assert (row["name"], row["since"], row["reason"]) == ("db", past.ended, "refused")
