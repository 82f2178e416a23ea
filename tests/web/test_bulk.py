"""What is done to many monitors at once: exactly that, to all of them, in the log, and taken back exactly."""

from __future__ import annotations

import re
from typing import Any

import pytest
from litestar import Litestar

from pinguin.db import Pool, connection
from pinguin.people import Role
from pinguin.store import bulk, channels
from tests.factory import add_monitor, fetch, set_status
from tests.store.pushing import add_push
from tests.store.telling import add_channel
from tests.web.conftest import Client, browser, person, signed_in
from tests.web.hostile import HOSTILE

KEPT = """
select to_jsonb(m) - '{version,updated_at}'::text[] from monitors m order by id
"""
"""All of every monitor but what grows with each change."""


async def toast(client: Client, query: str = "sort=status") -> str:
    """The address that undoes what was done last, or ""."""
    page = (await client.get(f"/monitors?{query}")).text
    found = re.search(r'action="(/monitors/undo/\d+)"', page)
    return found[1] if found else ""


async def undo(client: Client) -> str:
    """Where the browser is sent then."""
    answer = await client.submit(await toast(client))
    assert answer.status_code == 303
    return str(answer.headers["location"])


async def some(pool: Pool) -> list[int]:
    made = [await add_monitor(pool, name=name, tags=["a", name]) for name in ("shop", "mail", "api", "idle")]
    await set_status(pool, made[0], "down", "timeout")
    async with connection(pool) as conn:
        await conn.execute("update monitors set enabled = false where id = %s", (made[3],))
    return made


def ticked(*ids: int, **more: str) -> dict[str, str]:
    return {**{f"m{each}": "on" for each in ids}, **more}


async def test_two_changes_are_taken_back_one_after_the_other(client: Client, pool: Pool) -> None:
    ids = await some(pool)
    before = await fetch(pool, KEPT)
    await client.submit("/monitors/bulk/edit", ticked(*ids, add="new"))
    await client.submit("/monitors/bulk", ticked(ids[0], ids[1], act="pause"))
    await client.submit("/monitors/bulk", ticked(ids[1], act="delete"))
    for _ in range(3):
        assert "undone" in await undo(client)
    assert await fetch(pool, KEPT) == before
    assert await toast(client) == ""


async def test_what_somebody_else_changed_in_between_stays(client: Client, pool: Pool) -> None:
    ids = await some(pool)
    await client.submit("/monitors/bulk/edit", ticked(*ids[:2], add="new"))
    await fetch(pool, "update monitors set name = 'by hand' where id = %s returning 1", ids[0])
    await client.submit("/monitors/bulk", ticked(*ids[:2], act="pause"))
    assert "undone" in await undo(client)
    assert "partly" in await undo(client)
    found = await fetch(
        pool, "select name, 'new' = any(tags), enabled from monitors where id = any(%s) order by id", ids[:2]
    )
    assert found == [("by hand", True, True), ("mail", False, True)]


async def test_what_is_ticked_is_paused_and_nothing_else(client: Client, pool: Pool) -> None:
    ids = await some(pool)
    before = await fetch(pool, KEPT)
    answer = await client.submit("/monitors/bulk", ticked(ids[0], ids[3], act="pause", query="q=&sort=name"))
    assert answer.headers["location"] == "/monitors?sort=name"
    assert await fetch(pool, "select id from monitors where enabled order by id") == [(ids[1],), (ids[2],)]
    written = await fetch(pool, "select action, object_id, changes from audit where action like 'monitor.%%'")
    assert written == [("monitor.pause", ids[0], {"enabled": {"from": True, "to": False}})]  # the other was so before
    assert "undone" in await undo(client)
    assert await fetch(pool, KEPT) == before
    assert (await fetch(pool, "select changes from audit where action = 'monitor.undo_pause'")) == [
        ({"enabled": {"from": False, "to": True}},)
    ]


async def test_pausing_ends_what_is_open_and_undoing_begins_anew(client: Client, pool: Pool) -> None:
    """What was paused was not watched: the time between is told as it was."""
    ids = await some(pool)
    await client.submit("/monitors/bulk", ticked(*ids[:3], act="pause"))
    assert await fetch(pool, "select distinct status::text from monitor_states") == [("paused",)]
    await undo(client)
    states = "select status::text, reason, failures from monitor_states order by monitor_id"
    assert await fetch(pool, states) == [("pending", None, 0)] * 3 + [("paused", None, 0)]
    turns = "select to_status::text from transitions where monitor_id = %s order by id desc limit 2"
    assert await fetch(pool, turns, ids[0]) == [("pending",), ("paused",)]


