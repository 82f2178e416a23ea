"""What holds for every operation: who may ask, what errors look like, ETags, pages, idempotency keys, the pace."""

from __future__ import annotations

import asyncio
import re

import pytest
from litestar import Litestar

from pinguin.db import Pool, connection
from pinguin.people import Role
from pinguin.store import idempotency
from pinguin.store.idempotency import Claim
from pinguin.web.api import etags
from pinguin.web.api.operation import Operation
from pinguin.web.api.routes import operations
from pinguin.web.rate import Rate
from pinguin.web.service import Web
from tests.api.conftest import BASE, Program, new_token, program
from tests.factory import add_monitor, fetch

HTTP = {"name": "Shop", "options": {"url": "http://127.0.0.1:9/"}}
PROBLEM = "application/problem+json"


def path_of(each: Operation) -> str:
    return re.sub(r"\{\w+:int\}", "1", each.path).replace("{name:str}", "http")


@pytest.mark.parametrize("each", operations(), ids=lambda each: each.name)
async def test_each_operation_takes_its_role_and_its_scope(
    each: Operation, stranger: Program, viewer: Program, editor: Program, owner: Program, app: Litestar, pool: Pool
) -> None:
    """Nothing is done for who has too little, and that is said as a problem."""
    before = await fetch(pool, "select count(*) from audit")
    path, least = path_of(each), each.least_role
    answers = {"nobody": await stranger.sent(each.method, path)}
    if not Role.VIEWER.allows(least):
        answers["viewer"] = await viewer.sent(each.method, path)
    if not Role.EDITOR.allows(least):
        answers["editor"] = await editor.sent(each.method, path)
    async with (
        program(app, await new_token(pool, 1, "metrics")) as metrics,
        program(app, await new_token(pool, 1, "read")) as reader,
        program(app, await new_token(pool, 1, "write")) as writer,
    ):
        if each.name != "show_me":
            answers["metrics"] = await metrics.sent(each.method, path)
        if each.method != "GET" or least is not Role.VIEWER:
            answers["read"] = await reader.sent(each.method, path)
        if least is Role.OWNER:
            answers["write"] = await writer.sent(each.method, path)
    for name, answer in answers.items():
        assert answer.status_code == (401 if name == "nobody" else 403), (name, answer.text)
        assert answer.headers["content-type"] == PROBLEM
    assert await fetch(pool, "select count(*) from audit") == before


PROBLEMS = [
    ("not found", "GET", "/monitors/77", None, {}, 404),
    ("no number", "GET", "/monitors/99999999999999999999", None, {}, 404),
    ("no such path", "GET", "/nothing", None, {}, 404),
    ("no such method", "DELETE", "/monitors", None, {}, 405),
    ("no JSON", "POST", "/monitors", b'{"name": ', {"content-type": "application/json"}, 400),
    ("not UTF-8", "POST", "/monitors", b'{"name": "\xff"}', {"content-type": "application/json"}, 400),
    ("deep", "POST", "/monitors", b"[" * 100_000, {"content-type": "application/json"}, 400),
    ("twice", "POST", "/monitors", b'{"name": "a", "name": "b"}', {"content-type": "application/json"}, 422),
    ("a list", "POST", "/monitors", b"[]", {"content-type": "application/json"}, 422),
    ("a form", "POST", "/monitors", b"name=x", {"content-type": "application/x-www-form-urlencoded"}, 415),
    ("too large", "POST", "/monitors", b" " * 1_000_001, {"content-type": "application/json"}, 413),
    ("an unknown query", "GET", "/monitors?colour=red", None, {}, 422),
    ("a query twice", "GET", "/monitors?limit=1&limit=2", None, {}, 422),
    ("a bad cursor", "GET", "/monitors?cursor=abc", None, {}, 422),
    ("too many", "GET", "/monitors?limit=501", None, {}, 422),
    ("a NUL", "GET", "/monitors?q=%00", None, {}, 422),
    ("a bad time", "GET", "/monitors/1/results?from=yesterday", None, {}, 422),
    ("a naive time", "GET", "/monitors/1/results?from=2026-01-01T00:00:00", None, {}, 422),
    ("a time too far", "GET", "/monitors/1/results?from=0001-01-01T00:00:00Z", None, {}, 422),
    ("a body unasked for", "POST", "/monitors/1/pause", b'{"now": 1}', {"content-type": "application/json"}, 422),
]  # fmt: skip


