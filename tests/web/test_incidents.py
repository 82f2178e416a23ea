"""The list of incidents, and its export."""

from __future__ import annotations

import csv
import io
import json
import re
from datetime import UTC, datetime, timedelta
from html import unescape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pinguin.db import Pool
from pinguin.web.csv_text import cell
from pinguin.web.export import PART
from tests.factory import add_incident, add_monitor, fetch
from tests.web.conftest import Client, Statements
from tests.web.hostile import HOSTILE


def names(page: str) -> list[str]:
    return re.findall(r'<a href="/incidents/\d+"><b>([^<]*)</b></a>', page)


async def test_the_list_tells_what_why_and_how_long(client: Client, pool: Pool) -> None:
    shop, mail = await add_monitor(pool, name="shop"), await add_monitor(pool, name="mail")
    first = await add_incident(pool, shop, ago=7200, lasted=90, message="status 503")
    second = await add_incident(pool, mail)
    page = (await client.get("/incidents")).text
    assert names(page) == ["mail", "shop"]
    for words in (
        "status 503",
        "1 min 30 s",
        "still down",
        f"/incidents/{first}",
        f"/incidents/{second}",
        "<b>1</b> open",
    ):
        assert words in page, words


async def test_the_list_is_narrowed(client: Client, pool: Pool) -> None:
    shop, mail = await add_monitor(pool, name="shop", tags=["a"]), await add_monitor(pool, name="mail", tags=["b"])
    await add_incident(pool, shop, ago=7200, lasted=90, reason="dns", region="eu")
    await add_incident(pool, mail)
    day, tomorrow = f"{datetime.now(UTC):%Y-%m-%d}", f"{datetime.now(UTC) + timedelta(days=1):%Y-%m-%d}"
    hour = f"{datetime.now(UTC) - timedelta(hours=1):%Y-%m-%dT%H:%M}"
    wanted = {
        "state=open": ["mail"], "state=ended": ["shop"], "state=acknowledged": [], f"monitor={shop}": ["shop"],
        "tag=b": ["mail"], "reason=dns": ["shop"], "region=eu": ["shop"], f"from={hour}": ["mail"],
        f"to={hour}": ["shop"], f"to={tomorrow}": ["mail", "shop"], f"from={tomorrow}": [],
        f"from={hour}Z&to={day}": ["mail"],
        "q=SHOP": ["shop"], "q=no+answer&state=open": ["mail"], "tag=nothing": [],
    }  # fmt: skip
    for query, found in wanted.items():
        page = (await client.get(f"/incidents?{query}")).text
        assert names(page) == found, query
        assert ("No incident matches" in page or "Nothing is down" in page) == (not found)


@pytest.mark.parametrize(
    "query",
    ["state=sideways", "monitor=x", "monitor=99999999999999999999", "reason=x", "from=yesterday", "to=2026-13-01",
     "from=0001-01-01", "before=x", "before=2026-01-01T00:00:00_1",
     "before=9999-12-31T00:00:00+00:00_9999999999999999999"],
)  # fmt: skip
async def test_what_is_not_understood_is_said(client: Client, query: str) -> None:
    for path in ("/incidents", "/incidents/export.csv"):
        if "before" not in query or path == "/incidents":
            assert (await client.get(f"{path}?{query}")).status_code == 400


async def test_hostile_filters_find_nothing_and_break_nothing(client: Client, pool: Pool) -> None:
    await add_incident(pool, await add_monitor(pool))
    for text in HOSTILE:
        for path in ("/incidents", "/incidents/export.json"):
            answer = await client.get(path, params={"q": text, "tag": text, "region": text})
            assert answer.status_code == 200
            assert "<script>alert" not in answer.text
            assert "<img" not in answer.text


async def test_pages_of_the_list_lose_and_double_nothing(client: Client, pool: Pool) -> None:
    monitor = await add_monitor(pool)
    await many(pool, monitor, 120)
    path, seen = "/incidents?state=ended", []
    while path:
        page = (await client.get(path)).text
        seen += re.findall(r'<a href="/incidents/(\d+)">', page)
        older = re.search(r'rel="next" href="([^"]+)"', page)
        path = unescape(older[1]) if older else ""
    assert len(seen) == len(set(seen)) == 120


async def many(pool: Pool, monitor: int, count: int) -> None:
    await fetch(
        pool,
        """insert into incidents (monitor_id, started_at, confirmed_at, ended_at, reason, message, region, closed_by)
        select %s, now() - (n / 2) * interval '1 min', now(), now(), 'dns', 'no ' || n, 'local', 'recovery'
        from generate_series(1, %s) n returning 1""",
        monitor,
        count,
    )


