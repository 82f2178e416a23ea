from __future__ import annotations

import csv
import io
import json
import re
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg.types.json import Jsonb

from pinguin.db import Pool
from pinguin.errors import InvalidInput
from pinguin.web.csv_text import cell
from pinguin.web.export import PART
from pinguin.web.routes.incident import until_when
from tests.factory import add_monitor, fetch
from tests.web.conftest import Client, Statements
from tests.web.test_listing import HOSTILE, add_result, set_status


async def add_incident(
    pool: Pool, monitor_id: int, *, ago: float = 600, lasted: float | None = None, **values: Any
) -> int:
    """An outage that began `ago` seconds ago, and goes on unless it `lasted` some seconds; its id."""
    row = {"reason": "timeout", "message": "no answer", "region": "local", "evidence": {}, **values}
    ((incident,),) = await fetch(
        pool,
        """insert into incidents (monitor_id, started_at, confirmed_at, reason, message, region, evidence)
        select %s, at, at + interval '60 s', %s, %s, %s, %s
        from (select now() - %s * interval '1 s' as at) began returning id""",
        monitor_id, row["reason"], row["message"], row["region"], Jsonb(row["evidence"]), ago,
    )  # fmt: skip
    if lasted is not None:
        ends = "update incidents set ended_at = started_at + %s * interval '1 s', closed_by = 'recovery' where id = %s"
        await fetch(pool, f"{ends} returning 1", lasted, incident)
    if lasted is None:
        await set_status(pool, monitor_id, "down", row["reason"])
        await fetch(
            pool, "update monitor_states set incident_id = %s where monitor_id = %s returning 1", incident, monitor_id
        )
    return int(incident)


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


async def test_the_page_tells_the_whole_story(client: Client, pool: Pool) -> None:
    monitor = await add_monitor(pool, name="shop", tags=["web"], target="https://shop.test/")
    earlier = await add_incident(pool, monitor, ago=90_000, lasted=720)
    evidence = {
        "phases_ms": {"dns": 4, "connect": 12, "first_byte": 200.5}, "status_code": 503, "address": "192.0.2.7:443",
        "headers": {"server": "nginx"}, "body_sample": "<h1>Sorry</h1>",
        "chain": [{"subject": "shop.test", "issuer": "R11"}, {"subject": "R11", "issuer": "X1"}],
    }  # fmt: skip
    incident = await add_incident(pool, monitor, reason="status", message="status 503", evidence=evidence)
    for ago, status in ((660, "up"), (600, "down"), (545, "down")):
        await add_result(pool, monitor, status, seconds_ago=ago, reason=status if status == "down" else None)
    page = (await client.get(f"/incidents/{incident}")).text
    for words in (
        "<h1>shop</h1>", "status 503", "10 min", "First failed check", "Confirmed", "first_byte", "nginx",
        "&lt;h1&gt;Sorry&lt;/h1&gt;", "192.0.2.7:443", "R11", 'class="b-down"', 'class="b-up"', f"/incidents/{earlier}",
        "12 min", "1 outage", "Nobody is told of it", "What each region found", 'hx-trigger="every 3s"',
    ):  # fmt: skip
        assert words in page.replace("first byte", "first_byte"), words
    over = (await client.get(f"/incidents/{earlier}")).text
    for words in ("Was down for 12 min", "It is over", "first outage", "Recovered"):
        assert words in over, words
    assert 'hx-trigger="every 3s"' not in over
    for path in ("/incidents/99", "/incidents/0", "/incidents/99999999999999999999", "/live/incidents/99"):
        assert (await client.get(path)).status_code == 404


async def test_hostile_evidence_names_and_notes_are_shown_as_they_are(client: Client, pool: Pool) -> None:
    text = HOSTILE[0]
    monitor = await add_monitor(pool, name=text, target=HOSTILE[1], tags=[text])
    odd: dict[str, Any] = {"phases_ms": {"dns": "x", text: 1}, "headers": [text], "body_sample": {"a": text},
                           "chain": [text, {"subject": text}], "certificate": None, text: text}  # fmt: skip
    incident = await add_incident(pool, monitor, reason="<b>", message=text, region=text, evidence=odd)
    await add_incident(pool, await add_monitor(pool, name=text), message=text, ago=590)
    await client.submit(f"/incidents/{incident}/comment", {"comment": text})
    await client.submit(f"/incidents/{incident}/acknowledge", {"note": text})
    await client.submit(f"/incidents/{incident}/post-mortem", {"postmortem": text, "seen": ""})
    for path in (f"/incidents/{incident}", f"/live/incidents/{incident}", "/incidents"):
        page = (await client.get(path)).text
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
        assert "<script>alert" not in page
        assert "<img" not in page


