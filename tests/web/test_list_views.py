"""The orders, tags and groups of the list, and the views of it that people keep."""

from __future__ import annotations

import html
import re
from datetime import timedelta

import pytest
from litestar import Litestar

from pinguin.db import Pool, connection
from pinguin.maintenance import Manual
from pinguin.model import Status
from pinguin.people import Role
from pinguin.store import maintenance, monitors, pages
from pinguin.store.monitors import Filter, Place
from pinguin.web import asked, list_page
from pinguin.web.asked import SORTS, Asked
from tests.factory import add_monitor, fetch, set_status
from tests.web.conftest import Client, browser, person, signed_in
from tests.web.hostile import HOSTILE
from tests.web.test_listing import names


async def spread(pool: Pool, many: int) -> None:
    """Monitors that differ in all that one may sort by; in pairs that are alike but for their names."""
    async with connection(pool) as conn:
        await conn.execute(
            """insert into monitors (name, type, target, options, interval_s, tags)
            select case when n %% 2 = 0 then 'twin' else 'Monitor ' || n end, 'tcp', 'x', '{}', 10 + n / 2,
              case n %% 3 when 0 then '{a}' when 1 then '{a,b}' else '{}' end::text[]
            from generate_series(1, %s) n""",
            (many,),
        )
        await conn.execute(
            """update monitor_states set since = now() - (monitor_id / 2) * interval '7 s',
              latency_ms = 1000.0 / (monitor_id / 2 + 1), status = (array['up', 'down', 'degraded', 'unknown', 'paused']
                ::monitor_status[])[1 + monitor_id % 5]"""
        )
        await conn.execute("delete from transitions")
        await conn.execute(
            """insert into transitions (monitor_id, at, confirmed_at, from_status, to_status)
            select monitor_id, now() - interval '3 d', now(), null::monitor_status,
              case when monitor_id % 3 = 0 then status else 'up'::monitor_status end
            from monitor_states
            union all select monitor_id, since - interval '1 h', now(), 'up', 'down'::monitor_status from monitor_states
            where monitor_id % 3 > 0
            union all select monitor_id, since, now(), 'down', status from monitor_states where monitor_id % 3 > 0"""
        )


@pytest.mark.parametrize("sort", SORTS)
async def test_no_order_loses_or_doubles_a_monitor_between_its_pages(client: Client, pool: Pool, sort: str) -> None:
    await spread(pool, 120)
    seen: list[str] = []
    path = f"/monitors?sort={sort}"
    for expected in (50, 50, 20):
        page = (await client.get(path)).text
        found = re.findall(r'<a id="m(\d+)-link"', page)
        assert len(found) == expected
        seen += found
        following = re.search(r'rel="next" href="([^"]+)"', page)
        path = html.unescape(following[1]) if following else ""
    assert len(set(seen)) == 120


async def test_each_order_is_what_it_says(pool: Pool) -> None:
    await spread(pool, 40)
    async with connection(pool) as conn:
        found = {sort: await monitors.listed(conn, Filter(), sort=sort) for sort in SORTS}
        uptime = await pages.uptime_day(conn, [each.id for each in found["name"]])
    ranks = {status: place for place, status in enumerate(asked.ORDER)}
    assert [each.sort_name for each in found["name"]] == sorted(each.name.lower() for each in found["name"])
    of_status = [(ranks[each.status], each.sort_name) for each in found["status"]]
    assert of_status == sorted(of_status)
    judged = [each.latency_ms for each in found["latency"] if each.status in ("up", "degraded")]
    assert judged == sorted(judged, key=lambda ms: -(ms or 0))
    assert [each.status in ("up", "degraded") for each in found["latency"]] == [True] * len(judged) + [False] * (
        40 - len(judged)
    )
    assert [each.since for each in found["change"]] == sorted((each.since for each in found["change"]), reverse=True)
    assert [each.interval_s for each in found["interval"]] == sorted(each.interval_s for each in found["interval"])
    shares = [uptime.get(each.id) for each in found["uptime"]]
    known = [share for share in shares if share is not None]
    near = [round(share, 3) for share in known]  # they are of a moment later than the order
    assert near == sorted(near)
    assert None not in shares[: len(known)]
    assert len(set(known)) > 5


