"""One's own sessions: how they are listed, and what ends them."""

from __future__ import annotations

import re

import pytest
from litestar import Litestar

from pinguin.db import Pool, connection
from pinguin.people import Role
from pinguin.web.devices import device
from tests.factory import fetch
from tests.web.conftest import PASSWORD, Client, browser, person, signed_in


async def test_sessions_are_listed_and_end_one_by_one_or_all(client: Client, app: Litestar, pool: Pool) -> None:
    agent = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
    async with browser(app) as one, browser(app) as other:
        for each in (one, other):
            sent = {"name": "ada", "password": PASSWORD}
            assert (await each.post("/sign-in", data=sent, headers={"User-Agent": agent})).status_code == 303
        page = (await client.get("/account")).text
        assert page.count("Firefox on Linux</td>") == 2
        assert page.count("127.0.0.1") >= 3
        newest = max(int(found) for found in re.findall(r"/account/sessions/(\d+)/end", page))
        assert (await client.submit(f"/account/sessions/{newest}/end")).status_code == 303
        assert [(await each.get("/account")).status_code for each in (client, one, other)] == [200, 200, 303]
        await client.submit("/account/sessions/end-others")
        assert [(await each.get("/account")).status_code for each in (client, one)] == [200, 303]
        assert (await client.submit("/account/sessions/end-all")).headers["location"] == "/sign-in"
        assert (await client.get("/account")).status_code == 303


async def test_nobody_ends_the_session_of_another(client: Client, app: Litestar, pool: Pool) -> None:
    async with browser(app) as other:
        await signed_in(other, pool, await person(pool, "bob", Role.VIEWER))
        [(theirs,)] = await fetch(pool, "select id from sessions where user_id = 2")
        await client.submit(f"/account/sessions/{theirs}/end")
        assert (await other.get("/account")).status_code == 200


async def test_a_session_that_nobody_uses_ends(client: Client, pool: Pool) -> None:
    async with connection(pool) as conn:
        await conn.execute("update sessions set seen_at = now() - interval '13 days'")
    assert (await client.get("/account")).status_code == 200
    assert await fetch(pool, "select 1 from sessions where seen_at > now() - interval '1 minute'") == [(1,)]
    async with connection(pool) as conn:
        await conn.execute("update sessions set seen_at = now() - interval '14 days'")
    assert (await client.get("/account")).status_code == 303


async def test_a_page_that_is_merely_open_is_no_use_of_a_session(client: Client, pool: Pool) -> None:
    async with connection(pool) as conn:
        await conn.execute("update sessions set seen_at = now() - interval '1 day'")
    assert (await client.get("/live/list/rows?ids=1")).status_code == 200
    assert await fetch(pool, "select 1 from sessions where seen_at > now() - interval '1 hour'") == []


async def test_signing_in_again_ends_the_session_of_this_browser(client: Client, pool: Pool) -> None:
    before = client.cookies["pinguin"]
    await client.post("/sign-in", data={"name": "ada", "password": PASSWORD})
    assert client.cookies["pinguin"] != before
    assert len(await fetch(pool, "select 1 from sessions")) == 1


@pytest.mark.parametrize(
    ("agent", "words"),
    [
        ("Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/140.0 Safari/537.36 Edg/140.0", "Edge on Windows"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Safari/604.1", "Safari on iPhone"),
        ("Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 Chrome/140.0 Mobile Safari/537.36", "Chrome on Android"),
        ("<script>alert(1)</script>", "unknown"),
        ("", "unknown"),
    ],
)  # fmt: skip
def test_a_browser_is_named_in_words_that_are_ours(agent: str, words: str) -> None:
    assert device(agent) == words
