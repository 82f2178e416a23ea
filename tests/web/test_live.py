"""Pages that are open: a monitor's own, the end of streams, and polling where none come through."""

from __future__ import annotations

import html
import re
from datetime import UTC, datetime, timedelta
from typing import LiteralString
from urllib.parse import quote

import httpx
import pytest
from litestar import Litestar

from pinguin.broker import Broker
from pinguin.db import Pool
from pinguin.web.sessions import csrf_token
from tests.factory import add_monitor, add_result, fetch
from tests.web.conftest import Client
from tests.web.streams import session, stream, until_open


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


@pytest.mark.parametrize("change", ["name = 'store'", "enabled = false", "archived_at = now()"])
async def test_a_monitors_page_is_drawn_anew_where_it_was_edited_before_its_stream_was_open(
    live: tuple[str, Litestar], pool: Pool, broker: Broker, change: LiteralString, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody is listening then: while the page is drawn, and while a browser sleeps."""
    monitor = await add_monitor(pool)
    ((drawn,),) = await fetch(pool, "select updated_at from monitors")
    path = f"/live/monitors/{monitor}?mark={quote(drawn.isoformat())}"
    async with stream(live[0], path, pool) as events:
        await until_open(live[1], 1)
        await add_result(pool, monitor, "up")
        await broker.announce_results([monitor])
        assert (await events.event())[0] == "news"
    await fetch(pool, f"update monitors set {change} returning 1")
    monkeypatch.setattr("pinguin.web.hub.REPLAY_S", 0)  # what was announced long ago is not told again
    async with stream(live[0], path, pool) as events:
        assert await events.next("list") == "changed"


async def test_streams_end_when_the_process_stops(live: tuple[str, Litestar], pool: Pool) -> None:
    address, app = live
    async with stream(address, "/live/list?ids=", pool) as events:
        await until_open(app, 1)
        app.state.web.hub.close()
        with pytest.raises(AssertionError, match="the stream ended"):
            await events.next("news")
    await until_open(app, 0)


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