async def test_a_page_costs_the_same_queries_whatever_there_is(
    client: Client, pool: Pool, statements: Statements
) -> None:
    monitors = [await add_monitor(pool, name=f"m{n}") for n in range(12)]
    incident = await add_incident(pool, monitors[0])
    await add_incident(pool, monitors[1], ago=590)
    await fetch(pool, "insert into channels (name, kind, options) values ('a', 'webhook', '{}') returning 1")
    spent = []
    for others in (0, 10):
        for n in range(others):
            await add_incident(pool, monitors[n + 2], ago=580)
            await told(pool, incident, n)
        statements.count = 0
        assert (await client.get(f"/incidents/{incident}")).status_code == 200
        spent.append(statements.count)
    assert spent[0] == spent[1] <= 14


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


async def test_who_was_told_and_what_the_provider_answered(client: Client, pool: Pool) -> None:
    incident = await add_incident(pool, await add_monitor(pool))
    await fetch(pool, "insert into channels (name, kind, options) values ('pager', 'webhook', '{}') returning 1")
    await told(pool, incident, 1)
    await fetch(
        pool,
        """insert into notifications (key, channel_id, incident_id, kind, step, at, due_at, status, held)
        select 'held' || n, id, %s, 'down', n, now(), now() + n * interval '1 h', status, held
        from channels, (values (1, 'waiting', null), (2, 'waiting', 'quiet'), (3, 'cancelled', 'acknowledged'),
          (4, 'failed', 'a day without success'), (5, 'waiting', 'something new')) v (n, status, held) returning 1""",
        incident,
    )
    page = (await client.get(f"/incidents/{incident}")).text
    for words in (
        "pager", "just now", "2 tries", "200 ok", "503 &lt;b&gt;busy&lt;/b&gt;", "1.50 s", "step 2", "due ",
        "waits: the channel has its quiet hours", "not told: somebody takes care of it", "not delivered",
        "waits: something new",
    ):  # fmt: skip
        assert words in page, words


async def test_what_failed_together_is_listed_with_a_guess(client: Client, pool: Pool) -> None:
    for n in range(30):
        await add_monitor(pool, name=f"well {n}", target=f"h{n}.test:80")
    ids = [await add_incident(pool, await add_monitor(pool, name=f"db {n}", target=f"db1.test:{n}"), ago=600 - 10 * n)
           for n in range(4)]  # fmt: skip
    far = await add_incident(pool, await add_monitor(pool, name="far"), ago=2000)
    page = (await client.get(f"/incidents/{ids[1]}")).text
    assert "4 of 4 monitors on host db1.test failed within 3" in page
    assert "no other host did" in page
    section = page[page.index('id="together-title"') :].partition("</section>")[0]
    assert sorted(names(section)) == ["db 0", "db 2", "db 3"]
    alone = (await client.get(f"/incidents/{far}")).text
    assert "Failed at the same time" not in alone


async def test_acknowledging_and_taking_it_back(client: Client, pool: Pool) -> None:
    incident = await add_incident(pool, await add_monitor(pool))
    answer = await client.submit(
        f"/incidents/{incident}/acknowledge", {"note": "I look\r\nat it"}, follow_redirects=True
    )
    for words in ("Acknowledged. No reminder", "<b>ada</b> takes care of it", "I look\nat it", "Take back"):
        assert words in answer.text
    assert "acknowledged by ada" in (await client.get("/incidents?state=acknowledged")).text
    again = await client.submit(f"/incidents/{incident}/acknowledge", follow_redirects=True)
    assert "Somebody did that before" in again.text
    back = await client.submit(f"/incidents/{incident}/take-back", {"note": "ill"}, follow_redirects=True)
    assert "took the acknowledgement back" in back.text
    assert await fetch(pool, "select acknowledged_at from incidents") == [(None,)]
    assert "did that before" in (await client.submit(f"/incidents/{incident}/take-back", follow_redirects=True)).text