@pytest.mark.parametrize(
    ("method", "path", "body", "headers", "status"), [each[1:] for each in PROBLEMS], ids=[each[0] for each in PROBLEMS]
)
async def test_every_error_is_a_problem(
    owner: Program, pool: Pool, method: str, path: str, body: bytes | None, headers: dict[str, str], status: int
) -> None:
    await add_monitor(pool)
    answer = await owner.request(method, BASE + path, content=body, headers=headers)
    assert (answer.status_code, answer.headers["content-type"]) == (status, PROBLEM), answer.text
    problem = answer.json()
    assert (problem["status"], problem["type"]) == (status, "about:blank")
    assert problem["title"]
    assert problem["detail"]
    if status == 422:
        assert problem["errors"]


async def test_what_is_given_twice_is_named_wherever_it_is(owner: Program) -> None:
    body = b'{"options": {"url": "http://127.0.0.1/", "headers": {"X-Key": "1", "A": "", "X-Key": "2"}}, "name": "x"}'
    answer = await owner.request("POST", f"{BASE}/monitors", content=body, headers={"content-type": "application/json"})
    assert answer.json()["errors"] == {"options.headers.X-Key": "is given twice; leave one of them"}


async def test_every_wrong_field_is_named_at_once(owner: Program) -> None:
    body = {
        "name": "",
        "interval_s": 0,
        "colour": "red",
        "alerts": {"loud": True},
        "depends_on": "all",
        "options": {"url": "http://127.0.0.1/", "methud": "GET"},
    }
    errors = (await owner.sent("POST", "/monitors", body)).json()["errors"]
    assert {"name", "interval_s", "colour", "alerts", "depends_on"} <= errors.keys()
    assert "there are name, interval_s" in errors["colour"]
    errors = (await owner.sent("POST", "/monitors", HTTP | {"options": {"url": "http://h/", "methud": "GET"}})).json()
    assert list(errors["errors"]) == ["options.methud"]
    gone = {"alerts": {"steps": [{"channels": [7]}]}, "depends_on": [8]}
    errors = (await owner.sent("POST", "/monitors", HTTP | gone)).json()["errors"]
    assert errors == {
        "alerts.steps.channels": "must exist: there is no channel 7",
        "depends_on": "must exist: there is no monitor 8",
    }


async def test_no_error_tells_what_was_sent(owner: Program) -> None:
    secret = {"password": "canary", "url": 7, "bearer_token": {"canary": "canary"}}
    answer = await owner.sent("POST", "/monitors", HTTP | {"options": secret})
    assert answer.status_code == 422
    assert "canary" not in answer.text
    answer = await owner.post(
        f"{BASE}/monitors", content=b'{"password": canary}', headers={"content-type": "application/json"}
    )
    assert answer.status_code == 400
    assert "canary" not in answer.text


# --- ETags


async def test_what_did_not_change_is_not_sent_again(owner: Program, pool: Pool) -> None:
    monitor = await add_monitor(pool)
    first = await owner.sent("GET", f"/monitors/{monitor}")
    tag = first.headers["etag"]
    again = await owner.sent("GET", f"/monitors/{monitor}", If_None_Match=tag)
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    weak = await owner.sent("GET", f"/monitors/{monitor}", If_None_Match=f'"x", W/{tag}')
    assert weak.status_code == 304
    await fetch(pool, "update monitor_states set latency_ms = 7 where monitor_id = %s returning 1", monitor)
    after = await owner.sent("GET", f"/monitors/{monitor}", If_None_Match=tag)
    assert (after.status_code, after.json()["state"]["latency_ms"]) == (200, 7)
    assert after.headers["etag"] != tag


