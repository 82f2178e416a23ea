"""The list of channels and groups, hostile input, and who may change them."""

from __future__ import annotations

import re

from litestar import Litestar

from pinguin.db import Pool, connection
from pinguin.people import Role
from pinguin.store import channels
from tests.factory import add_monitor, fetch
from tests.store.telling import add_channel, broken, message, set_rules
from tests.web.channel_forms import EMAIL, WEBHOOK
from tests.web.conftest import Client, Statements, account, person, signed_in
from tests.web.hostile import HOSTILE


async def test_every_kind_of_hostile_input_is_refused_or_shown_as_it_is(client: Client, pool: Pool) -> None:
    for text in HOSTILE:
        for path in ("/channels/new", "/channels/test", "/channels/preview"):
            for name in (
                "name",
                "quiet_zone",
                "subject_template",
                "options.to",
                "options.host",
                "sample",
                "updated_at",
            ):
                answer = await client.submit(
                    path, {**EMAIL, "options.host": "127.0.0.1", "options.port": "1", name: text}
                )
                assert answer.status_code in (200, 303, 422), (path, name, text)
                assert "<script>alert" not in answer.text
                assert "<img src=x" not in answer.text
        await client.submit("/channel-groups/new", {"name": text})
    page = (await client.get("/channels")).text
    assert "<script>alert" not in page
    assert (await client.submit("/channels/new", {**EMAIL, "kind": "<b>"})).status_code == 400
    assert (await client.get("/channels/new?kind=<b>")).status_code == 400


async def test_ids_and_cursors_that_cannot_be_are_told_so(client: Client) -> None:
    for number in ("0", "99999999999999999999", "9223372036854775807"):
        for path in ("edit", "delete", "messages"):
            assert (await client.get(f"/channels/{number}/{path}")).status_code == 404
        for path in ("edit", "delete", "on", "off", "retry", "test"):
            assert (await client.submit(f"/channels/{number}/{path}", WEBHOOK)).status_code == 404
    for before in ("x", "2026-01-01_1", "2026-01-01T00:00:00+00:00_x", "_", "0001-01-01T00:00:00+00:00_" + "9" * 30):
        assert (await client.get("/messages", params={"before": before})).status_code == 400


async def test_the_list_tells_how_each_channel_is(client: Client, pool: Pool) -> None:
    good, failing, bad = [await add_channel(pool, name=name) for name in ("good", "failing", "bad")]
    await add_channel(pool, name="resting")
    await client.submit("/channels/4/off")
    await message(pool, good, "sent", ("delivered", "200 OK"))
    await message(pool, failing, "retry", ("failed", "503 <busy>"))
    await fetch(pool, "update channels set failing_since = now(), failures = 1 where id = %s returning 1", failing)
    await message(pool, bad, "failed", ("refused", "410 Gone"))
    await broken(pool, bad)
    page = (await client.get("/channels")).text
    states = re.findall(r'class="card channel is-(\w+)" id="channel-(\d)"', page)
    assert states == [("broken", "3"), ("failing", "2"), ("works", "1"), ("off", "4")]
    assert "503 &lt;busy&gt;" in page
    assert "<code>410 Gone</code>" in page
    assert page.count("Try again</button>") == 2
    await add_monitor(pool)
    page = (await client.get("/monitors")).text
    assert "Not all alerts are delivered:</b> channel &#34;bad&#34; refuses what it is sent: 410 Gone" in page
    assert "Pinguin itself is not well" not in page
    answer = await client.submit(f"/channels/{bad}/retry")
    assert answer.headers["location"] == "/channels?notice=tried"
    assert 'is-broken"' not in (await client.get("/channels")).text
    assert await fetch(pool, "select ended_at is null from pipeline_incidents") == [(False,)]


async def test_a_deletion_says_who_chose_it_and_leaves_the_log(client: Client, pool: Pool) -> None:
    ops = await add_channel(pool)
    await message(pool, ops, "sent", ("delivered", "200 OK"))
    shop = await add_monitor(pool, name="shop")
    await set_rules(pool, shop, {"steps": [{"channels": [ops]}]})
    page = (await client.get(f"/channels/{ops}/delete")).text
    assert "1 monitor chose it" in page
    assert "nobody else is told of it" in page
    assert "It is a default channel" in page
    assert (await client.submit(f"/channels/{ops}/delete")).headers["location"] == "/channels?notice=deleted"
    assert "Nobody is told yet" in (await client.get("/channels")).text
    assert (await client.get(f"/channels/{ops}/edit")).status_code == 404
    assert "shop is down" in (await client.get("/messages")).text


