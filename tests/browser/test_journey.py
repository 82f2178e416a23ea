"""The first five minutes of somebody who just started Pinguin, through the real processes."""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import httpx
from playwright.async_api import Browser, expect

from pinguin.db import Pool
from pinguin.settings import Settings
from tests.browser.conftest import visiting
from tests.conftest import Services
from tests.web.conftest import PASSWORD, SETUP_TOKEN

ROOT = Path(__file__).parents[2]


@asynccontextmanager
async def process(name: str, settings: Settings) -> AsyncIterator[None]:
    """`python -m pinguin <name>`; it has to stop cleanly when it is asked to."""
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "pinguin", name),
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", **settings.environment()},
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield
    finally:
        child.terminate()
        _, log = await asyncio.wait_for(child.communicate(), 20)
        assert child.returncode == 0, log.decode()
        assert b"Traceback" not in log, log.decode()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as held:
        return int(held.getsockname()[1])


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello")
    await writer.drain()
    writer.close()


async def test_a_newcomer_sees_results_arrive(chromium: Browser, stack: Services, pool: Pool, broker: object) -> None:
    settings = Settings(
        database_url=stack.database_url, redis_url=stack.redis_url, web_port=free_port(), setup_token=SETUP_TOKEN
    )
    address = f"http://127.0.0.1:{settings.web_port}"
    target = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = target.sockets[0].getsockname()[1]
    async with AsyncExitStack() as running:
        running.callback(target.close)
        for name in ("web", "scheduler", "worker"):
            await running.enter_async_context(process(name, settings))
        await ready(address)
        visit = await running.enter_async_context(visiting(chromium, address))
        page = visit.page
        await page.goto("/")
        await expect(page.locator("h1")).to_have_text("Welcome")
        await expect(page.get_by_label("Set-up token")).to_be_visible()
        await page.goto(f"/setup?token={SETUP_TOKEN}")
        await visit.shot("journey-1-welcome", always=True)
        await page.fill("#name", "ada")
        await page.fill("#password", PASSWORD)
        await page.fill("#again", PASSWORD)
        await page.click("text=Make the account")
        await expect(page.locator("h1")).to_have_text("Nothing is watched yet")
        await visit.shot("journey-2-empty", always=True)
        await page.click("text=Add your first monitor")
        await page.fill("#f-options-url", f"http://127.0.0.1:{port}/")
        await page.fill("#f-name", "My page")
        await page.fill("#f-interval-s", "1")
        await page.fill("#f-timeout-s", "0.5")
        await page.get_by_role("button", name="Add monitor").click()
        await expect(page.locator("h1")).to_have_text("My page")
        await page.evaluate("window.mark = true")
        await expect(page.locator("#head .big")).to_contain_text("Up", timeout=30_000)
        await expect(page.locator("#lines tr").nth(2)).to_be_visible()
        await expect(page.locator("#tiles .big").first).to_have_text("100 %", timeout=30_000)
        target.close()
        await expect(page.locator("#head .big")).to_contain_text("Down", timeout=30_000)
        await expect(page.locator("#head .reason")).to_contain_text("refused")
        await expect(page.locator("#incidents .open")).to_contain_text("still down")
        assert await page.evaluate("window.mark")
        await visit.shot("journey-3-down", always=True)
        await page.goto("/monitors")
        await expect(page.locator("h1")).to_have_text("1 of 1 monitor is down")
        await page.goto("/incidents")
        await expect(page.locator(".incident.open")).to_contain_text("My page")


async def ready(address: str) -> None:
    async with httpx.AsyncClient(base_url=address) as client, asyncio.timeout(30):
        while True:
            try:
                if (await client.get("/readyz")).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            await asyncio.sleep(0.1)
