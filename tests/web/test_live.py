from __future__ import annotations

import asyncio
import html
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import LiteralString, cast

import httpx
import pytest
import structlog
import uvicorn
from litestar import Litestar

from pinguin.broker import Broker, Event
from pinguin.db import Pool
from pinguin.settings import Settings
from pinguin.web import list_page
from pinguin.web.app import create_app
from pinguin.web.hub import Hub, Page
from pinguin.web.sessions import csrf_token, new_token, token_hash
from tests.conftest import Services
from tests.factory import add_monitor, fetch
from tests.web.conftest import Client, account
from tests.web.test_listing import add_result, set_status


@asynccontextmanager
async def served(app: Litestar) -> AsyncIterator[str]:
    """The pages over real HTTP."""
    config = uvicorn.Config(app, port=0, log_config=None, access_log=False, ws="none", timeout_graceful_shutdown=2)
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server._serve())
    while not server.started:
        await asyncio.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        app.state.web.hub.close()
        server.should_exit = True
        await serving


class Stream:
    """An EventSource."""

    def __init__(self, answer: httpx.Response) -> None:
        self._lines = answer.aiter_lines()

    async def next(self, wanted: str, within_s: float = 60) -> str:
        """The data of the next event of that name."""
        async with asyncio.timeout(within_s):
            name, data = "", []
            async for line in self._lines:
                if line.startswith("event: "):
                    name = line.removeprefix("event: ")
                elif line.startswith("data: "):
                    data.append(line.removeprefix("data: "))
                elif not line:
                    if name == wanted:
                        return "\n".join(data)
                    name, data = "", []
        raise AssertionError("the stream ended")


async def session(pool: Pool) -> str:
    """The token of a new one."""
    token = new_token()
    async with pool.connection() as conn:
        await conn.execute(
            "insert into sessions values (%s, (select id from users), now(), now() + interval '1 h')",
            (token_hash(token),),
        )
    return token


@asynccontextmanager
async def stream(address: str, path: str, pool: Pool, token: str | None = None) -> AsyncIterator[Stream]:
    token = token or await session(pool)
    async with (
        httpx.AsyncClient(base_url=address, cookies={"pinguin": token}, timeout=120) as client,
        client.stream("GET", path, headers={"Accept": "text/event-stream"}) as answer,
    ):
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert "content-encoding" not in answer.headers
        yield Stream(answer)


@pytest.fixture
async def live(
    stack: Services, pool: Pool, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[str, Litestar]]:
    """Its streams are told again of what happened while they opened, however slowly."""
    monkeypatch.setattr("pinguin.web.hub.REPLAY_S", 60)
    await account(pool)
    app = create_app(Settings(database_url=stack.database_url, redis_url=stack.redis_url), pool, broker)
    async with served(app) as address:
        async with asyncio.timeout(60):
            while not app.state.web.hub.connected:
                await asyncio.sleep(0.01)
        yield address, app


async def test_a_result_comes_to_an_open_list_as_a_fragment(
    live: tuple[str, Litestar], pool: Pool, broker: Broker
) -> None:
    mine, other = await add_monitor(pool, name="shop"), await add_monitor(pool, name="else")
    async with stream(live[0], f"/live/list?ids={mine}", pool) as events:
        await until_open(live[1], 1)
        await add_result(pool, mine, "down", reason="timeout", message="no answer", latency_ms=None)
        await set_status(pool, mine, "down", "timeout")
        await broker.announce_results([other])
        await broker.announce_results([mine, other])
        fragment = await events.next("news")
    assert f'<div id="m{mine}" class="cells s-down" data-monitor="{mine}" hx-swap-oob=' in fragment
    assert f'id="m{other}"' not in fragment
    assert "1 of 2 monitors is down" in fragment
    assert "<html" not in fragment


async def test_a_new_monitor_makes_an_open_list_ask_again(
    live: tuple[str, Litestar], pool: Pool, broker: Broker
) -> None:
    async with stream(live[0], "/live/list?ids=", pool) as events:
        await until_open(live[1], 1)
        await broker.announce_change([await add_monitor(pool)])
        assert await events.next("list") == "changed"


async def test_what_changes_after_a_page_is_drawn_and_before_its_stream_opens_is_told(
    live: tuple[str, Litestar], pool: Pool, broker: Broker
) -> None:
    monitor = await add_monitor(pool, name="shop")
    async with httpx.AsyncClient(base_url=live[0], cookies={"pinguin": await session(pool)}, timeout=60) as client:
        drawn = (await client.get("/monitors")).text
    path = html.unescape(re.search(r'sse-connect="([^"]+)"', drawn)[1])  # type: ignore[index]
    async with stream(live[0], path, pool) as events:
        with pytest.raises(TimeoutError):
            await events.next("list", within_s=1.5)
    await add_monitor(pool, name="mail")
    async with stream(live[0], path, pool) as events:
        assert await events.next("list") == "changed"
    with live[1].state.web.hub.page([monitor]) as page:
        await broker.announce_results([monitor])
        assert await page.news(60) == ([monitor], False)
    async with stream(live[0], f"/live/list?ids={monitor}", pool) as events:
        assert f'id="m{monitor}"' in await events.next("news")