async def test_many_are_acknowledged_from_the_list(client: Client, pool: Pool) -> None:
    ids = [await add_incident(pool, await add_monitor(pool, name=f"m{n}")) for n in range(3)]
    done = await add_incident(pool, await add_monitor(pool), lasted=5)
    page = (await client.get("/incidents?state=open")).text
    boxes = re.findall(r'name="(i\d+)" value="on"', page)
    assert sorted(boxes) == [f"i{each}" for each in ids]
    ticked = {f"i{each}": "on" for each in (ids[0], ids[2], done)}
    back = {"back": "/incidents?state=open&done=9", "note": "storm"}
    answer = await client.submit("/incidents/acknowledge", {**ticked, **back})
    assert answer.headers["location"] == "/incidents?state=open&done=2"
    assert await fetch(pool, "select id from incidents where acknowledged_by = 'ada' order by id") == [
        (ids[0],),
        (ids[2],),
    ]
    assert await fetch(pool, "select distinct text from incident_events where kind = 'acknowledged'") == [("storm",)]
    assert "Acknowledged 2 incidents" in (await client.get(answer.headers["location"])).text
    for bad in ({"back": "https://evil.example/"}, {"ix": "on"}, {"i" + "9" * 30: "on"}):
        answer = await client.submit("/incidents/acknowledge", bad)
        assert answer.headers["location"].endswith("?done=0")
        assert answer.headers["location"].startswith("/")
    assert "Nothing was acknowledged" in (await client.get("/incidents?done=0")).text


async def test_snoozing_and_waking(client: Client, pool: Pool) -> None:
    incident = await add_incident(pool, await add_monitor(pool))
    answer = await client.submit(f"/incidents/{incident}/snooze", {"for": "60"}, follow_redirects=True)
    assert "Snoozed until" in answer.text
    ((left,),) = await fetch(pool, "select snoozed_until - now() from incidents")
    assert timedelta(minutes=59) < left <= timedelta(minutes=60)
    assert "Awake again" in (await client.submit(f"/incidents/{incident}/wake", follow_redirects=True)).text
    assert await fetch(pool, "select snoozed_until from incidents") == [(None,)]
    at = [{"for": "time", "until": until} for until in ("soon", "2020-01-01T00:00", "9999-12-31T23:59")]
    for bad in (*at, {}, {"for": "5"}, {"for": "morning", "zone": "../../etc/passwd"}):
        assert (await client.submit(f"/incidents/{incident}/snooze", bad)).status_code == 422, bad
    over = await add_incident(pool, await add_monitor(pool), lasted=5)
    assert (
        "over before" in (await client.submit(f"/incidents/{over}/snooze", {"for": "30"}, follow_redirects=True)).text
    )


def test_tomorrow_at_nine_is_where_somebody_sleeps() -> None:
    """TRAP 16: over a change to or from daylight-saving time too."""
    night = datetime(2026, 3, 28, 23, 30, tzinfo=UTC)  # in Berlin it is the 29th, whose clocks go forward
    wanted = {
        "Europe/Berlin": datetime(2026, 3, 30, 7, tzinfo=UTC),
        "UTC": datetime(2026, 3, 29, 9, tzinfo=UTC),
        "America/New_York": datetime(2026, 3, 29, 13, tzinfo=UTC),
        "Pacific/Kiritimati": datetime(2026, 3, 29, 19, tzinfo=UTC),
    }
    for zone, until in wanted.items():
        assert until_when({"for": "morning", "zone": zone}, night) == until, zone
    a_time = {"for": "time", "until": "2026-03-29T12:00", "zone": "Europe/Berlin"}
    assert until_when(a_time, night) == datetime(2026, 3, 29, 10, tzinfo=UTC)
    assert until_when(a_time | {"until": "2026-03-29T12:00+01:00"}, night) == datetime(2026, 3, 29, 11, tzinfo=UTC)
    for bad in ({"for": "time", "until": ""}, {"for": "time", "until": "2026-05-29T12:00"}, {"for": "month"}):
        with pytest.raises(InvalidInput):
            until_when(bad, night)


async def test_comments_stand_in_the_timeline(client: Client, pool: Pool) -> None:
    incident = await add_incident(pool, await add_monitor(pool), lasted=60)
    answer = await client.submit(
        f"/incidents/{incident}/comment", {"comment": "a cable\r\nwas cut\x00"}, follow_redirects=True
    )
    assert "a cable\nwas cut\ufffd" in answer.text
    for bad in ("", "  ", "x" * 5001):
        assert (await client.submit(f"/incidents/{incident}/comment", {"comment": bad})).status_code == 422
    assert (await client.submit("/incidents/99/comment", {"comment": "x"})).status_code == 404


async def test_resolving_by_hand(client: Client, pool: Pool) -> None:
    monitor = await add_monitor(pool, name="shop")
    incident = await add_incident(pool, monitor)
    assert (await client.submit(f"/incidents/{incident}/resolve", {"comment": ""})).status_code == 422
    answer = await client.submit(f"/incidents/{incident}/resolve", {"comment": "moved away"}, follow_redirects=True)
    for words in ("Resolved. The monitor", "resolved by ada", "moved away"):
        assert words in answer.text
    assert (
        "over before"
        in (await client.submit(f"/incidents/{incident}/resolve", {"comment": "x"}, follow_redirects=True)).text
    )
    page = (await client.get(f"/monitors/{monitor}")).text
    assert "was resolved by hand" in page
    assert "Waiting" in page