async def test_nobody_overwrites_what_they_have_not_seen(owner: Program, pool: Pool) -> None:
    monitor = await add_monitor(pool, type="http", options={"url": "http://127.0.0.1:9/"})
    path = f"/monitors/{monitor}"
    tag = (await owner.sent("GET", path)).headers["etag"]
    await fetch(pool, "update monitor_states set latency_ms = 7 where monitor_id = %s returning 1", monitor)
    first = await owner.sent("PATCH", path, {"name": "One"}, If_Match=tag)
    assert first.status_code == 200  # a check that came meanwhile is no edit
    for method, at, body in (
        ("PATCH", path, {"name": "Two"}), ("PUT", path, HTTP), ("DELETE", path, None), ("POST", f"{path}/pause", None),
    ):  # fmt: skip
        late = await owner.sent(method, at, body, If_Match=tag)
        assert (late.status_code, late.headers["content-type"]) == (412, PROBLEM), method
    assert (await owner.read(path))["name"] == "One"
    fresh = f'"other", {first.headers["etag"]}'
    assert (await owner.sent("PATCH", path, {"name": "Three"}, If_Match=fresh)).status_code == 200
    assert (await owner.sent("PATCH", path, {"name": "Four"}, If_Match="*")).status_code == 200


def test_an_etag_is_two_sums() -> None:
    tag = etags.tag("mark", b"content")
    assert re.fullmatch(r'"[0-9a-f]{16}\.[0-9a-f]{16}"', tag)
    assert etags.matches(tag, "mark")
    assert not etags.matches(tag, "other")
    assert not etags.matches("", "mark")
    assert not etags.matches(f"W/{tag}", "mark")
    assert not etags.known('"x"', tag)


# --- idempotency keys


async def test_a_key_makes_one_thing_however_often_it_is_sent(owner: Program, pool: Pool) -> None:
    first = await owner.sent("POST", "/monitors", HTTP, Idempotency_Key="one")
    again = await owner.sent("POST", "/monitors", HTTP, Idempotency_Key="one")
    assert (first.status_code, again.status_code, again.content) == (201, 201, first.content)
    assert (again.headers["location"], again.headers["etag"]) == (first.headers["location"], first.headers["etag"])
    assert again.headers["idempotent-replayed"] == "true"
    assert "idempotent-replayed" not in first.headers
    assert (await owner.sent("POST", "/monitors", HTTP, Idempotency_Key="two")).status_code == 201
    assert await fetch(pool, "select count(*) from monitors") == [(2,)]


async def test_a_key_is_for_one_request_of_one_token(owner: Program, editor: Program, pool: Pool) -> None:
    await owner.sent("POST", "/monitors", HTTP, Idempotency_Key="one")
    for path, body in (("/monitors", HTTP | {"name": "Other"}), ("/channel-groups", HTTP)):
        answer = await owner.sent("POST", path, body, Idempotency_Key="one")
        assert (answer.status_code, list(answer.json()["errors"])) in (
            (422, ["Idempotency-Key"]), (422, ["options"]),
        )  # fmt: skip
    reordered = dict(reversed(HTTP.items()))
    assert (await owner.sent("POST", "/monitors", reordered, Idempotency_Key="one")).status_code == 201
    assert (await editor.sent("POST", "/monitors", HTTP, Idempotency_Key="one")).status_code == 201
    assert await fetch(pool, "select count(*) from monitors") == [(2,)]


async def test_what_is_refused_frees_its_key(owner: Program, pool: Pool) -> None:
    body = HTTP | {"depends_on": [1]}
    assert (await owner.sent("POST", "/monitors", body, Idempotency_Key="one")).status_code == 422
    await add_monitor(pool)
    assert (await owner.sent("POST", "/monitors", body, Idempotency_Key="one")).status_code == 201


async def test_of_many_at_once_one_is_done(owner: Program, pool: Pool) -> None:
    answers = await asyncio.gather(*(owner.sent("POST", "/monitors", HTTP, Idempotency_Key="race") for _ in range(8)))
    codes = [each.status_code for each in answers]
    assert set(codes) <= {201, 409}
    assert 201 in codes
    assert len({each.content for each in answers if each.status_code == 201}) == 1
    assert await fetch(pool, "select count(*) from monitors") == [(1,)]


