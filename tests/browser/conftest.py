"""Real Chromium on the real pages."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from litestar import Litestar
from playwright.async_api import Browser, Page, ViewportSize, async_playwright

from pinguin.broker import Broker
from pinguin.db import Pool
from pinguin.settings import Settings
from pinguin.web.app import create_app
from tests.conftest import Services
from tests.web.conftest import PASSWORD, SECRET_KEY, account, cheap, open_pool, pool
from tests.web.test_live import served

__all__ = ["open_pool", "pool"]

ARTIFACTS = Path(__file__).parents[2] / "artifacts"
ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--headless",
]  # fmt: skip


def _chromium() -> str:
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    found = next((path for path in map(shutil.which, names) if path), None)
    if found is None:
        words = "Chromium is missing; install it: apt-get install chromium, or brew install --cask chromium"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(words)
    return found


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
    complaints: list[str] = field(default_factory=list)

    async def sign_in(self, name: str = "ada") -> None:
        await self.page.goto("/sign-in")
        await self.page.fill("#name", name)
        await self.page.fill("#password", PASSWORD)
        await self.page.click("button.primary")
        await self.page.wait_for_selector("h1")

    async def shot(self, name: str) -> None:
        ARTIFACTS.mkdir(exist_ok=True)
        await self.page.screenshot(path=ARTIFACTS / f"{name}.png", full_page=True)


@asynccontextmanager
async def visiting(chromium: Browser, address: str, width: int = 1280, **given: Any) -> AsyncIterator[Visit]:
    """A browser window. Errors and refused scripts or styles fail the test."""
    context = await chromium.new_context(base_url=address, viewport=ViewportSize(width=width, height=900), **given)
    context.set_default_timeout(15_000)
    visit = Visit(await context.new_page())
    visit.page.on("console", lambda said: visit.complaints.append(said.text) if said.type == "error" else None)
    visit.page.on("pageerror", lambda error: visit.complaints.append(str(error)))
    yield visit
    await context.close()
    # HTMX says "[object Event]" when a page is left while its stream is open.
    assert [words for words in visit.complaints if words != "[object Event]"] == []


@pytest.fixture
async def app(stack: Services, pool: Pool, broker: Broker) -> Litestar:
    """A fresh one: a hub that was closed stays closed."""
    settings = Settings(database_url=stack.database_url, redis_url=stack.redis_url, secret_key=SECRET_KEY)
    made = create_app(settings, pool, broker)
    made.state.web.passwords = cheap()
    return made


@pytest.fixture
async def address(app: Litestar, pool: Pool) -> AsyncIterator[str]:
    """The pages over HTTP, with an account but without monitors."""
    await account(pool)
    async with served(app) as where:
        yield where
