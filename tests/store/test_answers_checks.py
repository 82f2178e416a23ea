"""The same for what is asked of checks, jobs and messages: latency, phases, regions, certificates, runs, tries."""

from __future__ import annotations

import math
import random
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pinguin.db import Connection
from pinguin.model import Result, Status
from pinguin.web import analytics
from tests.store import test_answers
from tests.store.test_answers import HOUR, PHASES, Past, ask, close, conn, past, percentile, share, window

__all__ = ["conn", "past"]


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
    tests = {*globals(), *vars(test_answers)}
    assert {f"test_{name}" for name in analytics.questions()} <= tests


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