async def test_all_that_match_are_changed_page_by_page(client: Client, pool: Pool) -> None:
    async with connection(pool) as conn:
        await conn.execute(
            "insert into monitors (name, type, target, options, tags)"
            " select 'm' || n, 'tcp', 'x', '{}', case when n % 2 = 0 then '{even}'::text[] else '{}' end"
            " from generate_series(1, 130) n"
        )
    page = (await client.get("/monitors?tag=even")).text
    assert "All 65 that match" in page
    await client.submit("/monitors/bulk", {"all": "on", "query": "tag=even", "act": "pause"})
    assert await fetch(pool, "select enabled, count(*) from monitors group by 1 order by 1") == [
        (False, 65),
        (True, 65),
    ]
    assert await fetch(pool, "select count(*) from audit where action = 'monitor.pause'") == [(65,)]
    await undo(client)
    assert await fetch(pool, "select count(*) from monitors where enabled") == [(130,)]


async def test_what_is_deleted_comes_back_with_its_history(client: Client, pool: Pool) -> None:
    ids = await some(pool)
    push, token = await add_push(pool), "select token_hash from push_tokens"
    before = await fetch(pool, KEPT)
    history = await fetch(pool, "select id, monitor_id, at, to_status::text from transitions order by id")
    tokens = await fetch(pool, "select * from push_tokens") if push else token
    await client.submit("/monitors/bulk", ticked(*ids, act="delete"))
    assert "Nothing is watched yet" not in (page := (await client.get("/monitors?sort=status")).text)
    assert "Deleted <b>4</b> monitors" in page
    assert (await client.get(f"/monitors/{ids[0]}")).status_code == 404
    await undo(client)
    assert await fetch(pool, KEPT) == before
    kept = await fetch(pool, "select id, monitor_id, at, to_status::text from transitions order by id")
    assert kept[: len(history)] == history
    assert await fetch(pool, "select * from push_tokens") == tokens
    assert (await client.get(f"/monitors/{ids[0]}")).status_code == 200


async def test_one_that_is_deleted_from_its_page_comes_back_too(client: Client, pool: Pool) -> None:
    monitor = await add_monitor(pool, name="<b>shop</b>")
    before = await fetch(pool, KEPT)
    await client.submit(f"/monitors/{monitor}/delete")
    page = (await client.get("/monitors?sort=status")).text
    assert "Deleted <b>&lt;b&gt;shop&lt;/b&gt;</b>." in page
    await undo(client)
    assert await fetch(pool, KEPT) == before


async def test_to_delete_all_of_a_list_is_asked_first(client: Client, pool: Pool) -> None:
    await some(pool)
    asked = await client.submit("/monitors/bulk", {"all": "on", "query": "tag=a", "act": "delete"})
    assert "Delete 4 monitors?" in asked.text
    assert await fetch(pool, "select count(*) from monitors where archived_at is null") == [(4,)]
    await client.submit("/monitors/bulk", {"all": "on", "query": "tag=a", "act": "delete", "sure": "on"})
    assert await fetch(pool, "select count(*) from monitors where archived_at is null") == [(0,)]


async def test_an_edit_changes_what_is_filled_in_and_is_undone_exactly(client: Client, pool: Pool) -> None:
    ids = await some(pool)
    push = await add_push(pool)
    channel = await add_channel(pool, name="ops")
    before = await fetch(pool, KEPT)
    shown = (await client.submit("/monitors/bulk", ticked(*ids, push, act="edit"))).text
    assert "Edit 5 monitors" in shown
    assert f'name="m{ids[0]}"' in shown
    fields = {
        "interval_s": "120", "timeout_s": "7.3", "failure_threshold": "", "recovery_threshold": "4", "add": "new\nshop",
        "remove": "a", "regions": "eu\nus", "told": "chosen", f"channel.{channel}": "on",
    }  # fmt: skip
    answer = await client.submit("/monitors/bulk/edit", ticked(*ids, push, **fields))
    assert answer.status_code == 303, answer.text
    columns = "interval_s, timeout_s, failure_threshold, recovery_threshold, tags, regions, alerts"
    [shop] = await fetch(pool, f"select {columns} from monitors where id = %s", ids[0])
    told = {"steps": [{"channels": [channel]}]}
    assert shop[0] == 120
    assert shop[1] == pytest.approx(7.3)
    assert shop[2:] == (2, 4, ["shop", "new"], ["eu", "us"], told)
    [pinged] = await fetch(pool, f"select {columns} from monitors where id = %s", push)
    was = next(row[0] for row in before if row[0]["id"] == push)
    assert (pinged[0], pinged[1], pinged[5]) == (was["interval_s"], was["timeout_s"], was["regions"])
    assert pinged[3] == 4
    async with connection(pool) as conn:
        assert [each.channel for each in await channels.told(conn, ids[1])] == ["ops"]
    changes = (await fetch(pool, "select changes from audit where object_id = %s order by id desc", ids[0]))[0][0]
    assert changes["interval_s"] == {"from": 60, "to": 120}
    assert changes["tags"] == {"from": ["a", "shop"], "to": ["shop", "new"]}
    await undo(client)
    assert await fetch(pool, KEPT) == before


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, "empty, so there is nothing to change"),
        ({"interval_s": "0"}, "Every must be at least 1"),
        ({"interval_s": "4"}, "would be too long for 4 of them"),
        ({"timeout_s": "59.9"}, "would be too long for 4 of them"),
        ({"timeout_s": "soon"}, "Timeout must be a number"),
        ({"regions": "Nowhere!"}, "must be lower-case letters"),
        ({"add": "x" * 51}, "is longer than 50 characters"),
        ({"add": "both", "remove": "both"}, "is to be added too"),
        ({"add": "\n".join(map(str, range(20)))}, "would give 4 of them more than 20 tags"),
        ({"told": "chosen"}, "needs a channel"),
        ({"told": "everybody"}, "is none; there are"),
        ({"add": "a\x00b"}, "control characters"),
        ({"failure_threshold": "1e9"}, "must be a whole number"),
    ],
)
async def test_an_edit_that_does_not_fit_changes_nothing_and_says_why(
    client: Client, pool: Pool, fields: dict[str, str], words: str
) -> None:
    ids = await some(pool)
    before = await fetch(pool, KEPT)
    answer = await client.submit("/monitors/bulk/edit", ticked(*ids, **fields))
    assert answer.status_code == 422
    assert words in answer.text.replace("&#39;", "'")
    assert await fetch(pool, KEPT) == before
    assert await fetch(pool, "select count(*) from undos") == [(0,)]


