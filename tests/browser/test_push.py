"""A push monitor in a real browser: made, pinged, watched live."""

from __future__ import annotations

import httpx
import pytest
from playwright.async_api import Browser, expect

from pinguin.db import Pool
from tests.browser.conftest import visiting
from tests.store.pushing import token


@pytest.mark.parametrize("width", [1280, 400])
async def test_a_job_is_added_and_its_pings_appear_by_themselves(
    chromium: Browser, address: str, pool: Pool, width: int
) -> None:
    async with visiting(chromium, address, width) as visit:
        page = visit.page
        await visit.sign_in()
        await page.goto("/monitors/new")
        await page.fill("#f-name", "Nightly backup")
        await page.click("text=Push (cron job)")
        await expect(page.locator("#f-options-period-s")).to_be_visible()
        await expect(page.locator("#f-name")).to_have_value("Nightly backup")
        await expect(page.locator("#f-failure-threshold")).to_have_value("1")
        await expect(page.locator("#f-interval-s")).to_have_count(0)
        await expect(page.locator("text=Test now")).to_have_count(0)
        await visit.shot(f"push-form-{width}")
        await page.click("text=Add monitor")

        await expect(page.locator("#push-url")).to_have_text(f"{address}/ping/{await token(pool, 1)}")
        await page.click('[data-copy="push-url"]')
        async with httpx.AsyncClient() as job:
            where = f"{address}/{await token(pool, 1)}"
            await job.get(f"{where}/start")
            await job.post(f"{where}/3", content="disk full\nno space left on device")
            await expect(page.locator("#pings tbody tr")).to_have_count(2)
            await expect(page.locator("#head .big")).to_contain_text("Down")
            await job.post(where, content="42 files")
        await expect(page.locator("#head .big")).to_contain_text("Up")
        await expect(page.locator("#pings tbody tr")).to_have_count(3)
        await page.click("#pings details summary >> nth=0")
        wide = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0
        await visit.shot(f"push-{width}")