async def test_while_one_is_under_way_another_waits(owner: Program, pool: Pool) -> None:
    await owner.sent("POST", "/monitors", HTTP, Idempotency_Key="one")
    await fetch(pool, "update idempotency_keys set status = null, body = null returning 1")
    answer = await owner.sent("POST", "/monitors", HTTP, Idempotency_Key="one")
    assert (answer.status_code, answer.headers["retry-after"]) == (409, "1")
    await fetch(pool, "update idempotency_keys set claimed_at = now() - interval '6 minutes' returning 1")
    assert (await owner.sent("POST", "/monitors", HTTP, Idempotency_Key="one")).status_code == 201


async def test_who_lost_the_key_changes_nothing(owner: Program, pool: Pool) -> None:
    """A process that stood still for minutes finds its key taken, and its transaction is taken back."""
    token_id = (await owner.read("/me"))["token"]["id"]
    slow, fast = Claim(token_id, "one", b"a" * 32), Claim(token_id, "one", b"b" * 32)
    async with connection(pool) as conn:
        assert await idempotency.claim(conn, slow) is None
        await conn.execute("update idempotency_keys set claimed_at = claimed_at - interval '6 minutes'")
        assert await idempotency.claim(conn, fast) is None
        assert not await idempotency.finish(conn, slow, 201, {}, b"{}")
        await idempotency.free(conn, slow)
        assert await idempotency.finish(conn, fast, 201, {}, b"{}")


async def test_after_a_day_a_key_is_new(owner: Program, pool: Pool) -> None:
    await owner.sent("POST", "/monitors", HTTP, Idempotency_Key="one")
    await fetch(pool, "update idempotency_keys set claimed_at = now() - interval '25 hours' returning 1")
    answer = await owner.sent("POST", "/monitors", HTTP | {"name": "Next day"}, Idempotency_Key="one")
    assert (answer.status_code, answer.json()["name"]) == (201, "Next day")


async def test_no_secret_is_kept_for_a_second_answer(owner: Program, pool: Pool) -> None:
    first = await owner.sent("POST", "/people", {"name": "eve"}, Idempotency_Key="one")
    assert first.status_code == 201
    assert await fetch(pool, "select body from idempotency_keys") == [(None,)]
    again = await owner.sent("POST", "/people", {"name": "eve"}, Idempotency_Key="one")
    assert again.status_code == 409
    assert await fetch(pool, "select count(*) from users") == [(2,)]


async def test_a_file_is_not_kept_for_a_second_answer(owner: Program) -> None:
    question = {"sql": "select 1 as one"}
    first = await owner.sent("POST", "/query", question, Idempotency_Key="one")
    assert (first.status_code, first.json()) == (200, [{"one": 1}])
    assert (await owner.sent("POST", "/query", question, Idempotency_Key="one")).status_code == 409


@pytest.mark.parametrize("key", ["", "x" * 256, "a b"])
async def test_a_key_that_is_none_is_refused(owner: Program, key: str) -> None:
    answer = await owner.sent("POST", "/monitors", HTTP, Idempotency_Key=key)
    assert list(answer.json()["errors"]) == ["Idempotency-Key"]


# --- the pace


async def test_who_asks_too_often_waits(owner: Program, editor: Program, app: Litestar) -> None:
    web: Web = app.state.web
    now = [0.0]
    web.rate = Rate(burst=2, per_s=0.5, clock=lambda: now[0])
    assert [(await owner.sent("GET", "/me")).status_code for _ in range(3)] == [200, 200, 429]
    answer = await owner.sent("GET", "/me")
    assert (answer.headers["retry-after"], answer.headers["content-type"]) == ("2", PROBLEM)
    assert (await editor.sent("GET", "/me")).status_code == 200  # each token by itself
    now[0] = 2.0
    assert [(await owner.sent("GET", "/me")).status_code for _ in range(2)] == [200, 429]
