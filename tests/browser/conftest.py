"""Real Chromium on the real pages."""

from __future__ import annotations

import base64
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest
from litestar import Litestar
from playwright.async_api import Browser, CDPSession, Page, ViewportSize, async_playwright, expect

from pinguin.broker import Broker
from pinguin.db import Pool
from pinguin.settings import Settings
from pinguin.web.app import create_app
from pinguin.web.hub import Hub
from pinguin.web.list_news import ListNews
from pinguin.web.service import Web
from tests.conftest import Services
from tests.lacking import lacks
from tests.web.conftest import PASSWORD, SECRET_KEY, account, cheap, open_pool, pool
from tests.web.streams import served

__all__ = ["open_pool", "pool"]

Look = tuple[Literal["light", "dark"], int]
"""Colours, and how wide the window is."""
Looks = tuple[Look, ...]
ARTIFACTS = Path(__file__).parents[2] / "artifacts"
WANTED = bool(os.environ.get("PINGUIN_TEST_PICTURES"))
"""Pictures are for people, and are a tenth of what these tests cost: a run that nobody looks at takes few."""
ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--headless",
]  # fmt: skip
PATIENCE_MS = 15_000
expect.set_options(timeout=PATIENCE_MS)
HEIGHT = 900
WIDE, PHONE = 1280, 390
THREE: Looks = (("light", WIDE), ("dark", WIDE), ("light", PHONE))
FOUR: Looks = (*THREE, ("dark", PHONE))


def _chromium() -> str:
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    found = next((path for path in map(shutil.which, names) if path), None)
    return found or lacks("Chromium is missing; install it: apt-get install chromium, or brew install --cask chromium")


@pytest.fixture(scope="session")
async def chromium() -> AsyncIterator[Browser]:
    path = _chromium()
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        await browser.close()


@dataclass
class Visit:
    """A page of somebody's browser, and what went wrong in it."""

    page: Page
    address: str
    look: Look
    complaints: list[str] = field(default_factory=list)
    _wire: CDPSession | None = None

    async def sign_in(self, name: str = "ada") -> None:
        """What the form sends, without looking at the form or at the page after it."""
        answer = await self.page.request.post(
            "/sign-in",
            form={"name": name, "password": PASSWORD},
            headers={"Origin": self.address},
            max_redirects=0,
        )
        assert answer.status == 303, await answer.text()

    async def sign_in_by_hand(self, name: str = "ada") -> None:
        """Until there is another page."""
        await self.page.goto("/sign-in")
        await self.page.fill("#name", name)
        await self.page.fill("#password", PASSWORD)
        async with self.page.expect_navigation():
            await self.page.click("button.primary")
        await self.page.wait_for_selector("h1")

    async def looks(self, wanted: Looks = THREE) -> AsyncIterator[Look]:
        """What is shown now in one look after the other, not loaded anew; in the end in the first of them."""
        for look in wanted:
            await self._look(look)
            yield look
        await self._look(wanted[0])

    async def pictures(self, name: str, wanted: Looks = THREE) -> None:
        """A picture of what is shown in each look, in which nothing is wider than the screen."""
        await self.page.wait_for_function("document.documentElement.classList.contains('js')")
        async for scheme, width in self.looks(wanted):
            assert await self.page.evaluate("document.documentElement.scrollWidth") <= width, (name, width)
            await self.shot(f"{name}-{scheme}-{width}")

    async def _look(self, look: Look) -> None:
        (scheme, width), before = look, self.look
        if scheme != before[0]:
            await self.page.emulate_media(color_scheme=scheme)
        if width != before[1]:
            await self.page.set_viewport_size({"width": width, "height": HEIGHT})
        self.look = look

    async def shot(self, name: str, *, full_page: bool = True, always: bool = False) -> None:
        """A picture in artifacts/, where one is wanted, as a PNG that is quick to write rather than small."""
        if not (always or WANTED):
            return
        if self._wire is None:
            self._wire = await self.page.context.new_cdp_session(self.page)
        asked: dict[str, Any] = {"format": "png", "optimizeForSpeed": True}
        if full_page:
            size = (await self._wire.send("Page.getLayoutMetrics"))["cssContentSize"]
            asked |= {"clip": {**size, "scale": 1}, "captureBeyondViewport": True}
        made = await self._wire.send("Page.captureScreenshot", asked)
        path = ARTIFACTS / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(base64.b64decode(made["data"]))


@asynccontextmanager
async def visiting(chromium: Browser, address: str, width: int = WIDE, **given: Any) -> AsyncIterator[Visit]:
    """A browser window. Errors and refused scripts or styles fail the test. Nothing moves for the eye alone."""
    context = await chromium.new_context(
        base_url=address, viewport=ViewportSize(width=width, height=HEIGHT), **{"reduced_motion": "reduce", **given}
    )
    context.set_default_timeout(PATIENCE_MS)
    visit = Visit(await context.new_page(), address, (given.get("color_scheme", "light"), width))
    visit.page.on("console", lambda said: visit.complaints.append(said.text) if said.type == "error" else None)
    visit.page.on("pageerror", lambda error: visit.complaints.append(str(error)))
    yield visit
    await context.close()
    # HTMX says "[object Event]" when a page is left while its stream is open.
    assert [words for words in visit.complaints if words != "[object Event]"] == []


@pytest.fixture(scope="session")
async def made(stack: Services, open_pool: Pool) -> AsyncIterator[Litestar]:
    """To make an app and to compile its templates takes longer than most tests."""
    settings = Settings(database_url=stack.database_url, redis_url=stack.redis_url, secret_key=SECRET_KEY)
    async with Broker.connect(stack.redis_url) as broker:
        yield create_app(settings, open_pool, broker)


@pytest.fixture
async def app(made: Litestar, pool: Pool, broker: Broker) -> Litestar:
    """With nothing in it of the test before: a hub that was closed stays closed, and what was read stays read."""
    before: Web = made.state.web
    web = Web(before.settings, pool, broker, Hub(broker), before.types, before.registry, cheap())
    assert made.template_engine is not None
    web.lists = ListNews(pool, made.template_engine.engine)
    made.state.web = web
    return made


@pytest.fixture
async def address(app: Litestar, pool: Pool) -> AsyncIterator[str]:
    """The pages over HTTP, with an account but without monitors."""
    await account(pool)
    async with served(app) as where:
        yield where
