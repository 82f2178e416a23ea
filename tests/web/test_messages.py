"""The log of what was told."""

from __future__ import annotations

import re

from pinguin.db import Pool
from tests.factory import add_monitor, fetch
from tests.store.telling import add_channel, message, outage
from tests.web.conftest import Client, Statements


async def test_the_log_shows_tries_items_and_what_waits(client: Client, pool: Pool) -> None:
    ops = await add_channel(pool)
    shop = await add_monitor(pool, name="shop")
    await outage(pool, shop)
    await message(pool, ops, "failed", ("failed", "no answer <within> 10 s"), ("refused", "410 Gone"))
    for path in ("/messages", f"/channels/{ops}/messages"):
        page = (await client.get(path)).text
        assert "goes out now" in page
        assert "no answer &lt;within&gt; 10 s" in page
        assert "410 Gone" in page
        assert "12.5 ms" in page or "12 ms" in page or "13 ms" in page
    for change, words in (
        ("notifications set held = 'quiet'", "quiet hours"),
        ("channels set broken_at = now()", "the channel is broken"),
    ):
        await fetch(pool, f"update {change} returning 1")
        assert words in (await client.get("/messages")).text
    sent = await message(pool, ops, "sent", ("delivered", "200 OK"))
    await fetch(pool, "update notifications set message_id = %s, status = 'sent' returning 1", sent)
    page = (await client.get("/messages")).text
    assert "Waiting" not in page
    assert f'<a href="/monitors/{shop}">shop</a>' in page


async def test_the_log_has_pages_and_costs_the_same_however_long_it_is(
    client: Client, pool: Pool, statements: Statements
) -> None:
    ops = await add_channel(pool)
    await message(pool, ops, "sent", ("delivered", "200 OK"))
    statements.count = 0
    await client.get("/messages")
    one = statements.count
    await fetch(
        pool,
        """insert into messages (channel_id, status, subject, created_at)
        select %s, 'sent', 'number ' || n, now() - n * interval '1 min' from generate_series(1, 70) n returning 1""",
        ops,
    )
    statements.count = 0
    page = (await client.get("/messages")).text
    assert statements.count == one
    seen = []
    while True:
        seen += re.findall(r"<b>(shop is down|number \d+)</b>", page)
        older = re.search(r'rel="next" href="([^"]+)"', page)
        if older is None:
            break
        page = (await client.get(older[1].replace("&amp;", "&"))).text
    assert seen == ["shop is down", *(f"number {n}" for n in range(1, 71))]


async def test_a_monitor_says_who_is_told_of_it_and_what_became_of_that(client: Client, pool: Pool) -> None:
    shop = await add_monitor(pool, name="shop")
    page = (await client.get(f"/monitors/{shop}")).text
    assert "Nobody is told of this monitor" in page
    assert "There is no default channel" in page
    ops = await add_channel(pool)
    await outage(pool, shop)
    page = (await client.get(f"/monitors/{shop}")).text
    assert f'Told at once: <a href="/channels/{ops}/messages">ops</a>.' in page
    assert "waits to be told" in page
    for change, words in (
        ("held = 'maintenance'", "waits: a maintenance is under way"),
        ("status = 'cancelled', held = 'acknowledged'", "not told: somebody had acknowledged it"),
        ("status = 'sent', told_at = now()", "told <time"),
    ):
        await fetch(pool, f"update notifications set {change} returning 1")
        assert words in (await client.get(f"/monitors/{shop}")).text
    await fetch(pool, """update monitors set alerts = '{"steps": []}' returning 1""")
    page = (await client.get(f"/monitors/{shop}")).text
    assert "Nobody is told of this monitor" in page
    assert "There is no default channel" not in page
