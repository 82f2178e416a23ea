"""Maintenance as somebody at a browser plans it, sees it and ends it."""

from __future__ import annotations

import re
from datetime import timedelta

from litestar import Litestar
from playwright.async_api import Browser, expect

from pinguin.broker import Broker
from pinguin.db import Pool, connection
from pinguin.maintenance import Cron, Manual
from pinguin.scheduler.maintenance import Memory, keep_windows
from pinguin.store import maintenance
from pinguin.store.maintenance import Draft
from tests.browser.conftest import visiting
from tests.factory import add_monitor, add_result, fetch, set_status


async def add(pool: Pool, title: str, hours: float = 0, **given: object) -> int:
    values = {"rule": Manual(), "everything": True, "zone": "Europe/Berlin", "title": title, **given}
    async with connection(pool) as conn:
        made = await maintenance.create(conn, Draft(**values))  # type: ignore[arg-type]
        if hours:
            await maintenance.start(conn, made, timedelta(hours=hours))
    return made


async def test_a_window_is_planned_begins_and_is_ended(
    chromium: Browser, address: str, pool: Pool, app: Litestar
) -> None:
    shop = await add_monitor(pool, name="shop")
    await set_status(pool, shop, "down", "refused")
    await add_result(pool, shop, "down", reason="refused", message="it is refused", latency_ms=None)
    async with (
        visiting(chromium, address, timezone_id="America/New_York") as visit,
        visiting(chromium, address) as other,
    ):
        page = visit.page
        await visit.sign_in()
        await other.sign_in()
        await other.page.goto("/monitors")
        await expect(other.page.locator("h1")).to_have_text("1 of 1 monitor is down")
        await expect(other.page.locator("#live")).to_have_text("Live")
        await page.goto("/")
        await page.get_by_role("link", name="Maintenance", exact=True).click()
        await page.get_by_role("link", name="Plan maintenance").click()
        await expect(page.locator("#f-zone")).to_have_value("America/New_York")
        await page.fill("#f-title", "Upgrade")
        await page.get_by_role("link", name="Weekly").click()
        await expect(page.get_by_role("link", name="Weekly")).to_have_attribute("aria-current", "true")
        await expect(page.locator("#schedule")).not_to_have_class(re.compile("htmx-added"))  # and it listens
        await expect(page.locator("#f-zone")).to_have_value("America/New_York")
        await page.fill("#f-at", "02:30")
        await expect(page.locator("#preview")).to_contain_text("Days must be at least one day of the week")
        await page.get_by_label("Sunday").check()
        await expect(page.locator("#preview .windows li")).to_have_count(5)
        await expect(page.locator("#preview")).to_contain_text("02:30 – 03:30")
        await page.get_by_label("shop").check()
        await page.get_by_role("button", name="Plan it").click()
        await expect(page.locator("#notice")).to_have_text("Saved.")
        await expect(page.locator(".plan")).to_contain_text("every Sunday at 02:30 · America/New_York · 1 monitor")
        await page.get_by_role("button", name="Start now").click()
        await expect(page.locator(".plan.now")).to_contain_text("Upgrade")
        await expect(other.page.locator(f"#m{shop}")).to_have_class(re.compile("s-maintenance"))
        await expect(other.page.locator(f"#m{shop}")).to_contain_text("would be down")
        await page.get_by_role("button", name="Extend by 1 h").click()
        await expect(page.locator("#notice")).to_contain_text("an hour longer")
        await page.get_by_role("button", name="End now").click()
        await expect(page.locator("#past")).to_be_visible()
        await expect(other.page.locator(f"#m{shop}")).to_have_class(re.compile("s-down"))