async def test_groups_are_made_changed_and_deleted(client: Client, pool: Pool) -> None:
    ops, night = await add_channel(pool), await add_channel(pool, name="night")
    answer = await client.submit("/channel-groups/new", {"name": "all", f"channel.{ops}": "on", "channel.99": "on"})
    assert answer.status_code == 303
    assert await fetch(pool, "select name, channel_ids from channel_groups") == [("all", [ops])]
    for name, words in (("ALL", "Name is taken"), ("", "Name is required"), ("x" * 101, "Name must have at most")):
        answer = await client.submit("/channel-groups/new", {"name": name, f"channel.{night}": "on"})
        assert answer.status_code == 422
        assert words in answer.text
        assert f'name="channel.{night}" value="on" checked' in answer.text
    page = (await client.get("/channels")).text
    mark = re.search(r'name="mark" value="(\d+)"', page)
    assert mark is not None
    sent = {"name": "both", "mark": mark[1], f"channel.{ops}": "on", f"channel.{night}": "on"}
    assert (await client.submit("/channel-groups/1/edit", sent)).status_code == 303
    assert await fetch(pool, "select name, channel_ids from channel_groups") == [("both", [night, ops])]
    assert (await client.submit("/channel-groups/1/edit", sent)).status_code == 409
    assert "Delete the group" in (await client.get("/channel-groups/1/delete")).text
    assert (await client.get("/channel-groups/99/delete")).status_code == 404
    await client.submit("/channel-groups/1/delete")
    assert await fetch(pool, "select 1 from channel_groups") == []


async def test_the_list_costs_the_same_however_many_there_are(
    client: Client, pool: Pool, statements: Statements
) -> None:
    counts = []
    for number in range(3):
        await message(pool, await add_channel(pool, name=f"c{number}"), "sent", ("delivered", "200 OK"))
        statements.count = 0
        await client.get("/channels")
        counts.append(statements.count)
    assert len(set(counts)) == 1


PATHS = ("/channels", "/channels/new", "/channels/1/edit", "/channels/1/delete", "/channels/1/messages", "/messages")
POSTS = (
    "/channels/new", "/channels/test", "/channels/preview", "/channels/1/edit", "/channels/1/test", "/channels/1/off",
    "/channels/1/retry", "/channels/1/delete", "/channel-groups/new", "/channel-groups/1/edit",
    "/channel-groups/1/delete",
)  # fmt: skip


async def test_a_viewer_sees_how_channels_are_and_changes_none(visitor: Client, pool: Pool, app: Litestar) -> None:
    await add_channel(pool)
    async with connection(pool) as conn:
        await channels.create_group(conn, "Everybody", [1])
    await account(pool)
    await signed_in(visitor, pool, await person(pool, "eve", Role.VIEWER))
    await message(pool, 1, "sent", ("delivered", "200 OK"))
    for path in ("/channels", "/channels/1/messages", "/messages"):
        page = (await visitor.get(path)).text
        assert "ops" in page
        assert "Send a test" not in page
        assert "/channels/1/edit" not in page
        assert 'action="/channel' not in page
    assert "Everybody</b> ops" in (await visitor.get("/channels")).text
    for path in ("/channels/new", "/channels/1/edit", "/channels/1/delete"):
        assert (await visitor.get(path)).status_code == 403
    for path in POSTS:
        assert (await visitor.submit(path, WEBHOOK)).status_code == 403


async def test_nobody_comes_in_without_a_session_or_a_token(client: Client, pool: Pool) -> None:
    await add_channel(pool)
    async with connection(pool) as conn:
        await channels.create_group(conn, "all", [1])
    for path in POSTS:
        assert (await client.post(path, data={**WEBHOOK, "_csrf": "AAAA"})).status_code == 403, path
    client.cookies.clear()
    for path in PATHS:
        answer = await client.get(path)
        assert (answer.status_code, answer.headers["location"].startswith("/sign-in")) == (303, True)
    assert await fetch(pool, "select enabled, archived_at, name from channels") == [(True, None, "ops")]
    assert await fetch(pool, "select name from channel_groups") == [("all",)]
