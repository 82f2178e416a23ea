"""Lists that are open: rows, counts and order as monitors change."""

from __future__ import annotations

import pytest
from litestar import Litestar

from pinguin.broker import Broker
from pinguin.db import Pool
from pinguin.web import list_page
from tests.factory import add_monitor, add_result, set_status
from tests.web.conftest import Client
from tests.web.streams import drawn, stream, until_open


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
    path = await drawn(live[0], "/monitors", pool)
    async with stream(live[0], path, pool) as events:
        await until_open(live[1], 1)
        for _ in range(2):  # word of another list would come before the second
            await broker.announce_results([monitor])
            assert (await events.event())[0] == "news"
    await add_monitor(pool, name="mail")
    async with stream(live[0], path, pool) as events:
        assert await events.next("list") == "changed"
    with live[1].state.web.hub.page([monitor]) as page:
        await broker.announce_results([monitor])
        assert await page.news(60) == ([monitor], False)
    async with stream(live[0], f"/live/list?ids={monitor}", pool) as events:
        assert f'id="m{monitor}"' in await events.next("news")


@pytest.mark.parametrize("ids", ["x", "1,,x", "-1", "9" * 40, "1;drop"])
async def test_ids_that_are_none_are_left_out(client: Client, ids: str) -> None:
    assert (await client.get("/live/list/rows", params={"ids": ids})).status_code == 200


async def test_nobody_asks_for_more_than_a_page(client: Client) -> None:
    assert (await client.get("/live/list/rows?ids=" + ",".join(map(str, range(501))))).status_code == 400


@pytest.mark.parametrize(("sort", "following"), [("status", "list"), ("name", "news")])
async def test_a_list_is_drawn_anew_only_where_a_monitor_has_to_move_in_it(
    live: tuple[str, Litestar], pool: Pool, broker: Broker, sort: str, following: str
) -> None:
    """What follows the news of a change: word that the list is another one, or the news of the next change."""
    mine = await add_monitor(pool, name="shop")
    await set_status(pool, mine, "up")
    async with stream(live[0], await drawn(live[0], f"/monitors?sort={sort}", pool), pool) as events:
        await until_open(live[1], 1)
        await set_status(pool, mine, "down", "timeout")
        await broker.announce_results([mine])
        assert "cells s-down" in await events.next("news")
        await set_status(pool, mine, "up")
        await broker.announce_results([mine])
        name, _ = await events.event()
    assert name == following


async def test_a_list_of_what_is_down_hears_of_one_that_it_does_not_show(
    live: tuple[str, Litestar], pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even of what happened after it was drawn and before its stream was open."""
    monkeypatch.setattr("pinguin.web.routes.live.LOOK_S", 0.2)
    mine = await add_monitor(pool, name="shop")
    await set_status(pool, mine, "up")
    path = await drawn(live[0], "/monitors?status=down", pool)
    await set_status(pool, mine, "down", "timeout")
    async with stream(live[0], path, pool) as events:
        assert "<b>1</b> down" in await events.next("news")
        assert await events.next("list") == "changed"


async def test_the_counts_of_a_filtered_list_stay_its_own(
    live: tuple[str, Litestar], pool: Pool, broker: Broker
) -> None:
    for name, tags in {"shop": ["a"], "mail": ["b"], "api": ["a"]}.items():
        await set_status(pool, await add_monitor(pool, name=name, tags=tags), "up")
    async with stream(live[0], await drawn(live[0], "/monitors?tag=a&sort=name", pool), pool) as events:
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
    async with stream(live[0], await drawn(live[0], "/monitors?group=tag", pool), pool) as events:
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