async def test_a_window_that_ends_by_itself_is_seen_at_once(
    chromium: Browser, address: str, pool: Pool, broker: Broker
) -> None:
    shop, memory = await add_monitor(pool, name="shop"), Memory()
    await set_status(pool, shop, "down", "refused")
    await add(pool, "Upgrade", 1)
    await keep_windows(broker, pool, memory)
    async with visiting(chromium, address) as visit:
        await visit.sign_in()
        page = visit.page
        await page.goto(f"/monitors/{shop}")
        await expect(page.locator("#head .big")).to_contain_text("Maintenance until")
        await expect(page.locator("#live")).to_have_text("Live")
        await fetch(pool, "update maintenance_windows set ends_at = now() returning 1")
        await keep_windows(broker, pool, memory)
        await expect(page.locator("#head .big")).to_contain_text("Down for")


async def test_monitors_are_searched_for_and_enter_saves_nothing(chromium: Browser, address: str, pool: Pool) -> None:
    for number in range(30):
        await add_monitor(pool, made_at=None, name=f"monitor {number:02}")
    async with visiting(chromium, address) as visit:
        await visit.sign_in()
        page = visit.page
        await page.goto("/maintenance/new?kind=weekly")
        await page.fill("#f-title", "Upgrade")
        await page.locator("#f-find").press_sequentially("monitor 29")
        await expect(page.locator("#picker-found li")).to_have_count(1)
        await page.locator("#f-find").press("Enter")
        await page.get_by_label("monitor 29").check()
        await page.fill("#f-find", "monitor 28")
        await expect(page.locator("#picker-found li")).to_have_text("monitor 28")
        await page.get_by_label("monitor 28").check()
        await page.fill("#f-find", "monitor 27")
        await page.get_by_role("button", name="Find").click()
        await expect(page.locator("#picker-found li")).to_have_text("monitor 27")
        await expect(page.locator("#picker-chosen li")).to_have_text(["monitor 28", "monitor 29"])
        await page.get_by_label("All monitors").check()
        await expect(page.locator("#picker")).to_be_hidden()


async def test_it_works_without_a_script(chromium: Browser, address: str, pool: Pool) -> None:
    await add_monitor(pool, name="shop")
    async with visiting(chromium, address, java_script_enabled=False) as visit:
        await visit.sign_in()
        page = visit.page
        await page.goto("/maintenance/new")
        await page.get_by_role("link", name="Cron").click()
        await page.fill("#f-title", "Backup")
        await page.fill("#f-expression", "0 3 * * *")
        await page.get_by_role("button", name="Show the next windows").click()
        await expect(page.locator("#preview .windows li")).to_have_count(5)
        await page.fill("#f-find", "shop")
        await page.get_by_role("button", name="Find").click()
        await page.get_by_label("shop").check()
        await page.get_by_role("button", name="Plan it").click()
        await expect(page.locator(".plan")).to_contain_text("cron 0 3 * * * · UTC · 1 monitor")


async def test_the_pages_look_right_on_every_screen(chromium: Browser, address: str, pool: Pool) -> None:
    shop = await add_monitor(pool, name="Shop", tags=["production"])
    await set_status(pool, shop, "down", "refused")
    await add_result(pool, shop, "down", reason="refused", message="it is refused", latency_ms=None)
    made = await add(
        pool, "Upgrade of the database", 2, everything=False, tags=["production"],
        description="Both nodes, one after the other.\nAsk Ada when in doubt.",
    )  # fmt: skip
    await add(pool, "Backups", rule=Cron(expression="0 3 * * 1-5", duration_s=5400), counts="as_measured")
    await add(pool, "Deploys")
    async with connection(pool) as conn:
        await maintenance.end(conn, await add(pool, "Kernel", 5))
    pages = {
        "maintenance": "/maintenance",
        "maintenance-new": "/maintenance/new?kind=weekly",
        "maintenance-edit": "/maintenance/2/edit",
        "maintenance-manual": f"/maintenance/{made}/edit",
        "maintenance-delete": f"/maintenance/{made}/delete",
        "maintenance-list": "/",
        "maintenance-monitor": f"/monitors/{shop}?range=1h",
    }
    async with visiting(chromium, address) as visit:
        await visit.sign_in()
        for name, path in pages.items():
            await visit.page.goto(path)
            await visit.pictures(name)
