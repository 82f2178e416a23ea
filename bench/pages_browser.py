"""What a first visit is like in Chromium: bytes that come over the wire, and the time to the first contentful paint."""

from __future__ import annotations

import shutil
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from playwright.async_api import Browser, async_playwright

from pinguin.settings import Settings
from pinguin.web.sessions import cookie_name

TIMES = 7
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
PAINTED = """() => new Promise(tell => {
  const look = () => {
    const found = performance.getEntriesByName("first-contentful-paint")[0]
    if (found) tell(found.startTime); else setTimeout(look, 10)
  }
  look()
})"""


@dataclass(frozen=True, slots=True)
class FirstVisit:
    """paint_ms: median of `TIMES` visits with an empty cache. kilobytes: all that was transferred, headers too."""

    path: str
    paint_ms: float
    kilobytes: float


async def first_visits(address: str, token: str, paths: Sequence[str]) -> list[FirstVisit]:
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    executable = next((path for path in map(shutil.which, names) if path), None)
    if executable is None:
        raise SystemExit("Chromium is missing; install it: apt-get install chromium, or brew install --cask chromium")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=executable, args=ARGUMENTS)
        found = []
        for path in paths:
            visits = [await _visit(browser, address, token, path) for _ in range(TIMES)]
            paints, sizes = zip(*visits, strict=True)
            found.append(FirstVisit(path, statistics.median(paints), max(sizes) / 1000))
        await browser.close()
    return found


async def _visit(browser: Browser, address: str, token: str, path: str) -> tuple[float, float]:
    """Milliseconds and bytes."""
    context = await browser.new_context(base_url=address, viewport={"width": 1280, "height": 900})
    cookie: Any = {"name": cookie_name(Settings()), "value": token, "domain": urlsplit(address).hostname, "path": "/"}
    await context.add_cookies([cookie])
    page = await context.new_page()
    session = await context.new_cdp_session(page)
    await session.send("Network.enable")
    sizes: list[float] = []
    session.on("Network.loadingFinished", lambda event: sizes.append(event["encodedDataLength"]))
    await page.goto(path, wait_until="load")
    painted = await page.evaluate(PAINTED)
    await context.close()
    return float(painted), sum(sizes)