async def test_hostile_words_come_back_as_they_were_typed(client: Client, pool: Pool) -> None:
    ids = await some(pool)
    for text in HOSTILE:
        answer = await client.submit("/monitors/bulk/edit", ticked(*ids, add=text, interval_s=text, told=text))
        assert answer.status_code == 422
        assert "<script>alert" not in answer.text
        assert "<img" not in answer.text


async def test_what_somebody_changed_since_stays(client: Client, pool: Pool) -> None:
    ids = await some(pool)
    await client.submit("/monitors/bulk", ticked(*ids[:3], act="pause"))
    address = await toast(client)
    async with connection(pool) as conn:
        await conn.execute("select pg_sleep(0.01)")
        await conn.execute("update monitors set name = 'other' where id = %s", (ids[1],))
    assert "notice=partly" in (await client.submit(address)).headers["location"]
    assert await fetch(pool, "select enabled from monitors order by id") == [(True,), (False,), (True,), (False,)]


async def test_an_undo_is_once_in_time_and_for_who_did_it(client: Client, app: Litestar, pool: Pool) -> None:
    ids = await some(pool)
    await client.submit("/monitors/bulk", ticked(ids[0], act="pause"))
    address = await toast(client)
    async with browser(app) as other:
        await signed_in(other, pool, await person(pool, "bob", Role.EDITOR))
        assert await toast(other) == ""
        assert "notice=late" in (await other.submit(address)).headers["location"]
    assert await fetch(pool, "select enabled from monitors where id = %s", ids[0]) == [(False,)]
    async with connection(pool) as conn:
        await conn.execute("update undos set expires_at = now()")
    assert await toast(client) == ""
    assert "notice=late" in (await client.submit(address)).headers["location"]
    async with connection(pool) as conn:
        await conn.execute("update undos set expires_at = now() + interval '1 minute'")
    assert "notice=undone" in (await client.submit(address)).headers["location"]
    assert "notice=late" in (await client.submit(address)).headers["location"]
    assert await fetch(pool, "select count(*) from audit where action = 'monitor.undo_pause'") == [(1,)]


def test_there_is_time_to_undo() -> None:
    assert bulk.UNDO_S >= 20


@pytest.mark.parametrize(
    ("fields", "status", "words"),
    [
        ({"act": "pause"}, 303, "notice=none"),
        ({"act": "pause", "m999999": "on"}, 303, "notice=same"),
        ({"act": "pause", "m" + "9" * 40: "on", "m-1": "on", "m": "on"}, 303, "notice=none"),
        ({"act": "sell", "m1": "on"}, 400, "there are pause"),
        ({"m1": "on"}, 400, "there are pause"),
        ({"act": "pause", "all": "on", "query": "status=sideways"}, 400, "there are down"),
        ({"act": "pause", "all": "on", "query": "&".join(f"tag={n}" for n in range(300))}, 400, "too many parts"),
        ({"act": "delete", "m1": "on", "query": "//evil.test"}, 303, "/monitors?sort=status"),
    ],
)
async def test_strange_forms_are_told_what_is_wrong(
    client: Client, pool: Pool, fields: dict[str, Any], status: int, words: str
) -> None:
    await some(pool)
    answer = await client.submit("/monitors/bulk", fields)
    assert answer.status_code == status, answer.text
    assert words in (answer.headers.get("location") or answer.text)
    assert answer.headers.get("location", "/monitors?").startswith("/monitors?")
