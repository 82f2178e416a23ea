"""The list of monitors: found, ordered, grouped, kept as a view, changed by the dozen, and walked by keys."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import pytest
from litestar import Litestar
from playwright.async_api import Browser, Page, expect

from pinguin.db import Pool, connection
from tests.browser import history
from tests.browser.conftest import PHONE, WIDE, Looks, visiting
from tests.factory import add_monitor, add_result, fetch, set_status

PATIENT = 30_000


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
    looks: tuple[Looks, ...] = ((("light", WIDE), ("dark", WIDE)), (("light", PHONE),))
    for seen in looks:
        async with visiting(chromium, address, seen[0][1]) as visit:
            await visit.sign_in()
            page = visit.page
            await ready(page)
            await expect(page.locator(".bulk")).to_be_hidden()
            for row in (0, 1, 3):
                await page.locator("input.pick").nth(row).check()
            await expect(page.locator("[data-many]")).to_have_text("3 ticked")
            async for scheme, width in visit.looks(seen):
                await visit.shot(f"list-ticked-{scheme}-{width}")
            await page.get_by_role("button", name="Pause", exact=True).click()
            await expect(page.locator(".toast")).to_contain_text("Paused 3 monitors", timeout=PATIENT)
            await expect(page.locator(".cells.s-paused")).to_have_count(4)
            async for scheme, width in visit.looks(seen):
                await visit.shot(f"list-paused-{scheme}-{width}")
            await page.reload()
            await page.get_by_role("button", name="Undo").click()
            await expect(page.locator("#notice")).to_contain_text("Undone", timeout=PATIENT)
            await expect(page.locator(".cells.s-paused")).to_have_count(1)
            assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert await fetch(pool, "select id, enabled, tags, archived_at from monitors order by id") == before


async def test_the_list_in_groups_looks_right(chromium: Browser, address: str, monitors: list[int]) -> None:
    async with visiting(chromium, address) as visit:
        await visit.sign_in()
        for name, path in {
            "list-groups": "/monitors?group=tag",
            "list-filtered": "/monitors?tag=production&tag=api&sort=latency",
        }.items():
            await ready(visit.page, path)
            async for scheme, width in visit.looks():
                await visit.shot(f"{name}-{scheme}-{width}")
                assert await visit.page.evaluate("document.documentElement.scrollWidth") <= width
        await ready(visit.page)
        await visit.page.keyboard.press("?")
        async for scheme, width in visit.looks():
            await expect(visit.page.locator("#keys")).to_be_visible()
            await visit.shot(f"list-keys-{scheme}-{width}", full_page=False)


async def test_keys_search_walk_tick_and_open(chromium: Browser, address: str, pool: Pool) -> None:
    ids = [await add_monitor(pool, name=name) for name in ("alpha", "beta", "gamma")]
    await add_result(pool, ids[0], "down", reason="timeout", message="no answer", latency_ms=None)
    await add_result(pool, ids[0], "up", seconds_ago=90)
    async with visiting(chromium, address) as visit:
        await visit.sign_in()
        page, keys = visit.page, visit.page.keyboard
        await ready(page)
        await keys.press("j")
        await expect(page.get_by_role("link", name="alpha")).to_be_focused()
        await keys.press("ArrowLeft")
        await expect(page.locator("#tip")).to_contain_text("timeout: no answer")
        await keys.press("ArrowLeft")
        await expect(page.locator("#tip")).to_contain_text("12.5 ms")
        await expect(page.locator("#said")).to_contain_text("12.5 ms")
        await keys.press("Escape")
        await expect(page.locator("#tip")).to_be_hidden()
        await keys.press("j")
        await keys.press("j")
        await keys.press("j")
        await expect(page.get_by_role("link", name="gamma")).to_be_focused()
        await keys.press("k")
        await keys.press("x")
        await expect(page.locator(f'input[name="m{ids[1]}"]')).to_be_checked()
        await expect(page.locator(".bulk")).to_be_visible()
        await keys.press("x")
        await expect(page.locator(".bulk")).to_be_hidden()
        await keys.press("/")
        await expect(page.locator("#q")).to_be_focused()
        await keys.type("j?x")  # in a field they are letters
        await expect(page.locator("#q")).to_have_value("j?x")
        await expect(page.locator("h2", has_text="No monitor matches")).to_be_visible()
        await page.fill("#q", "gam")
        await expect(page.locator(".row")).to_have_count(1)
        await keys.press("Escape")
        await keys.press("?")
        await expect(page.get_by_role("dialog", name="Keys")).to_be_visible()
        await keys.press("Escape")
        await expect(page.get_by_role("dialog", name="Keys")).to_be_hidden()
        await keys.press("j")
        await expect(page.get_by_role("link", name="gamma")).to_be_focused()
        await expect(page.locator("#q")).to_have_value("gam")
        await keys.press("Enter")
        await expect(page.locator("h1")).to_have_text("gamma")
        await keys.press("g")
        await keys.press("m")
        await expect(page).to_have_url(re.compile("/monitors$"))


async def test_a_key_right_after_the_dialog_is_not_lost(chromium: Browser, address: str, pool: Pool) -> None:
    """What had the focus in a dialog keeps it until the next frame is drawn."""
    await add_monitor(pool, name="alpha")
    async with visiting(chromium, address) as visit:
        await visit.sign_in()
        page = visit.page
        await ready(page)
        await page.keyboard.press("?")
        await expect(page.get_by_role("dialog", name="Keys")).to_be_visible()
        target = await page.evaluate(
            """() => {
              document.getElementById("keys").close()
              const target = document.activeElement
              target.dispatchEvent(new KeyboardEvent("keydown", { key: "j", bubbles: true }))
              return Boolean(target.closest("dialog"))
            }"""
        )
        assert target
        await expect(page.get_by_role("link", name="alpha")).to_be_focused()


async def test_keys_can_be_turned_off(chromium: Browser, address: str, pool: Pool) -> None:
    await add_monitor(pool, name="alpha")
    async with visiting(chromium, address) as visit:
        await visit.sign_in()
        page = visit.page
        await ready(page)
        await page.keyboard.press("?")
        await page.get_by_label("Use single keys").uncheck()
        await page.keyboard.press("Escape")
        await ready(page)
        await page.keyboard.press("j")
        await page.keyboard.press("?")
        await expect(page.get_by_role("dialog", name="Keys")).to_be_hidden()
        assert await page.evaluate("document.activeElement === document.body")
        await page.click("summary[aria-label='Account of ada']")
        await page.get_by_role("button", name="Keys").click()
        await expect(page.get_by_role("dialog", name="Keys")).to_be_visible()


async def test_what_is_ticked_stays_so_while_the_list_moves(
    chromium: Browser, address: str, pool: Pool, app: Litestar
) -> None:
    ids = [await add_monitor(pool, name=name) for name in ("alpha", "beta")]
    for each in ids:
        await set_status(pool, each, "up")
    async with visiting(chromium, address) as visit:
        await visit.sign_in()
        page = visit.page
        await ready(page)
        await expect(page.locator("#live")).to_have_text("Live")
        await page.locator(f'input[name="m{ids[1]}"]').check()
        await page.evaluate("window.mark = true")
        await set_status(pool, ids[1], "down", "timeout")
        await app.state.web.broker.announce_results([ids[1]])
        await expect(page.locator(".row").first).to_contain_text("beta", timeout=PATIENT)
        await expect(page.locator(f'input[name="m{ids[1]}"]')).to_be_checked()
        await expect(page.locator("[data-many]")).to_have_text("1 ticked")
        await expect(page.locator("#counts")).to_contain_text("1 down")
        assert await page.evaluate("window.mark")


async def test_a_list_is_narrowed_grouped_and_kept_without_a_reload(
    chromium: Browser, address: str, pool: Pool
) -> None:
    for name, tags in {"alpha": ["a", "b"], "beta": ["a"], "gamma": []}.items():
        await add_monitor(pool, name=name, tags=tags)
    async with visiting(chromium, address) as visit:
        await visit.sign_in()
        page = visit.page
        await ready(page)
        await page.evaluate("window.mark = true")
        await page.select_option("#tag", "a")
        await expect(page.locator(".row")).to_have_count(2)
        await page.select_option("#tag", "b")
        await expect(page.locator(".row")).to_have_count(1)
        await expect(page).to_have_url(re.compile(r"tag=a&tag=b$"), timeout=PATIENT)
        await expect(page.locator("#counts")).to_contain_text("1 that match")
        assert await page.evaluate("window.mark")
        await page.locator(".chip a").nth(1).click()
        await expect(page.locator(".row")).to_have_count(2)
        await ready(page, "/monitors?sort=status")
        await page.get_by_label("Group by tag").check()
        await expect(page.locator(".group")).to_have_count(3)
        await expect(page.locator(".row")).to_have_count(4)
        await page.locator(".group h2 a").first.click()
        await expect(page.locator(".row")).to_have_count(2)
        await page.get_by_text("Save as a view").click()
        await page.fill("#view-name", "My groups")
        await page.get_by_label("The list begins with it").check()
        await page.get_by_role("button", name="Save", exact=True).click()
        await expect(page.locator("#notice")).to_contain_text("saved", timeout=PATIENT)
        await page.get_by_role("navigation", name="Pages").get_by_role("link", name="Monitors").click()
        await expect(page.locator(".row")).to_have_count(2)
        await expect(page.locator(".views [aria-current]")).to_contain_text("My groups")
        await visit.shot("list-view-light-1280")


async def test_many_are_changed_without_javascript(chromium: Browser, address: str, pool: Pool) -> None:
    for name in ("alpha", "beta", "gamma"):
        await add_monitor(pool, name=name)
    async with visiting(chromium, address, java_script_enabled=False) as visit:
        await visit.sign_in()
        page = visit.page
        await page.goto("/monitors")
        await page.get_by_label("Tick alpha").check()
        await page.get_by_label("Tick beta").check()
        await page.get_by_role("button", name="Edit or tag").click()
        await expect(page.locator("h1")).to_have_text("Edit 2 monitors")
        await page.fill("#f-add", "new")
        await page.fill("#f-interval-s", "3")
        await page.get_by_role("button", name="Save").click()
        await expect(page.locator("#f-timeout-s-error")).to_contain_text("would be too long for 2 of them")
        visit.complaints.clear()  # the browser says that the answer was 422
        await visit.shot("bulk-edit-light-1280")
        await page.fill("#f-timeout-s", "1")
        await page.get_by_role("button", name="Save").click()
        await expect(page.locator(".toast")).to_contain_text("Changed 2 monitors")
        tagged = "select count(*) from monitors where tags = '{new}' and interval_s = 3"
        assert await fetch(pool, tagged) == [(2,)]
        await page.get_by_role("button", name="Undo").click()
        await expect(page.locator("#notice")).to_contain_text("Undone")
    assert await fetch(pool, tagged) == [(0,)]
