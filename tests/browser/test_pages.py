from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator

import pytest
from litestar import Litestar
from playwright.async_api import Browser, expect

from pinguin.db import Pool, connection
from tests.browser import history
from tests.browser.conftest import visiting
from tests.factory import add_incident, add_monitor, add_result, fetch, set_status

SHORT = 2.0
"""Days of history for the screenshots of every run; those in the docs have thirty."""


@pytest.fixture
async def monitors(pool: Pool) -> AsyncIterator[list[int]]:
    yield await history.write(pool, days=SHORT)
    async with connection(pool) as conn:
        for relation in ("results", "results_hourly", "results_daily"):
            await conn.execute(f"truncate {relation}")


async def test_the_pages_look_right_on_every_screen(chromium: Browser, address: str, monitors: list[int]) -> None:
    """No error, nothing refused by the policy, nothing wider than the screen; pictures for people in artifacts/."""
    pages = {
        "list": "/monitors",
        "monitor": f"/monitors/{monitors[0]}",
        "monitor-down": f"/monitors/{monitors[1]}?range=6h",
        "form": "/monitors/new",
        "edit": f"/monitors/{monitors[0]}/edit",
        "incidents": "/incidents",
        "nothing": "/monitors?q=nothing+like+it",
        "delete": f"/monitors/{monitors[0]}/delete",
    }
    async with visiting(chromium, address) as visit:
        await visit.sign_in()
        for name, path in pages.items():
            await visit.page.goto(path)
            await visit.pictures(name)


async def test_a_result_changes_the_row_without_a_reload_or_a_jump(
    chromium: Browser, address: str, pool: Pool, app: Litestar
) -> None:
    monitor = await add_monitor(pool, name="shop")
    await set_status(pool, monitor, "up")
    async with visiting(chromium, address) as visit:
        await visit.sign_in()
        page = visit.page
        await page.goto("/monitors")
        await expect(page.locator("#live")).to_have_text("Live")
        await page.evaluate(
            """() => { window.mark = true; window.shifted = 0;
              new PerformanceObserver((list) => list.getEntries().forEach((e) => window.shifted += e.value))
                .observe({type: "layout-shift"}); }"""
        )
        await page.focus(f"#m{monitor}-link")
        await add_result(pool, monitor, "down", reason="timeout", message="no answer", latency_ms=None)
        await set_status(pool, monitor, "down", "timeout")
        await app.state.web.broker.announce_results([monitor])
        await expect(page.locator(f"#m{monitor}")).to_have_class(re.compile("s-down"))
        await expect(page.locator("h1")).to_have_text("1 of 1 monitor is down")
        await expect(page.locator(f"#m{monitor} .b-down")).to_have_count(1)
        assert await page.evaluate("window.mark && document.activeElement.id") == f"m{monitor}-link"
        assert await page.evaluate("window.shifted") < 0.01


async def test_a_monitor_that_is_added_elsewhere_appears(
    chromium: Browser, address: str, pool: Pool, app: Litestar
) -> None:
    async with visiting(chromium, address) as visit:
        await visit.sign_in()
        await visit.page.goto("/monitors")
        await expect(visit.page.locator("h1")).to_have_text("Nothing is watched yet")
        await expect(visit.page.locator("#live")).to_have_text("Live")
        for name in ("shop", "mail"):
            await app.state.web.broker.announce_change([await add_monitor(pool, name=name)])
            await expect(visit.page.get_by_role("link", name=name)).to_be_visible()


async def test_a_monitor_that_is_deleted_elsewhere_is_not_shown_on(
    chromium: Browser, address: str, pool: Pool, app: Litestar
) -> None:
    monitor = await add_monitor(pool, name="shop")
    async with visiting(chromium, address) as visit:
        await visit.sign_in()
        await visit.page.goto(f"/monitors/{monitor}")
        await expect(visit.page.locator("#live")).to_have_text("Live")
        await fetch(pool, "update monitors set archived_at = now() where id = %s returning 1", monitor)
        await app.state.web.broker.announce_change([monitor])
        await expect(visit.page.locator("h1")).to_have_text("There is nothing here")
        visit.complaints[:] = [words for words in visit.complaints if "404" not in words]


async def test_without_events_the_page_asks_every_15_seconds(chromium: Browser, address: str, pool: Pool) -> None:
    monitor = await add_monitor(pool, name="shop")
    await set_status(pool, monitor, "up")
    async with visiting(chromium, address) as visit:
        await visit.page.clock.install()
        await visit.page.route(re.compile(r"/live/list\?"), lambda route: route.abort())
        await visit.sign_in()
        await visit.page.goto("/monitors")
        await set_status(pool, monitor, "down", "timeout")
        await visit.page.clock.run_for(4_000)
        await expect(visit.page.locator("#live")).to_have_text("Every 15 s")
        await visit.page.clock.run_for(16_000)
        await expect(visit.page.locator(f"#m{monitor}")).to_have_class(re.compile("s-down"))
        visit.complaints[:] = [words for words in visit.complaints if "ERR_FAILED" not in words]


async def test_a_mark_tells_its_time_latency_and_reason(chromium: Browser, address: str, pool: Pool) -> None:
    monitor = await add_monitor(pool, name="shop")
    await add_result(pool, monitor, "down", reason="timeout", message="no answer", latency_ms=None)
    async with visiting(chromium, address, timezone_id="Asia/Tokyo") as visit:
        await visit.sign_in()
        await visit.page.goto("/monitors")
        bar = visit.page.locator(f"#m{monitor} svg.beats")
        box = await bar.bounding_box()
        assert box is not None
        await bar.hover(position={"x": box["width"] - 3, "y": 10})
        tip = visit.page.locator("#tip")
        await expect(tip).to_contain_text("timeout: no answer")
        await expect(tip).to_contain_text("GMT+9")


