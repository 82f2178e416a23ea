"""The audit log: what is written, what never is, that it stays, and how owners read it."""

from __future__ import annotations

import asyncio
import csv
import io
import json
from typing import Any

import psycopg
import pytest
from litestar import Litestar

from pinguin.checks import check_types
from pinguin.db import Pool, connection
from pinguin.fields.describe import options_of
from pinguin.people import SYSTEM, Principal, Role
from pinguin.store import audit
from pinguin.store.audit import Change, Filter, Hidden, Thing, diff
from pinguin.web import audited
from tests.factory import add_incident, add_monitor, fetch
from tests.web.conftest import PASSWORD, Client, Statements, browser
from tests.web.test_channels import EMAIL, WEBHOOK, base
from tests.web.test_maintenance import MANUAL

FORM = {
    "name": "shop", "interval_s": "60", "timeout_s": "5", "failure_threshold": "2", "recovery_threshold": "1",
    "regions": "local",
}  # fmt: skip
ADA = Principal(name="ada", role=Role.OWNER, user_id=1, address="192.0.2.7")


async def log(pool: Pool) -> list[tuple[str, str, dict[str, Any]]]:
    """(action, object, changes), the newest last."""
    return [
        (action, name, changes)
        for action, name, changes in await fetch(pool, "select action, object_name, changes from audit order by id")
    ]


async def write(pool: Pool, count: int = 1, **given: Any) -> None:
    async with connection(pool) as conn:
        changes = [Change(Thing("monitor", number, f"m{number}"), None, {"n": number}) for number in range(count)]
        await audit.write_all(conn, given.get("who", ADA), given.get("action", "monitor.create"), changes)


# --- what is written


async def test_a_life_of_a_monitor_is_written_down(client: Client, pool: Pool) -> None:
    sent = {**FORM, "type": "tcp", "options.host": "127.0.0.1", "options.port": "9"}
    made = await client.submit("/monitors/new", sent)
    assert made.status_code == 303, made.text
    page = made.headers["location"]
    await client.submit("/monitors/new", {**sent, "name": "copy", "from": page.rpartition("/")[2]})
    form = (await client.get(f"{page}/edit")).text
    base = {name: form.split(f'name="{name}" value="')[1].split('"')[0] for name in ("version", "updated_at")}
    edited = await client.submit(f"{page}/edit", {**sent, **base, "options.port": "10", "interval_s": "30"})
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
    sent = {**FORM, "type": "tcp", "options.host": "127.0.0.1", "options.port": "9"}
    page = (await client.submit("/monitors/new", sent)).headers["location"]
    number = page.rpartition("/")[2]
    await client.submit("/monitors/test", {**sent, "monitor": number, "options.port": "7", "timeout_s": "1"})
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


# --- secrets


def test_a_difference_is_told_field_by_field() -> None:
    before = {"name": "a", "tags": ["x"], "options": {"url": "u", "port": 1}, "gone": 1, "same": None}
    after = {"name": "b", "tags": ["x"], "options": {"url": "u", "port": 2}, "new": {"deep": True}}
    assert diff(before, after) == {
        "name": {"from": "a", "to": "b"},
        "options.port": {"from": 1, "to": 2},
        "gone": {"from": 1},
        "new.deep": {"to": True},
    }


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (Hidden("s3cret"), Hidden("other")),
        (Hidden("s3cret"), None),
        (None, Hidden("s3cret")),
        ("sealed:v1:s3cret", "sealed:v1:other"),
        (["sealed:v1:s3cret"], []),
        ([Hidden("s3cret")], [Hidden("other")]),
        (Hidden("https://h/?s3cret", "https://h/?…"), Hidden("https://h/?other", "https://h/?…")),
    ],
)
def test_of_a_secret_only_the_change_is_told(before: Any, after: Any) -> None:
    assert diff({"field": before}, {"field": after}) == {"field": "changed"}
    assert "s3cret" not in repr(diff({"list": [{"below": before}]}, {"list": [{"below": after}]}))
    assert diff({"field": before}, {"field": before}) == {}


def test_long_and_odd_values_are_cut_and_mended() -> None:
    [change] = diff(None, {"text": "x" * 5000 + "\x00"}).values()
    assert len(change["to"]) == audit.LONGEST + 1
    [change] = diff(None, {"text": "a\x00\ud7ff\udc80"}).values()
    change["to"].encode()
    assert "\x00" not in change["to"]


def test_every_secret_option_of_every_check_type_is_hidden() -> None:
    """By the annotations that hide it in forms: a type that is added later is held to it too."""
    looked_at = 0
    for kind in check_types().values():
        for name in secrets_of(kind.options):
            looked_at += 1
            shown = audited.fields({name: "s3cret"}, kind.options)
            assert diff(None, shown) == {name: "changed"}, (kind.name, name)
        assert diff(None, audited.fields({"unheard_of": "s3cret"}, kind.options)) == {"unheard_of": "changed"}
    assert looked_at > 5