async def test_a_list_costs_the_same_queries_however_long(client: Client, pool: Pool, statements: Statements) -> None:
    monitor, spent = await add_monitor(pool), []
    for count in (1, 60):
        await many(pool, monitor, count)
        await client.get("/incidents")  # the tags on offer are remembered
        statements.count = 0
        await client.get("/incidents?q=no&tag=a")
        spent.append(statements.count)
    assert spent[0] == spent[1] <= 8


async def test_an_export_has_all_that_is_asked_for(client: Client, pool: Pool) -> None:
    shop = await add_monitor(pool, name="shop", tags=["a", "b"])
    await many(pool, shop, 2 * PART + 7)
    await add_incident(pool, await add_monitor(pool, name="mail"), message='said "no",\nand more', reason="protocol")
    answer = await client.get("/incidents/export.csv")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert re.fullmatch(r'attachment; filename="incidents-\d{4}-\d\d-\d\d\.csv"', answer.headers["content-disposition"])
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert len({row["id"] for row in rows}) == len(rows) == 2 * PART + 8
    (mail,) = [row for row in rows if row["monitor"] == "mail"]
    assert (mail["message"], mail["state"], mail["ended_at"], mail["duration_s"]) == (
        'said "no",\nand more',
        "open",
        "",
        "",
    )
    found = json.loads((await client.get("/incidents/export.json")).text)
    assert [str(each["id"]) for each in found] == [row["id"] for row in rows]
    assert found[-1]["tags"] == ["a", "b"]
    assert datetime.fromisoformat(found[-1]["started_at"]).tzinfo
    narrowed = json.loads((await client.get("/incidents/export.json?reason=protocol")).text)
    assert [each["monitor"] for each in narrowed] == ["mail"]
    assert json.loads((await client.get("/incidents/export.json?q=nothing+like+it")).text) == []


async def test_an_export_holds_no_evidence(client: Client, pool: Pool) -> None:
    """TRAP 24: what a target answered may hold anything."""
    await add_incident(pool, await add_monitor(pool), evidence={"headers": {"set-cookie": "hunter2"}})
    for kind in ("csv", "json"):
        assert "hunter2" not in (await client.get(f"/incidents/export.{kind}")).text


@pytest.mark.parametrize(
    "text", ["=1+1", "+1", "-1", "@x", "\t=1", "\r=1", "  =1", "=cmd|' /C calc'!A0", "\n=1", "|x", "%x", "＝1"]
)
def test_no_cell_begins_a_formula(text: str) -> None:
    assert cell(text) == f"'{text}"
    assert cell([text]) == f"'{text}"


@given(st.text())
def test_a_cell_says_what_it_said(text: str) -> None:
    said = cell(text)
    assert said in (text, f"'{text}")
    assert not said.lstrip(" ").startswith(("=", "+", "-", "@"))


def test_numbers_stay_numbers() -> None:
    assert [cell(value) for value in (None, 7, -1.5, 90.0)] == ["", "7", "-1.5", "90"]


async def told(pool: Pool, incident: int, number: int) -> None:
    await fetch(
        pool,
        """with g as (insert into messages (channel_id, status, attempts, ended_at)
          select id, 'sent', 2, now() from channels returning id, channel_id),
        a as (insert into attempts (message_id, latency_ms, outcome, answer)
          select id, 1503, 'failed', '503 <b>busy</b>' from g union all select id, 12, 'delivered', '200 ok' from g)
        insert into notifications (key, channel_id, incident_id, kind, at, due_at, status, message_id, told_at)
        select %s, channel_id, %s, 'down', now(), now(), 'sent', id, now() from g returning 1""",
        f"n{number}",
        incident,
    )


async def test_a_monitors_page_links_its_incidents(client: Client, pool: Pool) -> None:
    monitor = await add_monitor(pool)
    incident = await add_incident(pool, monitor)
    page = (await client.get(f"/monitors/{monitor}")).text
    assert f'href="/incidents/{incident}"' in page
    assert f'href="/incidents?monitor={monitor}"' in page


async def test_pinguins_own_incidents_stand_above_the_list(client: Client, pool: Pool) -> None:
    await fetch(
        pool,
        "insert into pipeline_incidents (code, region, message)"
        " values ('channel', 'Pager', 'channel refuses') returning 1",
    )
    page = (await client.get("/incidents")).text
    assert "channel refuses" in page
    assert "region Pager" not in page
    assert "channel refuses" not in (await client.get("/incidents?state=open")).text
