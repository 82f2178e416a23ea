"""The audit log: what is written, and that it stays."""

from __future__ import annotations

import asyncio
from typing import Any

import psycopg
import pytest
from litestar import Litestar

from pinguin.db import Pool, connection
from pinguin.people import SYSTEM
from pinguin.store import audit
from pinguin.store.audit import Filter, Thing
from tests.factory import add_incident, add_monitor, fetch
from tests.store.auditing import ADA, log, write
from tests.web import channel_forms, monitor_forms
from tests.web.channel_forms import EMAIL, WEBHOOK
from tests.web.conftest import PASSWORD, Client, browser
from tests.web.monitor_forms import TCP
from tests.web.test_maintenance import MANUAL


async def test_a_life_of_a_monitor_is_written_down(client: Client, pool: Pool) -> None:
    made = await client.submit("/monitors/new", TCP)
    assert made.status_code == 303, made.text
    page = made.headers["location"]
    number = page.rpartition("/")[2]
    await client.submit("/monitors/new", {**TCP, "name": "copy", "from": number})
    fields = await monitor_forms.base(client, int(number))
    edited = await client.submit(f"{page}/edit", {**TCP, **fields, "options.port": "10", "interval_s": "30"})
    assert edited.status_code == 303, edited.text
    for act in ("pause", "pause", "resume", "delete"):
        assert (await client.submit(f"{page}/{act}")).status_code == 303
    found = await log(pool)
    assert [(action, name) for action, name, _ in found] == [
        ("monitor.create", "shop"), ("monitor.clone", "copy"), ("monitor.edit", "shop"), ("monitor.pause", "shop"),
        ("monitor.resume", "shop"), ("monitor.delete", "shop"),
    ]  # fmt: skip
    assert found[2][2] == {"options.port": {"from": 9, "to": 10}, "interval_s": {"from": 60, "to": 30}}
    assert found[3][2] == {"enabled": {"from": True, "to": False}}
    [who] = set(await fetch(pool, "select actor, user_id, address, token_id from audit"))
    assert who == ("ada", 1, "127.0.0.1", None)


async def test_whoever_tries_what_is_saved_with_another_target_leaves_a_trace(client: Client, pool: Pool) -> None:
    """A try sends the saved secrets to wherever the form says."""
    page = (await client.submit("/monitors/new", TCP)).headers["location"]
    number = page.rpartition("/")[2]
    await client.submit("/monitors/test", {**TCP, "monitor": number, "options.port": "7", "timeout_s": "1"})
    await client.submit("/channels/new", {**WEBHOOK, "name": "hook"})
    await client.submit(
        "/channels/test", {**WEBHOOK, "name": "hook", "channel": "1", "options.url": "http://[::1]:9/x"}
    )
    tries = [entry for entry in await log(pool) if entry[0].endswith(".try")]
    assert [(action, name) for action, name, _ in tries] == [("monitor.try", "shop"), ("channel.try", "hook")]
    assert "127.0.0.1:7" in str(tries[0][2])
    assert "[::1]:9" in str(tries[1][2])


async def test_what_fails_is_not_written(client: Client, pool: Pool) -> None:
    monitor = await add_monitor(pool)
    assert (await client.submit(f"/monitors/{monitor}/edit", {"type": "tcp", "name": ""})).status_code == 422
    assert (await client.submit("/monitors/999/delete")).status_code == 404
    assert await log(pool) == []


async def test_it_is_part_of_the_transaction(pool: Pool) -> None:
    async with connection(pool) as conn, conn.transaction(force_rollback=True):
        await audit.write(conn, ADA, "monitor.create", Thing("monitor", 1, "shop"), None, {"name": "shop"})
        assert len(await audit.page(conn, Filter())) == 1
    assert await log(pool) == []


async def test_pinguin_itself_is_an_actor_too(pool: Pool) -> None:
    await write(pool, who=SYSTEM)
    assert await fetch(pool, "select actor, user_id from audit") == [("system", None)]