def secrets_of(struct: Any) -> list[str]:
    return [option.name for option in options_of(struct) if option.secret]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://shop.example/path", "https://shop.example/path"),
        ("https://user:s3cret@shop.example/path", "https://…@shop.example/path"),
        ("https://shop.example/?key=s3cret", "https://shop.example/?…"),
        ("https://shop.example/#s3cret", "https://shop.example/#…"),
        ("postgresql://u:s3cret@h/db?x=s3cret", "postgresql://…@h/db?…"),
        ("no address: a@b", "no address: a@b"),
    ],
)
def test_addresses_are_told_without_what_may_be_secret(text: str, shown: str) -> None:
    found = audited.address(text)
    assert (found.shown if isinstance(found, Hidden) else found) == shown


async def test_no_secret_of_a_monitor_comes_into_the_log(client: Client, pool: Pool) -> None:
    sent = {
        **FORM, "type": "http", "options.method": "GET", "options.accepted_statuses": "200-299",
        "options.url": "http://127.0.0.1:9/?key=s3cret1", "options.headers": "X-Key: s3cret2", "options.auth": "basic",
        "options.username": "ada", "options.password": "s3cret3",
    }  # fmt: skip
    made = await client.submit("/monitors/new", sent)
    assert made.status_code == 303, made.text
    await client.submit(made.headers["location"] + "/delete")
    [(text,)] = await fetch(pool, "select string_agg(changes::text, ' ') from audit")
    assert "s3cret" not in text
    assert "127.0.0.1:9" in text


# --- it stays


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


# --- sign-ins that fail


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


# --- how it is read


async def test_it_is_read_page_by_page(client: Client, pool: Pool) -> None:
    await write(pool, 120)
    seen, path = 0, "/audit"
    while path:
        page = (await client.get(path)).text
        seen += page.count('class="act"')
        path = page.partition('rel="next" href="')[2].partition('"')[0].replace("&amp;", "&")
    assert seen == 120


async def test_it_is_filtered(client: Client, pool: Pool) -> None:
    await write(pool, 2)
    await write(pool, 1, who=SYSTEM, action="monitor.delete")
    counts = {
        "": 3, "?actor=ADA": 2, "?actor=system": 1, "?kind=monitor": 3, "?kind=channel": 0, "?kind=monitor&object=1": 1,
        "?action=monitor.delete": 1, "?since=2000-01-01": 3, "?until=2000-01-01": 0, "?actor=%00": 0,
    }  # fmt: skip
    for asked, count in counts.items():
        assert (await client.get(f"/audit{asked}")).text.count('class="act"') == count, asked
        assert len((await client.get(f"/audit.json{asked}")).json()) == count, asked


@pytest.mark.parametrize(
    "asked", ["kind=%27", "action=x", "since=soon", "until=99999-01-01", "since=0001-01-01", "object=-1", "before=x"]
)
async def test_what_cannot_be_asked_for_is_said(client: Client, asked: str) -> None:
    for page in ("/audit", "/audit.csv", "/audit.json"):
        answer = await client.get(f"{page}?{asked}")
        assert answer.status_code == (200 if asked.startswith("before") and page != "/audit" else 400)


async def test_exports_hold_everything_and_no_formula(client: Client, pool: Pool) -> None:
    await write(pool, 1100)
    async with connection(pool) as conn:
        for name in ("=cmd|' /C calc'!A0", " @sum(1)", "＝1+1"):
            await audit.write(conn, ADA, "monitor.create", Thing("monitor", 9999, name), None, {"name": name})
    answer = await client.get("/audit.csv")
    assert answer.headers["content-disposition"] == 'attachment; filename="pinguin-audit.csv"'
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert len(rows) == 1103
    assert len({row["id"] for row in rows}) == 1103
    assert all(row["object_name"].startswith("'") for row in rows if row["object_id"] == "9999")
    assert json.loads(rows[-1]["changes"]) == {"n": {"to": 0}}
    exported = (await client.get("/audit.json")).json()
    assert [str(each["id"]) for each in exported] == [row["id"] for row in rows]


async def test_what_is_shown_is_escaped(client: Client, pool: Pool) -> None:
    async with connection(pool) as conn:
        text = "<script>alert(1)</script>"
        await audit.write(conn, ADA, "monitor.edit", Thing("monitor", 1, text), {"name": "a"}, {"name": text, text: 1})
    page = (await client.get("/audit")).text
    assert "<script>alert" not in page
    assert page.count("&lt;script&gt;alert(1)") == 3


async def test_it_takes_a_fixed_number_of_queries(client: Client, pool: Pool, statements: Statements) -> None:
    costs = []
    for count in (1, 100):
        await write(pool, count)
        statements.count = 0
        await client.get("/audit")
        costs.append(statements.count)
    assert costs[0] == costs[1]


# --- what others change


async def test_channels_and_groups_are_written_down_without_their_secrets(client: Client, pool: Pool) -> None:
    for form in (EMAIL, {**WEBHOOK, "name": "hook"}):
        assert (await client.submit("/channels/new", form)).status_code == 303
    fields = await base(client, 1)
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
