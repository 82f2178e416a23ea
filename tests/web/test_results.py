"""A monitor's results: pages, filters, files."""

from __future__ import annotations

import csv
import io
import re
from datetime import UTC, datetime, timedelta

import pytest

from pinguin.db import Pool
from tests.factory import add_monitor, add_result, fetch
from tests.web.conftest import Client


async def days_of_results(pool: Pool, monitor: int) -> None:
    """One an hour for nine days, the newest half an hour ago; every fifth failed."""
    await fetch(
        pool,
        """insert into results (monitor_id, scheduled_at, region, version, status, reason, latency_ms, started_at,
          recorded_at, evidence)
        select %s, at, 'local', 1, (case when n %% 5 = 0 then 'down' else 'up' end)::monitor_status,
          case when n %% 5 = 0 then '=1+1' end, case when n %% 5 > 0 then n end, at, at, '{"address": "127.0.0.1"}'
        from (select n, now() - interval '30 min' - n * interval '1 h' as at from generate_series(0, 215) n) slots
        returning 1""",
        monitor,
    )


def slots(page: str) -> list[str]:
    return re.findall(r'data-label="Slot"><time datetime="([^"]+)"', page)


async def test_all_results_are_there_page_by_page(client: Client, pool: Pool) -> None:
    monitor = await add_monitor(pool, interval_s=3600)
    await days_of_results(pool, monitor)
    seen: list[str] = []
    path, sizes = f"/monitors/{monitor}/results", []
    while path:
        page = (await client.get(path)).text
        sizes.append(len(slots(page)))
        seen += slots(page)
        older = re.search(r'rel="next" href="([^"]+)"', page)
        path = older[1].replace("&amp;", "&") if older else ""
    assert sizes == [50, 50, 50, 50, 16]
    assert seen == sorted(seen, reverse=True)
    assert len(set(seen)) == 216


async def test_they_are_narrowed_by_status_and_stretch(client: Client, pool: Pool) -> None:
    monitor = await add_monitor(pool, interval_s=60)
    await days_of_results(pool, monitor)
    page = (await client.get(f"/monitors/{monitor}/results?status=down")).text
    assert len(slots(page)) == 44
    assert "<b>=1+1</b>" in page
    day = (datetime.now(UTC) - timedelta(days=3)).date()
    asked = {"from": f"{day}T00:00", "to": f"{day + timedelta(days=1)}T00:00", "zone": "Asia/Kolkata"}
    found = slots((await client.get(f"/monitors/{monitor}/results", params=asked)).text)
    begin = datetime(day.year, day.month, day.day, tzinfo=UTC) - timedelta(hours=5, minutes=30)
    times = [datetime.fromisoformat(slot) for slot in found]
    assert len(times) == 24
    assert min(times) >= begin
    assert max(times) < begin + timedelta(days=1)
    page = (await client.get(f"/monitors/{monitor}/results?status=unknown")).text
    assert "No results like these" in page


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ("from=soon", "from"), ("from=2026-01-02&to=2026-01-01", "to"), ("to=0001-01-01", "to"),
        ("status=bad", "status"), ("zone=Mars/Olympus", "zone"), ("before=_", "before"),
    ],
)  # fmt: skip
async def test_a_stretch_that_is_none_says_which_field_is_wrong(
    client: Client, pool: Pool, given: str, field: str
) -> None:
    monitor = await add_monitor(pool)
    answer = await client.get(f"/monitors/{monitor}/results?{given}")
    assert answer.status_code == 400
    assert f"{field}: " in answer.text
    if field in ("from", "to", "zone"):
        for path in ("", "/chart"):
            assert (await client.get(f"/monitors/{monitor}{path}?{given}")).status_code == 400


async def test_files_hold_the_stretch_that_is_asked_for(client: Client, pool: Pool) -> None:
    monitor = await add_monitor(pool, interval_s=3600)
    await days_of_results(pool, monitor)
    since = (datetime.now(UTC) - timedelta(hours=48)).isoformat()
    answer = await client.get(f"/monitors/{monitor}/results.csv", params={"from": since})
    assert answer.headers["content-type"].startswith("text/csv")
    assert f"monitor-{monitor}-raw" in answer.headers["content-disposition"]
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert len(rows) == 48
    assert {row["reason"] for row in rows} == {"", "'=1+1"}
    assert rows[1]["evidence"] == '{"address":"127.0.0.1"}'
    hours = (await client.get(f"/monitors/{monitor}/results.json", params={"from": since, "of": "hourly"})).json()
    assert sum(row["checks"] for row in hours) in (47, 48)  # the hour that `from` is in begins before it
    assert sum(row["down"] for row in hours) in (9, 10)
    days = (await client.get(f"/monitors/{monitor}/results.json?of=daily")).json()
    assert sum(row["checks"] for row in days) == 216
    assert len((await client.get(f"/monitors/{monitor}/results.csv")).text.splitlines()) == 25
    earlier = await client.get(f"/monitors/{monitor}/results.csv", params={"to": since})
    assert len(earlier.text.splitlines()) == 25  # the day before


async def test_files_of_what_is_not_there(client: Client, pool: Pool) -> None:
    monitor = await add_monitor(pool)
    await add_result(pool, monitor)
    for given, status in (("of=weekly", 400), ("from=x", 400)):
        assert (await client.get(f"/monitors/{monitor}/results.csv?{given}")).status_code == status
    for ending in ("csv", "json"):
        assert (await client.get(f"/monitors/999/results.{ending}")).status_code == 404
    assert (await client.get("/monitors/999/results")).status_code == 404