async def test_some_statuses_alone_are_what_the_whole_list_has_of_them(pool: Pool) -> None:
    await spread(pool, 60)
    async with connection(pool) as conn:
        made = await maintenance.create(conn, maintenance.Draft(title="Move", rule=Manual(), tags=["b"]))
        await maintenance.start(conn, made, timedelta(hours=1))
        everything = await monitors.listed(conn, Filter(), most=100)
        assert {each.status for each in everything} == {"up", "down", "degraded", "unknown", "paused", "maintenance"}
        for among in (["down"], ["down", "degraded"], ["maintenance"], ["paused", "maintenance"]):
            found = await monitors.listed(conn, Filter(), most=100, among=among)
            assert found == [each for each in everything if each.status in among]


def test_a_page_of_the_worst_asks_for_as_many_statuses_as_it_surely_needs() -> None:
    within = dict.fromkeys(Status, 0) | {Status.DOWN: 40, Status.UNKNOWN: 11, Status.UP: 500, Status.PAUSED: 3}
    first = Place(-1e308, "", 0)
    assert list_page.worst(within, first) == ["down", "degraded", "unknown"]
    assert list_page.worst(within | {Status.DOWN: 51}, first) == ["down"]
    assert list_page.worst(within | {Status.DOWN: 50}, first) == ["down", "degraded", "unknown"]
    assert list_page.worst(within, Place(1, "z", 1)) == ["down", "degraded", "unknown", "pending", "up"]
    assert list_page.worst(within, Place(5, "a", 1)) is None
    assert list_page.worst(dict.fromkeys(Status, 1), first) is None


async def test_the_order_by_uptime_counts_no_maintenance(pool: Pool) -> None:
    """It is the uptime that the row shows."""
    first, second = await add_monitor(pool, name="first"), await add_monitor(pool, name="second")
    async with connection(pool) as conn:
        await conn.execute("delete from transitions")
        for monitor, hours in ((first, 3), (second, 2)):
            await conn.execute(
                """insert into transitions (monitor_id, at, confirmed_at, to_status)
                values (%(m)s, now() - interval '5 d', now(), 'up'),
                  (%(m)s, now() - %(h)s * interval '1 h' - interval '1 h', now(), 'down'),
                  (%(m)s, now() - interval '1 h', now(), 'up')""",
                {"m": monitor, "h": hours},
            )
        assert [each.id for each in await monitors.listed(conn, Filter(), sort="uptime")] == [first, second]
        await conn.execute(
            """with made as (insert into maintenances (title, rule, zone, monitor_ids) values ('x', '{}', 'UTC', %s)
              returning id)
            insert into maintenance_windows (maintenance_id, starts_at, ends_at, counts, everything, tags, monitor_ids)
            select id, now() - interval '5 h', now() - interval '1 h', 'excluded', false, '{}', %s from made""",
            ([first], [first]),
        )
        assert [each.id for each in await monitors.listed(conn, Filter(), sort="uptime")] == [second, first]


async def test_several_tags_narrow_and_their_counts_follow(client: Client, pool: Pool) -> None:
    for name, tags in {"shop": ["a", "b"], "mail": ["a"], "api": ["b"], "web": ["a", "b", "c"]}.items():
        monitor = await add_monitor(pool, name=name, tags=tags)
        await set_status(pool, monitor, "down" if name == "shop" else "up")
    page = (await client.get("/monitors?tag=a&tag=b")).text
    assert names(page) == ["shop", "web"]
    assert "<b>2</b> that match" in page
    assert 'href="/monitors?status=down&amp;tag=a&amp;tag=b"' in page
    assert 'href="/monitors?tag=b"' in page
    assert names((await client.get("/monitors?tag=a&tag=b&status=down")).text) == ["shop"]
    assert "1 of 4 monitors is down" in page