async def test_a_result_comes_to_a_monitors_page_once(live: tuple[str, Litestar], pool: Pool, broker: Broker) -> None:
    monitor = await add_monitor(pool)
    await add_result(pool, monitor, seconds_ago=200)
    since = (datetime.now(UTC) - timedelta(seconds=90)).isoformat()
    async with stream(live[0], f"/live/monitors/{monitor}?since={since.replace('+', '%2B')}", pool) as events:
        await until_open(live[1], 1)
        for ago in (60, 30):
            await add_result(pool, monitor, seconds_ago=ago)
            await broker.announce_results([monitor])
            fragment = await events.next("news")
            assert fragment.count('<tr class="s-up"') == 1
            assert '<tbody id="lines" hx-swap-oob="afterbegin">' in fragment
            assert '<section id="head"' in fragment


async def test_the_page_of_a_new_monitor_fills_with_its_first_results(
    live: tuple[str, Litestar], pool: Pool, broker: Broker
) -> None:
    monitor = await add_monitor(pool, datetime.now(UTC))
    shown = 'id="anatomy" hx-swap-oob="true"'
    async with stream(live[0], f"/live/monitors/{monitor}?since=", pool) as events:
        await until_open(live[1], 1)
        fragments = []
        for ago in (30, 20, 10):
            await add_result(pool, monitor, seconds_ago=ago)
            await fetch(
                pool, "update monitors set created_at = created_at - interval '6 s' where id = %s returning 1", monitor
            )
            await broker.announce_results([monitor])
            fragments.append(await events.next("news"))
    assert [shown in each for each in fragments] == [True, False, False]
    assert all('<ul id="tiles"' in each for each in fragments)


async def test_a_region_that_is_later_than_another_is_told_too(
    live: tuple[str, Litestar], pool: Pool, broker: Broker
) -> None:
    monitor = await add_monitor(pool)
    async with stream(live[0], f"/live/monitors/{monitor}", pool) as events:
        await until_open(live[1], 1)
        await add_result(pool, monitor, seconds_ago=30)
        await broker.announce_results([monitor])
        assert (await events.next("news")).count('<tr class="s-up"') == 1
        await fetch(
            pool,
            """insert into results (monitor_id, scheduled_at, region, version, status, latency_ms, started_at,
              recorded_at, evidence)
            select monitor_id, scheduled_at, 'far', 1, 'degraded', 900, started_at, now(), '{}' from results
            where monitor_id = %s returning 1""",
            monitor,
        )
        await broker.announce_results([monitor])
        fragment = await events.next("news")
        assert (fragment.count('<tr class="s-up"'), fragment.count('<tr class="s-degraded"')) == (0, 1)


async def test_streams_end_when_the_process_stops(live: tuple[str, Litestar], pool: Pool) -> None:
    address, app = live
    async with stream(address, "/live/list?ids=", pool) as events:
        await until_open(app, 1)
        app.state.web.hub.close()
        with pytest.raises(AssertionError, match="the stream ended"):
            await events.next("news")
    await until_open(app, 0)


async def until_open(app: Litestar, pages: int) -> None:
    async with asyncio.timeout(60):
        while app.state.web.hub.open_pages != pages:
            await asyncio.sleep(0.01)


async def test_signing_out_ends_the_streams_of_this_session_and_no_other(
    live: tuple[str, Litestar], pool: Pool
) -> None:
    address, app = live
    token = await session(pool)
    async with (
        stream(address, "/live/list?ids=", pool, token) as mine,
        stream(address, "/live/list?ids=", pool),
        httpx.AsyncClient(
            base_url=address, cookies={"pinguin": token}, headers={"Origin": address}, timeout=60
        ) as client,
    ):
        await until_open(app, 2)
        assert (await client.post("/sign-out", data={"_csrf": csrf_token(token)})).status_code == 303
        with pytest.raises(AssertionError, match="the stream ended"):
            await mine.next("news")
        await until_open(app, 1)


@pytest.mark.parametrize("how", ["delete from sessions", "update sessions set expires_at = now()"])
async def test_a_stream_ends_soon_after_its_session_elsewhere(
    live: tuple[str, Litestar], pool: Pool, monkeypatch: pytest.MonkeyPatch, how: LiteralString
) -> None:
    address, _ = live
    monkeypatch.setattr("pinguin.web.routes.live.RECHECK_S", 0.2)
    monkeypatch.setattr("pinguin.web.routes.live.POLL_S", 0.1)
    async with stream(address, "/live/list?ids=", pool) as events:
        with pytest.raises(TimeoutError):
            await events.next("news", within_s=1.5)
    async with stream(address, "/live/list?ids=", pool) as events:
        async with pool.connection() as conn:
            await conn.execute(how)
        with pytest.raises(AssertionError, match="the stream ended"):
            await events.next("news")


