"""Results, roll-ups and uptime over the API: every row once, and each number computed here a second time."""

from __future__ import annotations

import csv
import io
from datetime import timedelta
from typing import Any

import pytest

from pinguin.db import Pool
from pinguin.model import Status
from tests.api.conftest import Program
from tests.factory import EPOCH, add_monitor, fetch, result

HOUR = 3600
FROM, TO = EPOCH.isoformat(), (EPOCH + timedelta(days=3)).isoformat()


@pytest.fixture
async def monitor(pool: Pool) -> int:
    """Two hours of checks in two regions, every 600 s; one of them failed."""
    made = await add_monitor(pool, interval_s=600, regions=["a", "b"], made_at=EPOCH - timedelta(minutes=1))
    found = [
        result(made, second, region=region, latency_ms=10 + second / 600)
        for second in range(0, 2 * HOUR, 600)
        for region in "ab"
        if (second, region) != (HOUR, "b")
    ]
    found.append(result(made, HOUR, Status.DOWN, region="b", message="=cmd()"))
    async with pool.connection() as conn, conn.transaction():
        await conn.execute("set local timezone = 'UTC'")
        for each in found:
            await conn.execute(
                "insert into results (monitor_id, scheduled_at, region, version, status, reason, message, latency_ms, "
                "started_at, recorded_at, evidence) values (%s, %s, %s, 1, %s, %s, %s, %s, %s, %s, '{}')",
                (made, each.scheduled_at, each.region, each.status.value, each.reason, each.message, each.latency_ms,
                 each.started_at, each.started_at),
            )  # fmt: skip
    return made


async def every(owner: Program, path: str, **query: Any) -> list[dict[str, Any]]:
    """All pages."""
    page = await owner.read(path, **query)
    items = page["items"]
    while page["next"]:
        page = (await owner.get(page["next"])).json()
        items += page["items"]
    found: list[dict[str, Any]] = items
    return found


@pytest.mark.parametrize("limit", [1, 3, 23, 24, 500])
async def test_pages_hold_every_result_once(owner: Program, monitor: int, limit: int) -> None:
    found = await every(owner, f"/monitors/{monitor}/results", from_=FROM, to=TO, limit=limit)
    places = [(each["at"], each["region"]) for each in found]
    assert len(places) == len(set(places)) == 24
    assert [at for at, _ in places] == sorted((at for at, _ in places), reverse=True)
    one = await every(owner, f"/monitors/{monitor}/results", from_=FROM, to=TO, region="b", limit=limit)
    assert {each["region"] for each in one} == {"b"}
    assert len(one) == 12


async def test_a_window_has_its_beginning_and_not_its_end(owner: Program, monitor: int) -> None:
    to = (EPOCH + timedelta(seconds=600)).isoformat()
    found = await every(owner, f"/monitors/{monitor}/results", from_=FROM, to=to)
    assert {each["at"] for each in found} == {"2026-01-01T00:00:00Z"}
    answer = await owner.get(f"/api/v1/monitors/{monitor}/results", params={"from": to, "to": FROM})
    assert list(answer.json()["errors"]) == ["from"]


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({"grain": "weekly"}, "grain: must be one of daily, hourly, raw"),
        ({"from": "yesterday"}, "from: must be a time with its zone, such as 2026-01-31T12:00:00Z"),
        ({"to": "2026-01-01T00:00:00"}, "to: must be a time with its zone, such as 2026-01-31T12:00:00Z"),
        ({"region": ""}, "region: must not be empty"),
    ],
)
async def test_what_is_wrong_in_a_query_is_said_with_how_to_mend_it(
    owner: Program, monitor: int, query: dict[str, str], words: str
) -> None:
    answer = await owner.get(f"/api/v1/monitors/{monitor}/results/file", params=query)
    assert (answer.status_code, answer.json()["detail"]) == (422, words)


async def test_roll_ups_are_what_the_results_say(owner: Program, monitor: int) -> None:
    found = await every(owner, f"/monitors/{monitor}/results/hourly", from_=FROM, to=TO, limit=1)
    assert [(each["at"][11:13], each["region"]) for each in found] == [
        ("01", "a"),
        ("01", "b"),
        ("00", "a"),
        ("00", "b"),
    ]
    good = [10 + second / 600 for second in range(0, HOUR, 600)]
    for each in found[2:]:
        assert (each["checks"], each["up"], each["down"]) == (6, 6, 0)
        assert each["latency_ms_mean"] == pytest.approx(sum(good) / 6)
        assert (each["latency_ms_min"], each["latency_ms_max"]) == pytest.approx((good[0], good[-1]))
        assert each["latency_ms_p50"] == pytest.approx(good[2], rel=0.04)
        assert each["latency_ms_p99"] == pytest.approx(good[-1], rel=0.04)
    assert (found[1]["up"], found[1]["down"]) == (5, 1)
    days = await every(owner, f"/monitors/{monitor}/results/daily", from_=FROM, to=TO)
    assert [(each["checks"], each["down"]) for each in days] == [(12, 0), (12, 1)]


async def test_files_hold_the_same(owner: Program, monitor: int) -> None:
    query = {"from": FROM, "to": TO}
    answer = await owner.get(f"/api/v1/monitors/{monitor}/results/file", params=query)
    assert answer.headers["content-disposition"].startswith('attachment; filename="monitor-')
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert len(rows) == 24
    [down] = [row for row in rows if row["status"] == "down"]
    assert (down["region"], down["message"]) == ("b", "'=cmd()")  # no formula for a spreadsheet
    for grain, count in (("raw", 24), ("hourly", 4), ("daily", 2)):
        found = await owner.read(f"/monitors/{monitor}/results/file", grain=grain, format="json", **query)
        assert len(found) == count
    pages = await every(owner, f"/monitors/{monitor}/results/hourly", from_=FROM, to=TO)
    files = await owner.read(f"/monitors/{monitor}/results/file", grain="hourly", format="json", **query)
    assert [{name: row[name] for name in pages[0]} for row in files] == pages


async def test_uptime_is_weighted_by_time_and_says_how(owner: Program, pool: Pool) -> None:
    made = await add_monitor(pool, made_at=EPOCH)
    for second, status in ((0, "up"), (HOUR, "down"), (HOUR + 900, "up"), (3 * HOUR, "unknown"), (4 * HOUR, "up")):
        at = EPOCH + timedelta(seconds=second)
        await fetch(
            pool,
            "insert into transitions (monitor_id, at, confirmed_at, to_status) values (%s, %s, %s, %s) returning 1",
            made, at, at, status,
        )  # fmt: skip
    to = (EPOCH + timedelta(hours=6)).isoformat()
    found = await owner.read(f"/monitors/{made}/uptime", from_=FROM, to=to)
    up, down = 6 * HOUR - 900 - HOUR, 900
    assert (found["up_s"], found["down_s"], found["unmonitored_s"]) == (up, down, HOUR)
    assert found["uptime"] == pytest.approx(up / (up + down))
    assert found["seconds"] == {"up": up, "down": down, "unknown": HOUR}
    assert "unknown, pending, paused" in found["policy"]
    ahead = await owner.read(f"/monitors/{made}/uptime", from_="2090-01-01T00:00:00Z", to="2091-01-01T00:00:00Z")
    assert (ahead["uptime"], ahead["up_s"]) == (None, 0)
