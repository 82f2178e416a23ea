"""A monitor's charts in a browser: dragged over, read as tables, without scripts, on a phone, and going on live."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import cast
from urllib.parse import parse_qs, urlsplit

import pytest
from litestar import Litestar
from playwright.async_api import Browser, Error, Page, Route, expect

from pinguin.db import Pool, connection
from tests.browser import history
from tests.browser.conftest import PHONE, WIDE, Looks, visiting
from tests.factory import add_incident, add_monitor, add_result, fetch, set_status

SHIFTS = """() => { window.shifted = 0; new PerformanceObserver((list) => list.getEntries().forEach((each) => {
  if (!each.hadRecentInput) window.shifted += each.value })).observe({type: "layout-shift", buffered: true}); }"""
SLOW = 30_000
ZONE = "Europe/Berlin"


@pytest.fixture
async def monitors(pool: Pool) -> AsyncIterator[list[int]]:
    yield await history.write(pool, days=9, wanted=history.PAST[:2])
    async with connection(pool) as conn:
        for relation in ("results", "results_hourly", "results_daily"):
            await conn.execute(f"truncate {relation}")


def stretch(address: str) -> tuple[datetime, datetime]:
    asked = parse_qs(urlsplit(address).query)
    return datetime.fromisoformat(asked["from"][0]), datetime.fromisoformat(asked["to"][0])


async def drag(page: Page, begin: float, end: float) -> None:
    """Over the latency chart, from one share of its width to another."""
    await expect(page.locator("#chart")).to_have_attribute("data-zone", ZONE, timeout=SLOW)  # no swap is under way
    await expect(page.locator(".brush-hint")).to_be_visible(timeout=SLOW)
    plot = page.locator("#chart svg.plot").first
    await plot.scroll_into_view_if_needed()
    box = await plot.bounding_box()
    assert box
    y = box["y"] + box["height"] / 2
    await page.mouse.move(box["x"] + box["width"] * begin, y)
    await page.mouse.down()
    await page.mouse.move(box["x"] + box["width"] * (begin + end) / 2, y)
    await expect(page.locator("#chart .brush")).to_have_count(1)
    await page.mouse.move(box["x"] + box["width"] * end, y)
    await page.mouse.up()


async def bounds(page: Page) -> tuple[float, float]:
    plot = page.locator("#chart svg.plot").first
    return float(cast(str, await plot.get_attribute("data-origin"))), float(
        cast(str, await plot.get_attribute("data-ending"))
    )


async def test_a_part_of_the_chart_is_chosen_by_dragging_and_left_by_going_back(
    chromium: Browser, address: str, monitors: list[int]
) -> None:
    async with visiting(chromium, address, timezone_id=ZONE) as visit:
        await visit.sign_in()
        page = visit.page
        await page.goto(f"/monitors/{monitors[0]}?range=7d")
        await page.evaluate("window.mark = true")
        await expect(page.locator("#chart")).to_have_attribute("data-zone", ZONE, timeout=SLOW)
        origin, ending = await bounds(page)
        await drag(page, 0.25, 0.5)
        await expect(page).to_have_url(re.compile("from="), timeout=SLOW)
        since, until = stretch(page.url)
        week = ending - origin
        assert abs(since.timestamp() - (origin + week / 4)) < week / 100
        assert abs(until.timestamp() - (origin + week / 2)) < week / 100
        await expect(page.locator("#chart .source")).to_contain_text("every check")
        await expect(page.locator("#chart .ranges [aria-current]")).to_have_count(0)
        await drag(page, 0.4, 0.402)
        closer = re.compile(f"from=(?!{re.escape(parse_qs(urlsplit(page.url).query)['from'][0].replace(':', '%3A'))})")
        await drag(page, 0.4, 0.6)
        await expect(page).to_have_url(closer, timeout=SLOW)
        assert stretch(page.url)[0] > since
        await page.go_back()
        await expect(page).to_have_url(re.compile(re.escape(f"from={since:%Y-%m-%d}")), timeout=SLOW)
        await page.go_back()
        await expect(page.locator("#range-7d")).to_have_attribute("aria-current", "true", timeout=SLOW)
        await expect(page.locator(".head")).to_have_count(1)
        await page.go_forward()
        await expect(page.locator("#chart .ranges [aria-current]")).to_have_count(0, timeout=SLOW)
        assert await page.evaluate("window.mark"), "the page was not loaded anew"
        plot = page.locator("#chart svg.plot").first
        box = await plot.bounding_box()
        assert box
        await plot.hover(position={"x": box["width"] / 2, "y": 60})
        await expect(page.locator("#tip")).to_contain_text("p95")
        await expect(page.locator("#live")).to_have_text("Live", timeout=SLOW)
        await visit.shot("monitor-zoomed")


async def test_going_back_twice_at_once_shows_where_it_leads(
    chromium: Browser, address: str, monitors: list[int]
) -> None:
    """Whichever of both answers comes last."""
    second_shown = asyncio.Event()

    async def late(route: Route) -> None:
        answer = await route.fetch()
        if "hx-history-restore-request" in route.request.headers and "range=1h" in route.request.url:
            await second_shown.wait()
        with suppress(Error):  # it is not wanted any more
            await route.fulfill(response=answer)

    async with visiting(chromium, address) as visit:
        await visit.sign_in()
        page = visit.page
        await page.goto(f"/monitors/{monitors[0]}?range=7d")
        for name in ("1h", "30d"):
            await page.locator(f"#range-{name}").click()
            await expect(page.locator(f"#range-{name}")).to_have_attribute("aria-current", "true", timeout=SLOW)
        await page.route("**/monitors/*?range=*", late)
        await page.evaluate("history.back()")
        await expect(page).to_have_url(re.compile("range=1h"), timeout=SLOW)
        await page.evaluate("history.back()")
        await expect(page.locator("#range-7d")).to_have_attribute("aria-current", "true", timeout=SLOW)
        second_shown.set()
        for _ in range(3):
            await page.evaluate("fetch('/healthz').then(answer => answer.text())")
        await expect(page).to_have_url(re.compile("range=7d"))
        await expect(page.locator("#range-7d")).to_have_attribute("aria-current", "true")


async def test_a_drag_is_given_up_with_escape_and_a_click_is_none(
    chromium: Browser, address: str, monitors: list[int]
) -> None:
    async with visiting(chromium, address, timezone_id=ZONE) as visit:
        await visit.sign_in()
        page = visit.page
        await page.goto(f"/monitors/{monitors[0]}")
        await drag(page, 0.5, 0.501)
        await expect(page.locator("#chart .brush")).to_have_count(0)
        box = await page.locator("#chart svg.plot").first.bounding_box()
        assert box
        await page.mouse.move(box["x"] + 100, box["y"] + 50)
        await page.mouse.down()
        await page.mouse.move(box["x"] + 300, box["y"] + 50)
        await page.keyboard.press("Escape")
        await expect(page.locator("#chart .brush")).to_have_count(0)
        await page.mouse.up()
        assert "from=" not in page.url


async def test_the_same_without_a_mouse(chromium: Browser, address: str, monitors: list[int]) -> None:
    async with visiting(chromium, address, timezone_id="Asia/Tokyo") as visit:
        await visit.sign_in()
        page = visit.page
        day = datetime.now(UTC).date() - timedelta(days=3)
        await page.goto(f"/monitors/{monitors[0]}?from={day}")
        await expect(page.locator("#chart")).to_have_attribute("data-zone", "Asia/Tokyo", timeout=SLOW)
        await expect(page.locator("#f-from")).to_have_value(f"{day}T09:00")
        await page.fill("#f-from", f"{day}T09:00")
        await page.fill("#f-to", f"{day}T21:00")
        await page.keyboard.press("Enter")
        await expect(page).to_have_url(re.compile("zone=Asia"), timeout=SLOW)
        begin = datetime(day.year, day.month, day.day, tzinfo=UTC)
        assert (await bounds(page)) == (begin.timestamp(), (begin + timedelta(hours=12)).timestamp())
        await page.locator("#move-1").focus()
        await page.keyboard.press("Enter")
        await expect(page).to_have_url(re.compile("from="), timeout=SLOW)
        earlier = str(int(begin.timestamp()) - 12 * 3600)
        await expect(page.locator("#chart svg.plot").first).to_have_attribute("data-origin", earlier, timeout=SLOW)
        await expect(page.locator("#move-1")).to_be_focused()


@pytest.mark.parametrize("width", [WIDE, PHONE])
async def test_days_hours_and_tables_on_every_screen(
    chromium: Browser, address: str, monitors: list[int], width: int
) -> None:
    looks: Looks = (("light", width), ("dark", width))
    async with visiting(chromium, address, width, timezone_id=ZONE) as visit:
        await visit.sign_in()
        page = visit.page
        await page.goto(f"/monitors/{monitors[0]}?range=7d")
        await page.evaluate(SHIFTS)
        await expect(page.locator("#days")).to_have_attribute("data-zone", ZONE, timeout=SLOW)
        await page.evaluate("document.getElementById('hours').scrollIntoView()")
        await expect(page.locator("#hours")).to_have_attribute("hx-trigger", "zone", timeout=SLOW)
        await expect(page.locator("#hours .cell")).to_have_count(7 * 24 + 5)
        assert await page.evaluate("window.shifted") < 0.02
        cell = page.locator("#hours .hit").nth(30)
        await cell.hover()
        await expect(page.locator("#tip")).to_contain_text("Tuesday 06:00 to 07:00")
        await page.click("#heat-30")
        await expect(page.locator("#heat-30")).to_have_attribute("aria-current", "true", timeout=SLOW)
        await page.locator("#hours .table summary").click()
        await expect(page.locator("#hours table tbody tr")).to_have_count(24)
        bar = page.locator("#days .hit").last
        await bar.hover()
        await expect(page.locator("#tip")).to_contain_text("uptime")
        await page.locator("#days .table summary").click()
        await expect(page.locator("#days table tbody tr")).to_have_count(90)
        await page.click("#as-table")
        await expect(page.locator("#table tbody tr").first).to_be_visible(timeout=SLOW)
        async for scheme, _ in visit.looks(looks):
            assert await page.evaluate("document.documentElement.scrollWidth") <= width
            await visit.shot(f"monitor-charts-tables-{scheme}-{width}")
        await page.goto(f"/monitors/{monitors[1]}?range=24h&heat=90")
        async for scheme, _ in visit.looks(looks):
            await visit.shot(f"monitor-charts-{scheme}-{width}")
        await page.goto(f"/monitors/{monitors[1]}/results?status=down")
        async for scheme, _ in visit.looks(looks):
            await expect(page.locator("#found tr").first).to_be_visible()
            assert await page.evaluate("document.documentElement.scrollWidth") <= width
            await visit.shot(f"monitor-results-{scheme}-{width}")


async def test_a_bar_leads_to_its_day(chromium: Browser, address: str, monitors: list[int]) -> None:
    async with visiting(chromium, address, timezone_id=ZONE) as visit:
        await visit.sign_in()
        page = visit.page
        await page.goto(f"/monitors/{monitors[0]}")
        await expect(page.locator("#days")).to_have_attribute("data-zone", ZONE, timeout=SLOW)
        day = await page.locator("#days .hit").nth(-3).get_attribute("data-day")
        await page.locator("#days .hit").nth(-3).click()
        await expect(page).to_have_url(re.compile("from="), timeout=SLOW)
        since, until = stretch(page.url)
        assert until - since == timedelta(days=1)
        assert (since + timedelta(hours=12)).date().isoformat() == day


async def test_all_of_it_is_there_without_scripts(chromium: Browser, address: str, monitors: list[int]) -> None:
    async with visiting(chromium, address, java_script_enabled=False) as visit:
        await visit.sign_in()
        page = visit.page
        await page.goto(f"/monitors/{monitors[0]}")
        await expect(page.locator("#chart svg.plot .p50")).not_to_have_count(0)
        await page.click("#range-7d")
        await expect(page).to_have_url(re.compile("range=7d"))
        await page.click("#as-table")
        await expect(page.locator("#table tbody tr").first).to_be_visible()
        await page.click("#hours noscript a")
        await expect(page).to_have_url(re.compile("heat=90"))
        await expect(page.locator("#hours .h-up").nth(20)).to_be_visible()
        await page.fill("#f-zone", "Asia/Kathmandu")
        await page.click("#hours .zone-form button")
        await expect(page.locator("#days")).to_contain_text("days of Asia/Kathmandu")


async def test_the_chart_goes_on_as_results_come(chromium: Browser, address: str, pool: Pool, app: Litestar) -> None:
    monitor = await add_monitor(pool, interval_s=1)
    await add_result(pool, monitor, seconds_ago=60)
    async with visiting(chromium, address) as visit:
        await visit.sign_in()
        page = visit.page
        await page.goto(f"/monitors/{monitor}?range=1h")
        await expect(page.locator("#live")).to_have_text("Live", timeout=SLOW)
        await page.mouse.move(5, 5)
        await add_result(pool, monitor, seconds_ago=5)
        async with asyncio.timeout(60):
            while await page.locator("#chart .account").filter(has_text="2 of 2").count() == 0:
                await app.state.web.broker.announce_results([monitor])
                await asyncio.sleep(0.5)
        assert "range=1h" in page.url


async def test_a_result_is_there_once_however_often_it_is_told(
    chromium: Browser, address: str, pool: Pool, app: Litestar
) -> None:
    monitor = await add_monitor(pool)
    await add_result(pool, monitor, seconds_ago=65)
    async with visiting(chromium, address) as visit:
        await visit.sign_in()
        page = visit.page
        await page.goto(f"/monitors/{monitor}")
        await expect(page.locator("#live")).to_have_text("Live", timeout=SLOW)
        await expect(page.locator("#lines tr")).to_have_count(1)
        await add_result(pool, monitor, seconds_ago=5)
        for _ in range(3):  # as where events do not come through
            async with page.expect_response(lambda answer: "/rows" in answer.url):
                await page.evaluate("htmx.trigger(document.querySelector('[hx-trigger=poll]'), 'poll')")
            await expect(page.locator("#lines tr")).to_have_count(2, timeout=SLOW)
        await add_result(pool, monitor, seconds_ago=1)
        await app.state.web.broker.announce_results([monitor])
        await expect(page.locator("#lines tr")).to_have_count(3, timeout=SLOW)


async def test_an_incident_shows_while_it_is_open(chromium: Browser, address: str, pool: Pool, app: Litestar) -> None:
    monitor = await add_monitor(pool, name="shop")
    await set_status(pool, monitor, "up")
    async with visiting(chromium, address) as visit:
        await visit.sign_in()
        page = visit.page
        await page.goto(f"/monitors/{monitor}")
        await expect(page.locator("#live")).to_have_text("Live", timeout=SLOW)
        await expect(page.locator("#open-incident")).to_have_text("")
        incident = await add_incident(pool, monitor, message="no answer within 5 s")
        await set_status(pool, monitor, "down", "timeout")
        await app.state.web.broker.announce_results([monitor])
        banner = page.locator("#open-incident")
        await expect(banner).to_contain_text("no answer within 5 s", timeout=SLOW)
        await expect(banner).to_contain_text("Nobody has acknowledged it yet")
        await fetch(
            pool,
            "update incidents set acknowledged_at = now(), acknowledged_by = 'bob' where id = %s returning 1", incident,
        )  # fmt: skip
        await app.state.web.broker.announce_results([monitor])
        await expect(banner).to_contain_text("bob takes care of it", timeout=SLOW)
        await fetch(pool, "update incidents set ended_at = now() where id = %s returning 1", incident)
        await app.state.web.broker.announce_results([monitor])
        await expect(banner).to_have_text("", timeout=SLOW)


@pytest.mark.parametrize("width", [WIDE, PHONE])
async def test_what_lies_deep_in_the_evidence_has_room(chromium: Browser, address: str, pool: Pool, width: int) -> None:
    shop = await add_monitor(pool, name="Shop")
    hop = {"url": "http://203.0.113.7/", "phases": {"first_byte": 1234.567}}
    await add_result(pool, shop, evidence=json.dumps({"hops": [hop, hop]}))
    async with visiting(chromium, address, width) as visit:
        await visit.sign_in()
        await visit.page.goto(f"/monitors/{shop}")
        row = visit.page.locator("table.log tbody tr").first
        await row.locator("summary").click()
        heights = [await each.bounding_box() for each in await row.get_by_text("1234.567", exact=True).all()]

    assert [each and each["height"] < 30 for each in heights] == [True, True]
