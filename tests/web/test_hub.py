"""What open pages hear of: the hub, while Redis comes and goes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

import structlog

from pinguin.broker import Broker, Event
from pinguin.web.hub import Hub, Page
from tests.conftest import Services


async def test_a_slow_page_gets_one_larger_refresh() -> None:
    page = Page([1, 2, 3])
    for monitor in [1, 2, 1, 9, 2] * 1000:
        page.offer(Event("result", [monitor]))
    page.offer(Event("changed", [9]))
    assert await page.news(1) == ([1, 2], True)
    assert await page.news(0.01) == ([], False)


async def test_the_hub_comes_back_when_redis_does(stack: Services, broker: Broker) -> None:
    async with Broker.connect("redis://127.0.0.1:1/0") as away:
        hub = Hub(away)
        running = asyncio.create_task(hub.run())
        await asyncio.sleep(0.1)
        before = hub.connected
        hub._broker = broker
        with hub.page([7]) as page:
            due, _ = await page.news(60)
        assert due == [7]
        assert (before, hub.connected) == (False, True)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


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
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert due == [7]
    assert logged[0]["event"] == "live_failed"
    assert logged[0]["error"] == "ValueError: not an event"
