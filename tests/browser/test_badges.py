"""Badges and the list of the API's operations, as people see them."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.async_api import Browser

from pinguin.db import Pool
from tests.browser.conftest import PHONE, WIDE, Looks, Visit, visiting
from tests.factory import add_monitor, fetch, set_status

SCREENS: list[tuple[Looks, list[str], dict[str, Any]]] = [
    ((("light", WIDE), ("dark", WIDE)), ["light", "dark"], {}),
    ((("light", PHONE),), ["phone"], {"has_touch": True}),
]


@pytest.fixture
async def monitor(pool: Pool) -> int:
    made = await add_monitor(pool, name="Shop")
    await set_status(pool, made, "up")
    await fetch(pool, "update monitor_states set latency_ms = 84 where monitor_id = %s returning 1", made)
    return made


async def test_badges_are_opened_for_anybody_and_closed_again(chromium: Browser, address: str, monitor: int) -> None:
    async with visiting(chromium, address) as visit:
        await visit.sign_in()
        page = visit.page
        await page.goto(f"/monitors/{monitor}/badges")
        assert await page.locator("img").count() == 4
        await page.click("text=Make a link for anybody")
        await page.wait_for_selector("text=Take the link back")
        link = await page.locator("pre code").first.inner_text()
        async with visiting(chromium, address) as stranger:
            shown = await stranger.page.request.get(link)
            assert (shown.status, shown.headers["content-type"].partition(";")[0]) == (200, "image/svg+xml")
            assert "status: up" in await shown.text()
        await page.click("text=Take the link back")
        await page.wait_for_selector("text=Make a link for anybody")
        answer = await page.request.get(link)
        assert answer.status == 404


@pytest.mark.parametrize(("looks", "names", "given"), SCREENS, ids=["wide", "phone"])
async def test_the_pages_look_right_on_every_screen(
    chromium: Browser, address: str, monitor: int, looks: Looks, names: list[str], given: dict[str, Any]
) -> None:
    async with visiting(chromium, address, looks[0][1], **given) as visit:
        await visit.sign_in()
        await visit.page.goto(f"/monitors/{monitor}/badges")
        await visit.page.click("text=Make a link for anybody")
        await visit.page.wait_for_selector("text=Take the link back")
        await shown(visit, "badges", looks, names)
        await visit.page.goto("/api")
        await visit.page.wait_for_selector("h1:has-text('API')")
        await shown(visit, "api", looks, names)


async def shown(visit: Visit, page: str, looks: Looks, names: list[str]) -> None:
    left = iter(names)
    async for _, width in visit.looks(looks):
        assert await visit.page.evaluate("document.documentElement.scrollWidth") <= width, page
        await visit.shot(f"{page}-{next(left)}")
