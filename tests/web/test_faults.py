from __future__ import annotations

import asyncio
import socket
import sys
from pathlib import Path
from typing import NoReturn

import httpx
import pytest
import structlog
from litestar import Litestar

from pinguin.broker import Broker
from pinguin.db import Pool, make_pool
from pinguin.settings import Settings
from pinguin.web import views
from pinguin.web.app import create_app
from pinguin.web.routes import health
from tests.conftest import Services
from tests.factory import add_monitor
from tests.web.conftest import ADDRESS, Client, account, browser


async def test_with_the_database_away_every_page_says_so(stack: Services, broker: Broker) -> None:
    nowhere = make_pool("postgresql://nobody@127.0.0.1:1/nothing", 1)
    nowhere.timeout = 0.2
    async with nowhere:
        app = create_app(Settings(redis_url=stack.redis_url), nowhere, broker)
        async with browser(app) as client:
            client.cookies.set("pinguin", "x", domain="pinguin.test")
            for path in ("/", "/monitors/1", "/sign-in"):
                answer = await client.get(path)
                assert answer.status_code == 503
                assert "The database does not answer" in answer.text
                assert "Traceback" not in answer.text
                assert answer.headers["retry-after"] == "10"
                assert "content-security-policy" in answer.headers
            ready = await client.get("/readyz")
            assert (ready.status_code, ready.json()["redis"]) == (503, "ok")
            assert ready.json()["database"] == "does not answer"
            assert ready.json()["reasons"] == ["the database does not answer"]
            assert (await client.get("/healthz")).json() == {"status": "alive"}


async def test_readiness_tells_strangers_nothing_about_connections(
    visitor: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def complaint(_: object) -> str:
        return "connection to server at 10.0.0.7, port 5432 failed for user hunter2"

    monkeypatch.setattr(health, "database_complaint", complaint)
    monkeypatch.setattr(health, "redis_complaint", complaint)
    with structlog.testing.capture_logs() as logged:
        ready = await visitor.get("/readyz")
    assert ready.status_code == 503
    assert ready.json() == {
        "status": "not ready",
        "reasons": ["the database does not answer"],
        "notes": ["pages work and poll, but are not live: Redis does not answer"],
        "database": "does not answer",
        "redis": "does not answer",
    }
    assert "hunter2" in logged[0]["database"]


async def test_our_own_faults_show_no_details(client: Client, pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: object) -> NoReturn:
        raise RuntimeError("hunter2")

    await add_monitor(pool)
    monkeypatch.setattr(views, "rows", broken)
    answer = await client.get("/monitors")
    assert answer.status_code == 500
    assert "That was our fault" in answer.text
    assert "hunter2" not in answer.text


async def test_pages_that_are_not_there_and_methods_that_are_not_allowed(client: Client) -> None:
    for path in ("/nowhere", "/static/../app.py", "/static/nothing.css", "/monitors/1/nothing"):
        answer = await client.get(path)
        assert answer.status_code == 404, path
        assert "There is nothing here" in answer.text
    assert (await client.delete("/")).status_code == 405


@pytest.mark.parametrize("name", ["pinguin.css", "pinguin.js", "theme.js", "icon.svg", "vendor/htmx.min.js"])
async def test_our_files_are_served_with_their_types(client: Client, name: str) -> None:
    answer = await client.get(f"/static/{name}")
    kind = {"css": "text/css", "svg": "image/svg+xml"}.get(name.rpartition(".")[2], "javascript")
    assert answer.status_code == 200
    assert kind in answer.headers["content-type"]


async def test_pages_are_compressed(client: Client, app: Litestar) -> None:
    answer = await client.get("/monitors/new", headers={"Accept-Encoding": "gzip"})
    assert answer.headers["content-encoding"] == "gzip"
    assert ADDRESS not in answer.text


async def is_ready(client: httpx.AsyncClient) -> bool:
    try:
        return bool((await client.get("/readyz")).json()["status"] == "ready")
    except httpx.TransportError:
        return False


async def test_the_process_serves_and_stops_when_asked(stack: Services, pool: Pool) -> None:
    """`python -m pinguin web`, a page open with its stream, SIGTERM: it ends at once and cleanly."""
    await account(pool)
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
    settings = Settings(database_url=stack.database_url, redis_url=stack.redis_url, web_port=port)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "pinguin", "web"),
        cwd=Path(__file__).parents[2],
        env={"PATH": "/usr/bin:/bin", **settings.environment()},
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=60) as client, asyncio.timeout(90):
            while not await is_ready(client):
                await asyncio.sleep(0.1)
        process.terminate()
        async with asyncio.timeout(60):
            _, log = await process.communicate()
        assert process.returncode == 0, log
        assert b"graceful shutdown exceeded" not in log
        assert b"Traceback" not in log
    finally:
        if process.returncode is None:
            process.kill()
