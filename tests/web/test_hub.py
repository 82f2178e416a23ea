"""What open pages hear of: the hub, while Redis comes and goes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

import structlog

from pinguin.broker import Broker, Event
from pinguin.lifecycle import cancel
from pinguin.web.hub import Hub, Page
from tests.ports import free_port
from tests.redis_servers import redis


async def test_a_slow_page_gets_one_larger_refresh() -> None:
    page = Page([1, 2, 3])
    for monitor in [1, 2, 1, 9, 2] * 1000:
        page.offer(Event("result", [monitor]))
    page.offer(Event("changed", [9]))
    assert await page.news(1) == ([1, 2], True)
    assert await page.news(0.01) == ([], False)


async def test_the_hub_comes_back_when_redis_does(tmp_path: Path) -> None:
    port = free_port()
    async with Broker.connect(f"redis://127.0.0.1:{port}/0") as broker:
        hub = Hub(broker)
        with redis(tmp_path, at=port):
            running = asyncio.create_task(hub.run())
            await until_connected(hub, True)
        await until_connected(hub, False)
        with hub.page([7]) as page, redis(tmp_path, at=port):
            due, _ = await page.news(60)
            assert hub.connected
            await cancel(running)
    assert due == [7]


async def until_connected(hub: Hub, connected: bool) -> None:
    async with asyncio.timeout(60):
        while hub.connected is not connected:
            await asyncio.sleep(0.01)


class Odd:
    """A broker whose first subscription breaks in a way that nobody thought of."""

    def __init__(self) -> None:
        self.subscriptions = 0

    @asynccontextmanager
    async def subscribe(self) -> AsyncIterator[Odd]:
        self.subscriptions += 1
        yield self

    async def next(self, _: float) -> Event:
        if self.subscriptions == 1:
            raise ValueError("not an event")
        await asyncio.sleep(0.01)
        return Event("result", [7])


async def test_nothing_unexpected_ends_live_updates_for_good() -> None:
    hub = Hub(cast(Broker, Odd()))
    with structlog.testing.capture_logs() as logged, hub.page([7]) as page:
        running = asyncio.create_task(hub.run())
        await page.news(60)
        due, _ = await page.news(60)
        await cancel(running)
    assert due == [7]
    assert logged[0]["event"] == "live_failed"
    assert logged[0]["error"] == "ValueError: not an event"
