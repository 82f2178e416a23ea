"""The dashboard in a browser: as it looks, and how it changes by itself."""

from __future__ import annotations

from datetime import timedelta

import pytest
from litestar import Litestar
from playwright.async_api import Browser, expect

from pinguin.broker import Broker
from pinguin.db import Pool, connection
from pinguin.maintenance import Manual
from pinguin.store import maintenance
from tests.browser.conftest import FOUR, visiting
from tests.browser.history import write
from tests.factory import fetch
from tests.web.streams import until_open

PATIENCE_MS = 30_000


@pytest.fixture
async def lived_in(address: str, pool: Pool) -> str:
    """Monitors with two days behind them, and something in every part of the dashboard."""
    ids = await write(pool, days=2, coarse_s=900)
    await fetch(pool, "insert into slow_spells (monitor_id, percentile, window_s, above_ms, value_ms) "
                "values (%s, 95, 900, 120, 187) returning 1", ids[0])  # fmt: skip
    await fetch(
        pool,
        "insert into monitor_expiries (monitor_id, kind, expires_at, subject) values "
        "(%s, 'certificate', now() + interval '9 days', 'www.example.com'), "
        "(%s, 'domain', now() + interval '18 days', 'example.com') returning 1",
        ids[3],
        ids[3],
    )
    async with connection(pool) as conn:
        draft = maintenance.Draft(title="Reports: new disks", rule=Manual(), monitor_ids=[ids[8]])
        await maintenance.start(conn, await maintenance.create(conn, draft), timedelta(hours=3))
    return address


async def test_it_looks(chromium: Browser, lived_in: str) -> None:
    async with visiting(chromium, lived_in) as visit:
        await visit.sign_in()
        await visit.page.goto("/")
        async for scheme, width in visit.looks(FOUR):
            for title in ("Down now", "Slow", "Quiet or unknown", "Maintenance", "Ends soon", "The last outages"):
                assert await visit.page.get_by_role("region", name=title).is_visible()
            assert await visit.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
            await visit.shot(f"dashboard-{scheme}-{width}")


async def test_it_changes_by_itself(
    chromium: Browser, lived_in: str, app: Litestar, pool: Pool, broker: Broker
) -> None:
    async with visiting(chromium, lived_in) as visit:
        await visit.sign_in()
        await visit.page.goto("/")
        await until_open(app, 1)
        down = visit.page.get_by_role("region", name="Down now")
        await expect(down.get_by_text("Blog")).to_have_count(0)
        ((blog,),) = await fetch(
            pool,
            "update monitor_states s set status = 'down', reason = 'dns', since = now() from monitors m "
            "where m.id = s.monitor_id and m.name = 'Blog' returning m.id",
        )
        await fetch(
            pool,
            "insert into transitions (monitor_id, at, confirmed_at, to_status, reason) "
            "values (%s, now(), now(), 'down', 'dns') returning 1",
            blog,
        )
        await broker.announce_results([blog])
        await expect(down.get_by_text("Blog")).to_be_visible(timeout=PATIENCE_MS)
        await expect(visit.page.locator("h1")).to_have_text("2 of 14 monitors are down", timeout=PATIENCE_MS)


async def test_the_first_visit(chromium: Browser, address: str) -> None:
    async with visiting(chromium, address) as visit:
        await visit.sign_in()
        await visit.page.goto("/")
        await expect(visit.page.get_by_role("heading", level=1)).to_have_text("Nothing is watched yet")
        await visit.shot("dashboard-empty")