async def test_a_post_mortem_is_shown_and_never_lost(client: Client, pool: Pool) -> None:
    incident = await add_incident(pool, await add_monitor(pool), lasted=60)
    path = f"/incidents/{incident}/post-mortem"
    answer = await client.submit(path, {"postmortem": "# Why\r\n\r\n**mice**\r\n", "seen": ""}, follow_redirects=True)
    assert "<h3>Why</h3>" in answer.text
    assert "<strong>mice</strong>" in answer.text
    first = "# Why\n\n**mice**"
    answer = await client.submit(path, {"postmortem": "rats", "seen": ""})
    assert answer.status_code == 409
    for words in ("changed by somebody else", "<strong>mice</strong>", ">\nrats</textarea>", f">\n{first}</textarea>"):
        assert words in answer.text, words
    answer = await client.submit(path, {"postmortem": "rats", "seen": first.replace("\n", "\r\n")})
    assert answer.headers["location"] == f"/incidents/{incident}?notice=written#post-mortem"
    answer = await client.submit(path, {"postmortem": "x" * 10_001, "seen": "rats"})
    assert answer.status_code == 400
    assert "x" * 10_001 in answer.text
    assert await fetch(pool, "select postmortem from incidents") == [("rats",)]
    assert (await client.submit("/incidents/99/post-mortem", {"postmortem": "x", "seen": ""})).status_code == 404


async def test_an_open_page_is_told_what_changed_and_nothing_else(client: Client, pool: Pool) -> None:
    incident = await add_incident(pool, await add_monitor(pool))
    page = (await client.get(f"/incidents/{incident}")).text

    def poll(of: str) -> str:
        found = re.search(r'hx-get="(/live/incidents/[^"]+)"', of)
        assert found is not None
        return unescape(found[1])

    quiet = await client.get(poll(page))
    assert (quiet.status_code, quiet.content) == (204, b"")
    await client.submit(f"/incidents/{incident}/comment", {"comment": "hello"})
    news = (await client.get(poll(page))).text
    for words in ('id="timeline" hx-swap-oob="true"', "hello", 'id="incident-head"', 'id="told"', 'id="strips"'):
        assert words in news, words
    assert 'id="acts"' not in news
    assert "<html" not in news
    assert (await client.get(poll(news))).status_code == 204
    await client.submit(f"/incidents/{incident}/acknowledge")
    assert 'id="acts"' in (await client.get(poll(news))).text


@pytest.mark.parametrize("action", ["acknowledge", "take-back", "snooze", "wake", "comment", "resolve", "post-mortem"])
async def test_nothing_is_done_without_the_token_of_a_page(client: Client, pool: Pool, action: str) -> None:
    incident = await add_incident(pool, await add_monitor(pool))
    fields = {"comment": "x", "for": "30", "postmortem": "x"}
    assert (await client.post(f"/incidents/{incident}/{action}", data=fields)).status_code == 403
    assert (await client.post("/incidents/acknowledge", data={f"i{incident}": "on"})).status_code == 403
    assert (await client.get(f"/incidents/{incident}/{action}")).status_code in (404, 405)
    assert await fetch(pool, "select ended_at, acknowledged_at, snoozed_until, postmortem from incidents") == [
        (None,) * 4
    ]
    assert await fetch(pool, "select count(*) from incident_events where who is not null") == [(0,)]


async def test_a_link_of_a_message_asks_for_a_sign_in_and_leads_back(client: Client, pool: Pool) -> None:
    incident = await add_incident(pool, await add_monitor(pool))
    client.cookies.clear()
    answer = await client.get(f"/incidents/{incident}")
    assert (answer.status_code, answer.headers["location"]) == (303, f"/sign-in?next=%2Fincidents%2F{incident}")


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


async def test_what_is_too_long_comes_back_with_its_error(client: Client, pool: Pool) -> None:
    incident = await add_incident(pool, await add_monitor(pool))
    words = {"comment": "The comment", "resolve": "The reason", "acknowledge": "The note"}
    for form, title in words.items():
        field = "note" if form == "acknowledge" else "comment"
        text = "<b>" + "long " * 1200
        answer = await client.submit(f"/incidents/{incident}/{form}", {field: text})
        assert answer.status_code == 422
        assert re.search(rf'id="{form}-error">{title} has \d+ characters; write at most \d+', answer.text)
        assert "&lt;b&gt;long long" in answer.text
        assert "<b>long" not in answer.text
    assert await fetch(pool, "select count(*) from audit where object_kind = 'incident'") == [(0,)]