async def test_channels_and_groups_are_written_down_without_their_secrets(client: Client, pool: Pool) -> None:
    for form in (EMAIL, {**WEBHOOK, "name": "hook"}):
        assert (await client.submit("/channels/new", form)).status_code == 303
    fields = await channel_forms.base(client, 1)
    changed = {**EMAIL, **fields, "options.password": "s3cret", "options.host": "other.test"}
    assert (await client.submit("/channels/1/edit", changed)).status_code == 303
    await client.submit("/channel-groups/new", {"name": "all", "channel.1": "on"})
    for path in ("/channels/1/off", "/channels/1/on", "/channels/2/delete", "/channel-groups/1/delete"):
        assert (await client.submit(path)).status_code == 303
    found = await log(pool)
    assert [action for action, _, _ in found] == [
        "channel.create", "channel.create", "channel.edit", "group.create", "channel.off", "channel.on",
        "channel.delete", "group.delete",
    ]  # fmt: skip
    assert found[2][2] == {"options.host": {"from": "smtp.test", "to": "other.test"}, "options.password": "changed"}
    assert "s3cret" not in str(found) + str(await fetch(pool, "select audit::text from audit"))
    assert "hunter2" not in str(found)


async def test_maintenance_is_written_down(client: Client, pool: Pool) -> None:
    assert (await client.submit("/maintenance/new", MANUAL)).status_code == 303
    [(number,)] = await fetch(pool, "select id from maintenances")
    for path, sent in (("start", {"hours": "1"}), ("extend", {}), ("end", {}), ("end", {}), ("delete", {})):
        assert (await client.submit(f"/maintenance/{number}/{path}", sent)).status_code == 303
    found = await log(pool)
    acts = ["create", "start", "extend", "end", "delete"]
    assert [action for action, _, _ in found] == [f"maintenance.{act}" for act in acts]
    assert found[1][2].keys() == {"runs_until"}


async def test_incidents_are_written_down(client: Client, pool: Pool) -> None:
    incidents = [await add_incident(pool, await add_monitor(pool, name=name)) for name in ("shop", "mail")]
    await client.submit("/incidents/acknowledge", {f"i{incidents[1]}": "on", "note": "I look"})
    for act, sent in (("comment", {"comment": "hm"}), ("resolve", {"comment": "over"}), ("resolve", {"comment": "x"})):
        await client.submit(f"/incidents/{incidents[1]}/{act}", sent)
    assert [(action, changes) for action, _, changes in await log(pool)] == [
        ("incident.acknowledge", {"note": {"to": "I look"}}),
        ("incident.comment", {"comment": {"to": "hm"}}),
        ("incident.resolve", {"comment": {"to": "over"}}),
    ]


async def test_failed_sign_ins_are_counted_and_not_spammed(client: Client, app: Litestar, pool: Pool) -> None:
    async with browser(app) as other:
        tries = (other.post("/sign-in", data={"name": "ada", "password": f"guess {n}"}) for n in range(5))
        await asyncio.gather(*tries)
        for _ in range(3):
            await other.post("/sign-in", data={"name": "my password, mistyped", "password": "x"})
    found = await log(pool)
    assert found == [
        ("sign_in.fail", "ada", {"step": {"to": "password"}}),
        ("sign_in.fail", "no such account", {"step": {"to": "password"}}),
    ]
    assert sorted(await fetch(pool, "select tries from failed_sign_ins")) == [(3,), (5,)]
    page = (await client.get("/audit")).text
    assert "5 tries in that hour" in page
    assert "my password" not in page + str(await fetch(pool, "select audit::text from audit"))


async def test_signing_in_is_written_down(client: Client, app: Litestar, pool: Pool) -> None:
    async with browser(app) as other:
        await other.post("/sign-in", data={"name": "ada", "password": PASSWORD})
    assert [action for action, _, _ in await log(pool)] == ["session.open"]


@pytest.mark.parametrize("statement", ["update audit set actor = 'eve'", "delete from audit", "truncate audit"])
async def test_nobody_changes_what_is_written(pool: Pool, statement: Any) -> None:
    await write(pool)
    async with connection(pool) as conn:
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="only ever added to"):
            await conn.execute(statement)
    assert len(await log(pool)) == 1


async def test_only_age_removes_it(pool: Pool) -> None:
    await write(pool, 3)
    async with connection(pool) as conn:
        await conn.execute(
            "set local session_replication_role = replica;"
            "update audit set at = now() - make_interval(days => 80 * object_id::int);"
            "set local session_replication_role = origin"
        )
        await audit.forget(conn, 100)
        assert [each.object_id for each in await audit.page(conn, Filter())] == [1, 0]
        await audit.forget(conn, 1)
        assert [each.object_id for each in await audit.page(conn, Filter())] == [1, 0]
