from __future__ import annotations

import re

import pytest

from pinguin.db import Pool, connection
from pinguin.model import Status
from pinguin.store import monitors
from pinguin.store.monitors import Filter
from pinguin.web.asked import ORDER
from tests.factory import add_monitor, add_result, fetch, set_status
from tests.web.conftest import Client, Statements
from tests.web.hostile import HOSTILE


def names(page: str) -> list[str]:
    return re.findall(r'<a id="m\d+-link" href="/monitors/\d+">([^<]*)</a>', page)


async def test_an_empty_list_teaches(client: Client) -> None:
    page = (await client.get("/monitors")).text
    assert "Nothing is watched yet" in page
    for name in ("http", "tcp", "ping", "dns"):
        assert f'href="/monitors/new?type={name}"' in page


async def test_what_is_worst_comes_first(client: Client, pool: Pool) -> None:
    statuses = {"b up": "up", "a up": "up", "idle": "paused", "broken": "down", "slow": "degraded", "odd": "unknown"}
    for name, status in statuses.items():
        await set_status(pool, await add_monitor(pool, name=name), status)
    page = (await client.get("/monitors")).text
    assert names(page) == ["broken", "slow", "odd", "a up", "b up", "idle"]
    assert "1 of 6 monitors is down" in page


async def test_the_list_sorts_as_its_counts_stand(pool: Pool) -> None:
    """The order of statuses is written twice: for the counts above the list, and in its SQL."""
    for status in Status:
        await set_status(pool, await add_monitor(pool, name=status), status)
    async with connection(pool) as conn:
        listed = await monitors.listed(conn, Filter())
    assert tuple(each.status for each in listed) == ORDER
    assert [each.rank for each in listed] == list(range(1, len(Status) + 1))


async def test_a_row_says_why_what_and_since_when(client: Client, pool: Pool) -> None:
    monitor = await add_monitor(pool, name="shop", tags=["production"])
    await add_result(pool, monitor, "down", reason="refused", message="connection refused", latency_ms=None)
    await add_result(pool, monitor, "up", seconds_ago=90)
    await set_status(pool, monitor, "down", "refused")
    page = (await client.get("/monitors")).text
    row = page[page.index(f'<div id="m{monitor}"') :].partition("</li>")[0]
    assert "it is refused" in row
    assert ">production</a>" in row
    assert 'class="b-down"' in row
    assert 'class="b-up"' in row
    assert "refused: connection refused" in row
    assert "12.5 ms" in row
    assert 'aria-label="Last 2 checks: 1 down, 1 up"' in row
    assert re.search(r'<time datetime="[^"]+Z" title="[^"]+UTC"', row)


async def test_the_list_is_searched_and_filtered(client: Client, pool: Pool) -> None:
    await add_monitor(pool, name="Shop 100%", tags=["a"])
    await set_status(pool, await add_monitor(pool, name="api", target="api.test:443", tags=["b", "x"]), "down")
    await add_monitor(pool, name="mail", type="ping")
    wanted = {
        "q=sHoP": ["Shop 100%"],
        "q=100%25": ["Shop 100%"],
        "q=%25": ["Shop 100%"],
        "q=_": [],
        "q=api.test": ["api"],
        "tag=b": ["api"],
        "q=x": ["api"],
        "type=ping": ["mail"],
        "status=down": ["api"],
        "status=down&tag=a": [],
        "type=nonsense": [],
    }
    for query, found in wanted.items():
        page = (await client.get(f"/monitors?{query}")).text
        assert names(page) == found, query
        assert ("No monitor matches" in page) == (not found)


async def test_hostile_searches_find_nothing_and_break_nothing(client: Client, pool: Pool) -> None:
    await add_monitor(pool)
    for text in HOSTILE:
        answer = await client.get("/monitors", params={"q": text, "tag": text, "type": text})
        assert answer.status_code == 200
        assert "<script>alert" not in answer.text
        assert "<img" not in answer.text


async def test_hostile_names_are_shown_as_they_are(client: Client, pool: Pool) -> None:
    for text in HOSTILE[:5]:
        await add_monitor(pool, name=text, target=text, tags=[text])
    monitor = await add_monitor(pool, name="x")
    await set_status(pool, monitor, "down", "<script>alert(1)</script>")
    await add_result(pool, monitor, "down", reason="<b>", message='"><script>alert(1)</script>')
    page = (await client.get("/monitors")).text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "{{ 7 * 7 }}" in page
    assert "<script>alert" not in page
    assert "<img" not in page


async def test_pages_of_the_list_lose_and_double_nothing(client: Client, pool: Pool) -> None:
    async with connection(pool) as conn:
        await conn.execute(
            """insert into monitors (name, type, target, options)
            select case when n % 3 = 0 then 'same' else 'Monitor ' || n end, 'tcp', 'x', '{}'
            from generate_series(1, 120) n"""
        )
    seen: list[str] = []
    path = "/monitors"
    for expected in (50, 50, 20):
        page = (await client.get(path)).text
        ids = re.findall(r'<a id="m(\d+)-link"', page)
        assert len(ids) == expected
        seen += ids
        following = re.search(r'rel="next" href="([^"]+)"', page)
        path = following[1].replace("&amp;", "&") if following else ""
    assert path == ""
    assert len(set(seen)) == 120


async def test_bad_filters_and_places_say_so(client: Client) -> None:
    huge = "after=WzEsIngiLDk5OTk5OTk5OTk5OTk5OTk5OTk5XQ"
    for query in ("status=sideways", "after=!!", "after=e30", "after=WzEsMl0", "after=" + "A" * 500, huge):
        answer = await client.get(f"/monitors?{query}")
        assert answer.status_code == 400, query
        assert "That does not work" in answer.text


IDS = ",".join(map(str, range(1, 51)))


@pytest.mark.parametrize("path", ["/monitors", "/monitors?q=shop", "/monitors?group=tag", f"/live/list/rows?ids={IDS}"])
async def test_a_list_costs_the_same_queries_however_long(
    client: Client, pool: Pool, statements: Statements, path: str
) -> None:
    spent = []
    for more in (3, 57):
        async with connection(pool) as conn:
            await conn.execute(
                "insert into monitors (name, type, target, options)"
                " select 'shop', 'tcp', 'x', '{}' from generate_series(1, %s)",
                (more,),
            )
        statements.count = 0
        assert (await client.get(path)).status_code == 200
        spent.append(statements.count)
    assert spent[0] == spent[1] <= 15
    assert await fetch(pool, "select count(*) from monitors") == [(60,)]


async def test_when_pinguin_itself_is_not_well_the_pages_say_so(client: Client, pool: Pool) -> None:
    monitor = await add_monitor(pool)
    async with connection(pool) as conn:
        await conn.execute("delete from pipeline_incidents")
        await conn.execute(
            "insert into pipeline_incidents (code, region, message)"
            " values ('no_worker', 'eu', 'no worker <b>takes</b> jobs')"
        )
    for path in ("/monitors", f"/live/list/rows?ids={monitor}", "/incidents"):
        page = (await client.get(path)).text
        assert "no worker &lt;b&gt;takes&lt;/b&gt; jobs" in page, path
        assert "region eu" in page
    async with connection(pool) as conn:
        await conn.execute("delete from pipeline_incidents")
    assert "not well" not in (await client.get("/monitors")).text
