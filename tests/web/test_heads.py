"""HEAD: what GET says, without the body."""

from __future__ import annotations

import httpx
import pytest
from litestar import Litestar

from pinguin.db import Pool
from tests.web.conftest import Client
from tests.web.streams import served


@pytest.mark.parametrize(
    "path",
    ["/", "/monitors", "/incidents/export.csv", "/sign-in", "/healthz", "/metrics", "/nothing", "/api/v1/openapi.json",
     "/api/v1/monitors"],
)  # fmt: skip
async def test_it_says_what_get_does(client: Client, path: str) -> None:
    whole, head = await client.get(path), await client.head(path)
    assert head.status_code == whole.status_code
    assert head.headers["content-type"] == whole.headers["content-type"]


async def test_a_monitor_that_asks_so_finds_the_pages_up(app: Litestar, pool: Pool) -> None:
    """Over one real connection, where a body that nobody expects would be the next answer."""
    async with served(app) as address, httpx.AsyncClient(base_url=address) as client:
        for path, status in (("/healthz", 200), ("/setup", 200), ("/monitors", 303), ("/live/list", 303)):
            assert (await client.head(path)).status_code == status, path
        assert (await client.get("/healthz")).json()["status"] == "alive"


async def test_an_open_pages_stream_ends_at_once(client: Client) -> None:
    assert (await client.head("/live/list")).headers["content-type"].startswith("text/event-stream")