async def test_groups_fold_and_count(client: Client, pool: Pool) -> None:
    for name, tags in {"shop": ["a", "b"], "mail": ["a"], "lone": []}.items():
        await set_status(pool, await add_monitor(pool, name=name, tags=tags), "down" if name == "shop" else "up")
    page = (await client.get("/monitors?group=tag")).text
    assert re.findall(r'<section class="group" aria-label="([^"]*)"', page) == ["a", "b", "Without a tag"]
    assert re.findall(r'data-monitor="(\d+)"', page) == ["1", "2", "1", "3"]
    assert 'id="m1"' not in page  # it is there twice
    fold = re.search(r'<h2><a href="([^"]+)" aria-expanded="true"', page)
    assert fold is not None
    folded = (await client.get(html.unescape(fold[1]))).text
    assert re.findall(r'data-monitor="(\d+)"', folded) == ["1", "3"]
    for _ in range(2):
        fold = re.search(r'<h2><a href="([^"]+)" aria-expanded="true"', folded)
        assert fold is not None
        folded = (await client.get(html.unescape(fold[1]))).text
    assert re.findall(r'data-monitor="(\d+)"', folded) == []
    assert folded.count('aria-expanded="false"') == 3
    assert names((await client.get("/monitors?group=tag&status=down&rest=1&open=b")).text) == []


async def test_a_large_group_leads_to_the_rest_of_it(client: Client, pool: Pool) -> None:
    await spread(pool, 120)
    page = (await client.get("/monitors?group=tag&open=a")).text
    assert len(re.findall("data-monitor=", page)) == 50
    assert '<a href="/monitors?tag=a">All 80</a>' in page


def test_an_address_says_all_and_is_read_back() -> None:
    for state in (
        Asked(),
        Asked(q="a&b=c d", status="down", type="tcp", tags=("x y", "ä&"), sort="uptime"),
        Asked(group=True, open=("a", "")),
        Asked(group=True, open=()),
        Asked(group=True, sort="name"),
    ):
        assert asked.parse_query(state.link().partition("?")[2]) == state


BAD = ("sort=sideways", "group=colour", "&".join(f"tag={n}" for n in range(11)), "after=WzEsIngiLDEsIngiXQ")


@pytest.mark.parametrize("query", BAD)
async def test_what_no_list_has_is_told(client: Client, query: str) -> None:
    answer = await client.get(f"/monitors?{query}")
    assert answer.status_code == 400
    assert "That does not work" in answer.text


async def test_hostile_filters_break_nothing(client: Client, pool: Pool) -> None:
    await add_monitor(pool, tags=["<b>"])
    for text in HOSTILE:
        for group in ({}, {"group": "tag", "open": text}):
            answer = await client.get("/monitors", params={"q": text, "tag": [text, "<b>"], "type": text, **group})
            assert answer.status_code == 200
            assert "<script>alert" not in answer.text
            assert "<img" not in answer.text


async def view(pool: Pool, name: str) -> int:
    [(found,)] = await fetch(pool, "select v.id from saved_views v where name = %s and user_id = 1", name)
    return int(found)


async def save(client: Client, name: str, query: str, **more: str) -> int:
    return (await client.submit("/monitors/views", {"name": name, "query": query, **more})).status_code


