"""The list of monitors: found, ordered, grouped, kept as a view, changed by the dozen, and walked by keys."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser, Page, expect

from pinguin.db import Pool, connection
from tests.browser import history
from tests.browser.conftest import visiting
from tests.factory import fetch

PATIENT = 30_000
SCREENS = (("light", 1280), ("dark", 1280), ("light", 390))


@pytest.fixture
async def monitors(pool: Pool) -> AsyncIterator[list[int]]:
    yield await history.write(pool, days=2.0)
    async with connection(pool) as conn:
        for relation in ("results", "results_hourly", "results_daily"):
            await conn.execute(f"truncate {relation}")


async def ready(page: Page, path: str = "/monitors") -> None:
    """The page with its scripts begun."""
    await page.goto(path)
    await page.wait_for_function("window.htmx && document.documentElement.classList.contains('js')")


async def test_many_are_paused_and_that_is_undone(
    chromium: Browser, address: str, pool: Pool, monitors: list[int]
) -> None:
    before = await fetch(pool, "select id, enabled, tags, archived_at from monitors order by id")
    for scheme, width in SCREENS:
        async with visiting(chromium, address, color_scheme=scheme, width=width) as visit:
            await visit.sign_in()
            page, name = visit.page, f"{scheme}-{width}"
            await ready(page)
            await expect(page.locator(".bulk")).to_be_hidden()
            for row in (0, 1, 3):
                await page.locator("input.pick").nth(row).check()
            await expect(page.locator("[data-many]")).to_have_text("3 ticked")
            await visit.shot(f"list-ticked-{name}")
            await page.get_by_role("button", name="Pause", exact=True).click()
            await expect(page.locator(".toast")).to_contain_text("Paused 3 monitors", timeout=PATIENT)
            await expect(page.locator(".cells.s-paused")).to_have_count(4)
            await visit.shot(f"list-paused-{name}")
            await page.reload()
            await page.get_by_role("button", name="Undo").click()
            await expect(page.locator("#notice")).to_contain_text("Undone", timeout=PATIENT)
            await expect(page.locator(".cells.s-paused")).to_have_count(1)
            assert await page.evaluate("document.documentElement.scrollWidth") <= width
        assert await fetch(pool, "select id, enabled, tags, archived_at from monitors order by id") == before


async def test_the_list_in_groups_looks_right(chromium: Browser, address: str, monitors: list[int]) -> None:
    for scheme, width in SCREENS:
        async with visiting(chromium, address, color_scheme=scheme, width=width) as visit:
            await visit.sign_in()
            for name, path in {
                "list-groups": "/monitors?group=tag",
                "list-filtered": "/monitors?tag=production&tag=api&sort=latency",
            }.items():
                await ready(visit.page, path)
                await visit.shot(f"{name}-{scheme}-{width}")
                assert await visit.page.evaluate("document.documentElement.scrollWidth") <= width
            await ready(visit.page)
            await visit.page.keyboard.press("?")
            await expect(visit.page.locator("#keys")).to_be_visible()
            await visit.page.screenshot(path=f"artifacts/list-keys-{scheme}-{width}.png")
