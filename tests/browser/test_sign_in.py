"""Coming in by two steps, people and roles, in a real browser; and how the pages look."""

from __future__ import annotations

import re
import time

import pytest
from litestar import Litestar
from playwright.async_api import Browser, Page, expect

from pinguin.db import Pool, connection
from pinguin.people import Principal, Role
from pinguin.store import audit
from pinguin.store.audit import Change, Hidden, Thing
from pinguin.web import totp
from tests.browser.conftest import visiting
from tests.factory import add_monitor, fetch
from tests.web.conftest import PASSWORD, SECRET_KEY, person


@pytest.fixture(autouse=True)
def key(app: Litestar) -> None:
    """What seals the second factor's secret."""
    web = app.state.web
    web.keys = type(web.keys)(SECRET_KEY)


async def turn_on(page: Page) -> tuple[str, list[str]]:
    """The secret and the recovery codes."""
    await page.goto("/account")
    await page.get_by_role("link", name="Turn it on").click()
    await expect(page.locator("svg.qr")).to_be_visible()
    secret = (await page.locator(".key-line code").inner_text()).replace(" ", "")
    await page.get_by_label("The code of now").fill(totp.code_at(secret, int(time.time()) // totp.STEP_S - 1))
    await page.get_by_label("Your password").fill(PASSWORD)
    await page.get_by_role("button", name="Turn it on").click()
    await expect(page.locator("h1")).to_have_text("Recovery codes")
    return secret, await page.locator(".codes code").all_inner_texts()


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without"])
async def test_signing_in_by_two_steps(chromium: Browser, address: str, pool: Pool, scripts: bool) -> None:
    async with visiting(chromium, address, java_script_enabled=scripts) as visit:
        page = visit.page
        await visit.sign_in_by_hand()
        secret, codes = await turn_on(page)
        assert len(codes) == 10
        await page.get_by_role("link", name="I have kept them").click()
        await expect(page.locator("main")).to_contain_text("10 of 10 recovery codes are left")
        await page.get_by_role("button", name="Sign out everywhere").click()
        await expect(page.locator("h1")).to_have_text("Sign in")
        await visit.sign_in_by_hand()
        await expect(page.locator("h1")).to_have_text("Second step")
        await page.fill("#code", "000000")
        await page.get_by_role("button", name="Sign in").click()
        await expect(page.locator("#problem")).to_contain_text("This is not the code of now")
        visit.complaints.clear()  # the browser says that the answer was 422
        await visit.shot(f"code-light-1280-{'with' if scripts else 'without'}")
        await page.fill("#code", totp.code_at(secret, int(time.time()) // totp.STEP_S))
        await page.get_by_role("button", name="Sign in").click()
        await expect(page.locator("h1")).to_have_text("Nothing is watched yet")
    assert await fetch(pool, "select count(*) from audit where action = 'sign_in.fail'") == [(1,)]


async def test_somebody_is_invited_and_may_look(chromium: Browser, address: str, pool: Pool) -> None:
    monitor = await add_monitor(pool, name="shop")
    async with visiting(chromium, address) as visit, visiting(chromium, address) as other:
        page = visit.page
        await visit.sign_in()
        await page.goto("/")
        await page.get_by_label("Account of ada").click()
        await page.get_by_role("link", name="People").click()
        await page.get_by_label("Name", exact=True).fill("bob")
        await page.get_by_label("Role", exact=True).select_option("viewer")
        await page.get_by_role("button", name="Make a link").click()
        await expect(page.get_by_role("heading", level=1)).to_have_text("Is it you?")
        await page.get_by_label("Your password").fill(PASSWORD)
        await page.get_by_role("button", name="Go on").click()
        link = await page.get_by_label("The link").input_value()
        theirs = other.page
        await theirs.goto(link)
        await expect(theirs.locator("h1")).to_have_text("Welcome, bob")
        await theirs.fill("#password", PASSWORD)
        await theirs.fill("#again", PASSWORD)
        await theirs.get_by_role("button", name="Set the password").click()
        await expect(theirs.locator("h1")).not_to_have_text("Welcome, bob")
        await other.sign_in_by_hand("bob")
        await theirs.goto(f"/monitors/{monitor}")
        await expect(theirs.locator("h1")).to_have_text("shop")
        for name in ("Edit", "Pause", "Delete", "Check now", "Clone"):
            await expect(theirs.get_by_text(name, exact=True)).to_have_count(0)
        await other.shot("monitor-viewer-light-1280")
        await theirs.goto(f"/monitors/{monitor}/edit")
        await expect(theirs.locator("main")).to_contain_text("This takes the role editor, and bob is a viewer")
        other.complaints.clear()  # the browser says that the answer was 403


async def test_the_pages_look_right_on_every_screen(chromium: Browser, address: str, pool: Pool) -> None:
    bob, cyd = await person(pool, "bob", Role.EDITOR), await person(pool, "Cydonia of the night shift", Role.VIEWER)
    assert bob < cyd
    async with connection(pool) as conn:
        ada = Principal(name="ada", role=Role.OWNER, user_id=1, address="192.0.2.7")
        thing = Thing("monitor", 7, "Shop")
        await audit.write(conn, ada, "monitor.create", thing, None, {"name": "Shop", "type": "http", "interval_s": 60,
            "options": {"url": "https://shop.example/", "password": Hidden("x")}})  # fmt: skip
        await audit.write(conn, ada, "monitor.edit", thing, {"interval_s": 60, "password": Hidden(1)},
            {"interval_s": 30, "password": Hidden(2)})  # fmt: skip
        await audit.write_all(conn, ada, "monitor.pause", [Change(thing, {"enabled": True}, {"enabled": False})])
        for _ in range(3):
            await audit.sign_in_failed(conn, "password", "198.51.100.4", 1, "ada")
    async with visiting(chromium, address) as visit:
        page = visit.page
        await visit.sign_in()
        for name, path in {"people": "/people", "audit": "/audit", "remove-person": f"/people/{bob}/remove",
                           "second-factor": "/account/second-factor"}.items():  # fmt: skip
            await page.goto(path)
            await visit.pictures(name)
        await page.goto("/account")
        await page.get_by_label("Name", exact=True).fill("grafana")
        await page.locator("#token-current").fill(PASSWORD)
        await page.get_by_role("button", name="Make a token").click()
        await expect(page.get_by_label("The token")).to_have_value(re.compile("^pgn_"))
        await visit.pictures("token")
        await page.goto("/account")
        await visit.pictures("account")
        await page.goto("/people")
        await page.get_by_label("Name", exact=True).fill("dot")
        await page.get_by_role("button", name="Make a link").click()
        await expect(page.get_by_role("heading", level=1)).to_have_text("Is it you?")
        await visit.pictures("prove")
        await page.get_by_label("Your password").fill(PASSWORD)
        await page.get_by_role("button", name="Go on").click()
        await expect(page.get_by_label("The link")).to_be_visible()
        await visit.pictures("link")
        await page.goto(await page.get_by_label("The link").input_value())
        await visit.pictures("join")
        await page.goto("/incidents")
        await page.get_by_label("Account of ada").click()
        await visit.pictures("menu")