async def test_a_view_is_kept_named_shared_and_deleted(client: Client, app: Litestar, pool: Pool) -> None:
    for name in ("shop", "mail"):
        await add_monitor(pool, name=name, tags=[name])
    assert await save(client, "Mine & <b>", "tag=shop&sort=name&after=xyz") == 303
    mine = await view(pool, "Mine & <b>")
    page = (await client.get("/monitors?sort=status")).text
    assert '<a href="/monitors?tag=shop&amp;sort=name">Mine &amp; &lt;b&gt;</a>' in page
    shown = (await client.get("/monitors?tag=shop&sort=name")).text
    assert names(shown) == ["shop"]
    assert 'aria-current="true">Mine &amp;' in shown
    async with browser(app) as other:
        await signed_in(other, pool, await person(pool, "cyd", Role.VIEWER))
        theirs = (await other.get("/monitors?tag=shop&sort=name")).text
        assert names(theirs) == ["shop"]
        assert "Mine" not in theirs
        assert await save(other, "Mine & <b>", "q=mail", default="on") == 303
        assert names((await other.get("/monitors", follow_redirects=True)).text) == ["mail"]
        assert (await other.submit(f"/monitors/views/{mine}/delete")).status_code == 404
        assert (await other.submit(f"/monitors/views/{mine}/default")).status_code == 404
    assert (await client.submit(f"/monitors/views/{mine}/delete")).status_code == 303
    assert await fetch(pool, "select query from saved_views") == [("q=mail",)]
    acts = [row[0] for row in await fetch(pool, "select action from audit where action like 'view.%%' order by id")]
    assert acts == ["view.save", "view.save", "view.delete"]


async def test_the_list_begins_with_the_view_that_somebody_chose(client: Client, pool: Pool) -> None:
    await add_monitor(pool, name="shop", tags=["x"])
    await save(client, "One", "tag=x")
    await save(client, "Two", "tag=y", default="on")
    assert (await client.get("/monitors")).headers["location"] == "/monitors?tag=y"
    assert (await client.submit(f"/monitors/views/{await view(pool, 'One')}/default")).status_code == 303
    assert (await client.get("/monitors")).headers["location"] == "/monitors?tag=x"
    assert names((await client.get("/monitors?sort=status")).text) == ["shop"]  # all of them, and no way round
    await client.submit("/monitors/views/0/default")
    assert (await client.get("/monitors")).status_code == 200


async def test_a_view_of_the_same_name_is_replaced(client: Client, pool: Pool) -> None:
    await save(client, "Shop", "tag=x")
    await save(client, "shop", "tag=y")
    assert await fetch(pool, "select name, query from saved_views") == [("shop", "tag=y")]


@pytest.mark.parametrize(
    ("name", "query", "status"),
    [
        ("", "", 422),
        ("x" * 61, "", 422),
        ("a\nb", "", 422),
        ("a\x00b", "", 422),
        ("x", "sort=sideways", 400),
        ("x", "&".join(f"a={n}" for n in range(300)), 400),
        ("x", "group=tag&" + "&".join(f"open={n}{'y' * 190}" for n in range(20)), 422),
        *((text, text, 422) for text in HOSTILE if len(text) > 60 or not text.isprintable()),
    ],
)
async def test_a_view_that_cannot_be_kept_is_told_why(
    client: Client, pool: Pool, name: str, query: str, status: int
) -> None:
    await add_monitor(pool)
    answer = await client.submit("/monitors/views", {"name": name, "query": query})
    assert answer.status_code == status
    assert "<script>alert" not in answer.text
    assert await fetch(pool, "select count(*) from saved_views") == [(0,)]


async def test_nobody_keeps_more_views_than_can_be_seen(client: Client, pool: Pool) -> None:
    await add_monitor(pool)
    async with connection(pool) as conn:
        await conn.execute(
            "insert into saved_views (user_id, name, query) select 1, 'v' || n, 'q=1' from generate_series(1, 50) n"
        )
    answer = await client.submit("/monitors/views", {"name": "one more", "query": ""})
    assert answer.status_code == 422
    assert "delete one first" in answer.text
    assert await save(client, "V7", "q=2") == 303


async def test_viewers_are_told_of_no_deeds(client: Client, app: Litestar, pool: Pool) -> None:
    async with browser(app) as other:
        await signed_in(other, pool, await person(pool, "cyd", Role.VIEWER))
        empty = (await other.get("/monitors?sort=status")).text
        assert "Nothing is watched yet" in empty
        assert "/monitors/new" not in empty
        assert "add a channel" not in empty
        await add_monitor(pool)
        page = (await other.get("/monitors?sort=status")).text
    assert 'type="checkbox" name="m' not in page
    assert "/monitors/bulk" not in page
    assert "add a channel" not in page.lower().replace("can add a channel", "")
