"""The charts' part of a monitor's page: its stretch, its zone, its table."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

import pytest

from pinguin.db import Pool
from pinguin.web.charts.view import stamp
from tests.factory import add_monitor, add_result, fetch
from tests.web.conftest import Client


async def test_the_stretch_of_the_charts_is_accounted_for(client: Client, pool: Pool) -> None:
    monitor = await add_monitor(pool)
    begin = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=10)
    for hours, status in ((0, "up"), (2, "down"), (2.5, "up"), (5, "unknown"), (6, "up")):
        at = begin + timedelta(hours=hours)
        await fetch(
            pool,
            """insert into transitions (monitor_id, at, confirmed_at, to_status)
            values (%s, %s, %s, %s::monitor_status) returning 1""",
            monitor, at, at, status,
        )  # fmt: skip
    since, until = stamp(begin + timedelta(hours=1)), stamp(begin + timedelta(hours=6))
    page = (await client.get(f"/monitors/{monitor}/chart?from={since}&to={until}")).text
    account = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page[page.index("account") :].partition("</dl>")[0]))
    assert "uptime of this stretch 87.50 %" in account  # 3.5 of 4 hours
    assert "down 30 min" in account
    assert "not monitored 1 h" in account
    address = {"question": "uptime", "monitor": monitor, "from": since, "to": until}
    assert f'href="/sql?{urlencode(address)}"'.replace("&", "&amp;") in page


@pytest.mark.parametrize("path", ["", "/chart", "/chart/days", "/chart/hours"])
async def test_the_zone_is_the_readers_or_the_one_that_is_named(client: Client, pool: Pool, path: str) -> None:
    monitor = await add_monitor(pool)
    for cookie, wanted, zone in (
        ("", "", "UTC"),
        ("Asia%2FTokyo", "", "Asia/Tokyo"),
        ("Asia%2FTokyo", "Europe/Rome", "Europe/Rome"),
        ("../../etc/passwd", "", "UTC"),
    ):
        answer = await client.get(
            f"/monitors/{monitor}{path}",
            params={"zone": wanted} if wanted else {},
            headers={"Cookie": _cookies(client, cookie)},
        )
        assert set(re.findall(r'data-zone="([^"]+)"', answer.text)) == {zone}


def _cookies(client: Client, zone: str) -> str:
    return "; ".join([*(f"{name}={value}" for name, value in client.cookies.items()), f"zone={zone}"])


async def test_the_heat_map_comes_after_the_page_unless_it_is_asked_for(client: Client, pool: Pool) -> None:
    monitor = await add_monitor(pool)
    assert 'hx-trigger="revealed, zone"' in (await client.get(f"/monitors/{monitor}")).text
    for path in (f"/monitors/{monitor}?heat=30", f"/monitors/{monitor}/chart/hours?heat=30"):
        page = (await client.get(path)).text
        assert "revealed" not in page
        assert "over the last 30 days" in page
    assert (await client.get(f"/monitors/{monitor}?heat=7")).status_code == 400


async def test_the_charts_table_comes_where_it_is_asked_for(client: Client, pool: Pool) -> None:
    monitor = await add_monitor(pool)
    await add_result(pool, monitor)
    assert "Latency and phases as a table" not in (await client.get(f"/monitors/{monitor}")).text
    page = (await client.get(f"/monitors/{monitor}?table=1")).text
    table = page[page.index("Latency and phases as a table") :].partition("</table>")[0]
    assert table.count("<tr>") == 2
