"""The page of an incident: what it tells, and what it costs."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

from pinguin.db import Pool
from tests.factory import add_incident, add_monitor, add_result, fetch
from tests.web.conftest import Client, Statements
from tests.web.hostile import HOSTILE
from tests.web.test_incidents import names, told


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


async def test_a_link_of_a_message_asks_for_a_sign_in_and_leads_back(client: Client, pool: Pool) -> None:
    incident = await add_incident(pool, await add_monitor(pool))
    client.cookies.clear()
    answer = await client.get(f"/incidents/{incident}")
    assert (answer.status_code, answer.headers["location"]) == (303, f"/sign-in?next=%2Fincidents%2F{incident}")