async def test_the_list_is_filtered_as_one_types(chromium: Browser, address: str, pool: Pool) -> None:
    for name in ("shop", "mail", "api"):
        await add_monitor(pool, name=name)
    async with visiting(chromium, address) as visit:
        await visit.sign_in()
        await visit.page.goto("/monitors")
        await visit.page.locator("#q").press_sequentially("mai")
        await expect(visit.page.locator(".row")).to_have_count(1)
        await expect(visit.page).to_have_url(re.compile(r"q=mai"))
        assert await visit.page.evaluate("document.activeElement.id") == "q"


async def test_another_type_swaps_its_options_and_keeps_the_rest(chromium: Browser, address: str) -> None:
    async with visiting(chromium, address) as visit:
        await visit.sign_in()
        page = visit.page
        await page.goto("/monitors/new")
        await page.fill("#f-name", "typed before")
        await page.get_by_role("button", name="TCP port").click()
        await expect(page.locator("#f-options-port")).to_be_visible()
        await expect(page.locator("#f-name")).to_have_value("typed before")
        await expect(page.locator("#f-options-url")).to_have_count(0)


async def test_a_check_is_tried_from_the_form(chromium: Browser, address: str) -> None:
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    async with server, visiting(chromium, address) as visit:
        await visit.sign_in()
        page = visit.page
        await page.goto("/monitors/new?type=tcp")
        await page.fill("#f-options-host", "127.0.0.1")
        await page.fill("#f-options-port", str(server.sockets[0].getsockname()[1]))
        await page.get_by_role("button", name="Test now").click()
        await expect(page.locator("#outcome")).to_contain_text("Up")
        await expect(page.locator("#outcome")).to_contain_text("nothing was saved")
        await visit.shot("try-light-1280")


async def test_a_chosen_theme_stays(chromium: Browser, address: str) -> None:
    async with visiting(chromium, address, color_scheme="light") as visit:
        await visit.sign_in()
        await visit.page.goto("/")
        ground = "getComputedStyle(document.documentElement).backgroundColor"
        light = await visit.page.evaluate(ground)
        await visit.page.click("#theme")
        assert await visit.page.evaluate(ground) == light
        await visit.page.click("#theme")
        dark = await visit.page.evaluate(ground)
        await visit.page.reload()
        assert await visit.page.evaluate(ground) == dark != light


async def test_everything_but_the_live_parts_works_without_javascript(
    chromium: Browser, address: str, pool: Pool
) -> None:
    async with visiting(chromium, address, java_script_enabled=False) as visit:
        await visit.sign_in_by_hand()
        page = visit.page
        await page.goto("/monitors")
        await page.click("text=Add your first monitor")
        await page.fill("#f-name", "no script")
        await page.get_by_role("button", name="TCP port").click()
        await expect(page.locator("#f-name")).to_have_value("no script")
        await page.fill("#f-options-host", "127.0.0.1")
        await page.fill("#f-options-port", "9")
        await page.get_by_role("button", name="Test now").click()
        await expect(page.locator("#outcome")).to_contain_text("Down")
        await page.press("#f-name", "Enter")
        await expect(page.locator("h1")).to_have_text("no script")
        await page.get_by_role("button", name="Pause").click()
        await expect(page.locator("#head")).to_contain_text("Paused")
        await page.get_by_role("link", name="7d").click()
        await page.get_by_role("link", name="Delete").click()
        await page.get_by_role("button", name="Delete it").click()
        await expect(page.locator("h1")).to_have_text("Nothing is watched yet")
        await page.click("summary[aria-label='Account of ada']")
        await page.click("text=Sign out")
        await expect(page.locator("h1")).to_have_text("Sign in")
    assert await fetch(pool, "select archived_at is not null from monitors") == [(True,)]


async def test_a_keyboard_is_enough(chromium: Browser, address: str, pool: Pool) -> None:
    monitor = await add_monitor(pool, name="shop")
    async with visiting(chromium, address) as visit:
        await visit.sign_in()
        page = visit.page
        await page.goto("/monitors")
        await page.keyboard.press("Tab")
        await expect(page.locator(".skip")).to_be_focused()
        for _ in range(25):
            await page.keyboard.press("Tab")
            if await page.evaluate("document.activeElement.id") == f"m{monitor}-link":
                break
        await page.keyboard.press("Enter")
        await expect(page.locator("h1")).to_have_text("shop")


async def test_keys_walk_incidents_and_what_is_down(chromium: Browser, address: str, pool: Pool) -> None:
    for name in ("shop", "mail"):
        await add_incident(pool, await add_monitor(pool, name=name))
    await fetch(pool, "update monitor_states set status = 'down', since = now() returning 1")
    async with visiting(chromium, address) as visit:
        await visit.sign_in()
        page = visit.page
        await page.goto("/incidents")
        first, second = (page.locator(".incident").nth(place) for place in (0, 1))
        for key, focused in (("j", first), ("j", second), ("k", first)):
            await page.keyboard.press(key)
            await expect(focused.locator(".line a")).to_be_focused()
        await page.keyboard.press("x")
        await expect(first.locator("input")).to_be_checked()
        await expect(second.locator("input")).not_to_be_checked()
        await page.keyboard.press("g")
        await page.keyboard.press("d")
        await page.wait_for_url("**/")
        await expect(page.locator("#dash-down .trouble")).to_have_count(2)
        await page.keyboard.press("j")
        await expect(page.locator("#dash-down .trouble .line a").first).to_be_focused()
        await page.keyboard.press("g")
        await page.keyboard.press("s")
        await page.wait_for_url("**/sql")