async def test_where_events_do_not_come_through_the_page_polls(client: Client, pool: Pool) -> None:
    monitor = await add_monitor(pool)
    await add_result(pool, monitor)
    page = (await client.get("/monitors")).text
    poll = re.search(r'hx-get="(/live/list/rows[^"]+)" hx-trigger="poll"', page)
    assert poll is not None
    assert f'<div id="m{monitor}"' in (await client.get(html.unescape(poll[1]))).text
    page = (await client.get(f"/monitors/{monitor}")).text
    poll = re.search(r'hx-get="(/live/monitors/[^"]+)" hx-trigger="poll"', page)
    assert poll is not None
    answer = (await client.get(poll[1].replace("&amp;", "&"))).text
    checks = re.compile(r'<tr [^>]*data-check="([^"]+)"')
    assert checks.findall(answer) == checks.findall(page)  # the page leaves out what it has


@pytest.mark.parametrize("ids", ["x", "1,,x", "-1", "9" * 40, "1;drop"])
async def test_ids_that_are_none_are_left_out(client: Client, ids: str) -> None:
    assert (await client.get("/live/list/rows", params={"ids": ids})).status_code == 200


async def test_nobody_asks_for_more_than_a_page(client: Client) -> None:
    assert (await client.get("/live/list/rows?ids=" + ",".join(map(str, range(501))))).status_code == 400


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


async def drawn(live: tuple[str, Litestar], pool: Pool, path: str) -> str:
    """The address of the stream of a list that was drawn just now."""
    async with httpx.AsyncClient(base_url=live[0], cookies={"pinguin": await session(pool)}, timeout=60) as client:
        page = (await client.get(path)).text
    found = re.search(r'sse-connect="([^"]+)"', page)
    assert found is not None
    return html.unescape(found[1])


async def test_a_list_is_drawn_anew_when_a_monitor_has_to_move_in_it(
    live: tuple[str, Litestar], pool: Pool, broker: Broker
) -> None:
    mine = await add_monitor(pool, name="shop")
    await set_status(pool, mine, "up")
    async with stream(live[0], await drawn(live, pool, "/monitors?sort=status"), pool) as events:
        await until_open(live[1], 1)
        await set_status(pool, mine, "down", "timeout")
        await broker.announce_results([mine])
        assert await events.next("list") == "changed"


async def test_a_list_in_another_order_stays_where_it_is(
    live: tuple[str, Litestar], pool: Pool, broker: Broker
) -> None:
    mine = await add_monitor(pool, name="shop")
    await set_status(pool, mine, "up")
    async with stream(live[0], await drawn(live, pool, "/monitors?sort=name"), pool) as events:
        await until_open(live[1], 1)
        await set_status(pool, mine, "down", "timeout")
        await broker.announce_results([mine])
        assert "cells s-down" in await events.next("news")
        with pytest.raises(TimeoutError):
            await events.next("list", within_s=2)


async def test_a_list_of_what_is_down_hears_of_one_that_it_does_not_show(
    live: tuple[str, Litestar], pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even of what happened after it was drawn and before its stream was open."""
    monkeypatch.setattr("pinguin.web.routes.live.LOOK_S", 0.2)
    mine = await add_monitor(pool, name="shop")
    await set_status(pool, mine, "up")
    path = await drawn(live, pool, "/monitors?status=down")
    await set_status(pool, mine, "down", "timeout")
    async with stream(live[0], path, pool) as events:
        assert "<b>1</b> down" in await events.next("news")
        assert await events.next("list") == "changed"


async def test_the_counts_of_a_filtered_list_stay_its_own(
    live: tuple[str, Litestar], pool: Pool, broker: Broker
) -> None:
    for name, tags in {"shop": ["a"], "mail": ["b"], "api": ["a"]}.items():
        await set_status(pool, await add_monitor(pool, name=name, tags=tags), "up")
    async with stream(live[0], await drawn(live, pool, "/monitors?tag=a&sort=name"), pool) as events:
        await until_open(live[1], 1)
        await set_status(pool, 1, "down", "timeout")
        await broker.announce_results([1])
        news = await events.next("news")
    assert "<b>2</b> that match" in news
    assert 'href="/monitors?status=down&amp;tag=a&amp;sort=name"' in news
    assert "1 of 3 monitors is down" in news


async def test_in_groups_every_row_of_a_monitor_is_changed(
    live: tuple[str, Litestar], pool: Pool, broker: Broker
) -> None:
    mine = await add_monitor(pool, name="shop", tags=["a", "b"])
    async with stream(live[0], await drawn(live, pool, "/monitors?group=tag"), pool) as events:
        await until_open(live[1], 1)
        await set_status(pool, mine, "down", "timeout")
        await broker.announce_results([mine])
        news = await events.next("news")
    assert f"""hx-swap-oob="outerHTML:[data-monitor='{mine}']\"""" in news
    assert f'id="m{mine}"' not in news


@pytest.mark.parametrize("had", ["", "1.2", "a.b.c.d.e.f.g", "1.1.1.1.1.1." + "9" * 30, "².1.1.1.1.1.1"])
async def test_strange_counts_are_none(client: Client, had: str) -> None:
    assert list_page.had(had) is None
    assert (await client.get("/live/list/rows", params={"ids": "", "had": had, "seen": had})).status_code == 200
