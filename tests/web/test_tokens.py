"""API tokens: made and shown once, scoped, expiring, revoked; and what the gate makes of them."""

from __future__ import annotations

import re
from typing import Any

import httpx
import pytest
from litestar import Litestar, Router, get, post

from pinguin.broker import Broker
from pinguin.db import Pool, connection
from pinguin.people import Role
from pinguin.store import accounts
from pinguin.web import api_tokens, gate
from pinguin.web.service import Req
from tests.factory import add_monitor, fetch
from tests.web.conftest import PASSWORD, Client, browser, person, signed_in


async def make(client: Client, scope: str = "read", **sent: str) -> str:
    form = {"label": "grafana", "scope": scope, "days": "365", "current": PASSWORD, **sent}
    answer = await client.submit("/account/tokens", form)
    found = re.search(r'value="(pgn_\w+)"', answer.text)
    assert found is not None, answer.text
    return found[1]


async def me(client: Client, token: str, **headers: str) -> httpx.Response:
    return await client.get("/api/v1/me", headers={"Authorization": f"Bearer {token}", **headers})


async def test_a_token_says_whose_it_is(client: Client, visitor: Client) -> None:
    answer = await me(visitor, await make(client))
    assert answer.status_code == 200
    assert answer.json() == {
        "user": {"id": 1, "name": "ada", "role": "viewer"},
        "token": {"id": 1, "name": "grafana", "scope": "read"},
    }
    assert "set-cookie" not in answer.headers


async def test_a_token_is_shown_once_and_kept_as_a_hash(client: Client, pool: Pool) -> None:
    token = await make(client)
    page = (await client.get("/account")).text
    assert token not in page
    assert token[:8] in page
    [(kept, days)] = await fetch(pool, "select token_hash, expires_at::date - now()::date from api_tokens")
    assert (len(kept), days) == (32, 365)
    assert token.encode() not in kept


def test_a_token_is_known_by_its_looks() -> None:
    token = api_tokens.new_token()
    assert re.fullmatch(r"pgn_[0-9A-Za-z]{46}", token)
    assert api_tokens.well_formed(token)
    other = "a" if token[10] != "a" else "b"
    for wrong in (token[:10] + other + token[11:], token[:-1], token + "a", token[4:], "pgn_", "", "pgn_" + "ü" * 46):
        assert not api_tokens.well_formed(wrong)


@pytest.mark.parametrize(
    ("header", "error"),
    [
        (None, ""),
        ("", ""),
        ("Basic YWRhOnB3", ""),
        ("Bearer", 'error="invalid_token"'),
        ("Bearer pgn_nothing", 'error="invalid_token"'),
        ("Bearer " + "x" * 5000, 'error="invalid_token"'),
        ("Bearer ' or 1=1 --", 'error="invalid_token"'),
        (f"Bearer {api_tokens.new_token()}", 'error="invalid_token"'),
    ],
    ids=["none", "empty", "basic", "no token", "no such form", "endless", "hostile", "good form, unknown"],
)
async def test_without_a_good_token_a_program_is_told_so(visitor: Client, header: str | None, error: str) -> None:
    answer = await visitor.get("/api/v1/me", headers={} if header is None else {"Authorization": header})
    assert (answer.status_code, answer.headers["content-type"]) == (401, "application/problem+json")
    assert answer.headers["www-authenticate"].startswith('Bearer realm="Pinguin"')
    assert error in answer.headers["www-authenticate"]
    problem = answer.json()
    assert (problem["status"], problem["type"]) == (401, "about:blank")
    assert {"title", "detail"} <= problem.keys()


async def test_nothing_below_api_is_a_page(visitor: Client) -> None:
    for method, path, status in (("GET", "/api/v1/nothing", 404), ("PUT", "/api/v1/me", 405), ("GET", "/api/v2", 404)):
        answer = await visitor.request(method, path)
        assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json"), path


async def test_a_cookie_opens_nothing_there(client: Client) -> None:
    assert (await client.get("/api/v1/me")).status_code == 401


async def test_a_revoked_or_expired_token_is_over(client: Client, visitor: Client, pool: Pool) -> None:
    revoked, expired = await make(client), await make(client, days="1")
    assert (await client.submit("/account/tokens/1/revoke")).status_code == 303
    assert (await client.submit("/account/tokens/1/revoke")).status_code == 404
    assert (await me(visitor, revoked)).status_code == 401
    assert (await me(visitor, expired)).status_code == 200
    async with connection(pool) as conn:
        await conn.execute("update api_tokens set expires_at = now()")
    assert (await me(visitor, expired)).status_code == 401
    page = (await client.get("/account")).text
    assert "revoked" in page
    assert "expired" in page


async def test_nobody_revokes_the_token_of_another(client: Client, app: Litestar, pool: Pool) -> None:
    token = await make(client)
    async with browser(app) as other:
        await signed_in(other, pool, await person(pool, "bob", Role.OWNER))
        assert (await other.submit("/account/tokens/1/revoke")).status_code == 404
    assert (await me(client, token)).status_code == 200


async def test_a_use_is_written_down(client: Client, visitor: Client) -> None:
    token = await make(client)
    assert "never" in (await client.get("/account")).text
    await me(visitor, token)
    assert "never" not in (await client.get("/account")).text


async def test_a_token_goes_with_its_person_and_shrinks_with_the_role(
    client: Client, app: Litestar, pool: Pool
) -> None:
    user_id = await person(pool, "bob", Role.EDITOR)
    async with browser(app) as other:
        await signed_in(other, pool, user_id)
        token = await make(other, "write")
    assert (await me(client, token)).json()["user"]["role"] == "editor"
    async with connection(pool) as conn:
        await accounts.set_role(conn, user_id, Role.VIEWER)
    assert (await me(client, token)).json()["user"]["role"] == "viewer"
    async with connection(pool) as conn:
        await accounts.remove(conn, user_id)
    assert (await me(client, token)).status_code == 401


async def test_a_viewer_makes_a_token_that_changes_the_own_views_alone(
    app: Litestar, client: Client, pool: Pool
) -> None:
    """The own views and tokens: what the pages let a viewer change."""
    monitor = await add_monitor(pool)
    async with browser(app) as other:
        await signed_in(other, pool, await person(pool, "cyd", Role.VIEWER))
        asked = {"label": "x", "scope": "people", "days": "1", "current": PASSWORD}
        assert (await other.submit("/account/tokens", asked)).status_code == 422
        writes, reads = await make(other, "write"), await make(other, "read")
    view = {"name": "Down", "query": "status=down"}
    for token, kept in ((writes, 200), (reads, 403)):
        bearer = {"Authorization": f"Bearer {token}"}
        assert (await client.put("/api/v1/views", json=view, headers=bearer)).status_code == kept
        assert (await client.post(f"/api/v1/monitors/{monitor}/pause", headers=bearer)).status_code == 403


async def test_a_token_that_writes_takes_no_house_over(client: Client, app: Litestar, pool: Pool) -> None:
    """One that leaks from some script changes monitors, and neither people nor what it may do itself."""
    writes, owns = await make(client, "write"), await make(client, "people")
    assert (await me(client, writes)).json()["user"]["role"] == "editor"
    assert (await me(client, owns)).json()["user"]["role"] == "owner"
    eve = {"name": "eve", "role": "owner"}
    for method, path in (("GET", "/people"), ("POST", "/people"), ("POST", "/people/1/link"), ("GET", "/audit")):
        answer = await client.request(
            method, f"/api/v1{path}", json=eve if path == "/people" and method == "POST" else None,
            headers={"Authorization": f"Bearer {writes}"},
        )  # fmt: skip
        assert answer.status_code == 403, path
        assert 'scope="people"' in answer.headers["www-authenticate"]
    assert await fetch(pool, "select from invitations") == []
    answer = await client.post("/api/v1/people", json=eve, headers={"Authorization": f"Bearer {owns}"})
    assert answer.status_code == 201


async def test_only_owners_make_tokens_for_people(app: Litestar, client: Client, pool: Pool) -> None:
    async with browser(app) as other:
        await signed_in(other, pool, await person(pool, "bob", Role.EDITOR))
        assert 'value="people"' not in (await other.get("/account")).text
        sent = {"label": "x", "scope": "people", "days": "1", "current": PASSWORD}
        answer = await other.submit("/account/tokens", sent)
        assert "can be people for owners alone" in answer.text
    assert await fetch(pool, "select from api_tokens") == []


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ({"label": ""}, "Name must have 1 to 100 characters"),
        ({"label": "x" * 101}, "Name must have 1 to 100 characters"),
        ({"label": "a\x00b"}, "no control characters"),
        ({"scope": "all"}, "For must be one of read, write, people, metrics"),
        ({"days": "0"}, "Days must be a whole number of days from 1 to 366"),
        ({"days": "3651"}, "Days must be a whole number"),
        ({"days": "-1"}, "Days must be a whole number"),
        ({"days": "٣"}, "Days must be a whole number"),
    ],
)
async def test_each_mistake_stands_beside_its_field(client: Client, sent: dict[str, str], shown: str) -> None:
    answer = await client.submit(
        "/account/tokens", {"label": "x", "scope": "read", "days": "9", "current": PASSWORD} | sent
    )
    assert answer.status_code == 422
    assert shown in answer.text


# --- scopes, on handlers of every kind


@get("/things", opt=gate.METRICS)
async def things(request: Req) -> dict[str, Any]:
    return {"role": gate.principal(request).role}


@post("/things", status_code=200)
async def change_things(request: Req) -> dict[str, Any]:
    return {"role": gate.principal(request).role}


@get("/secrets", opt=gate.OWNER)
async def owners_things(request: Req) -> dict[str, Any]:
    return {"role": gate.principal(request).role}


@pytest.fixture
def api(one_app: Litestar, app: Litestar) -> Litestar:
    """The app with three more handlers, behind the same gate."""
    if not any(route.path == "/api/v1/things" for route in one_app.routes):
        one_app.register(
            Router("/api/v1", route_handlers=[things, change_things, owners_things], before_request=gate.token_only)
        )
    return one_app


@pytest.mark.parametrize(
    ("scope", "allowed"),
    [
        ("metrics", {"GET /things"}),
        ("read", {"GET /things"}),
        ("write", {"GET /things", "POST /things"}),
        ("people", {"GET /things", "POST /things", "GET /secrets"}),
    ],
)
async def test_a_scope_is_a_limit(api: Litestar, client: Client, scope: str, allowed: set[str]) -> None:
    token = await make(client, scope)
    for each in ("GET /things", "POST /things", "GET /secrets"):
        method, path = each.split()
        answer = await client.request(
            method, f"/api/v1{path}", headers={"Authorization": f"bearer {token}", "Origin": "http://evil.test"}
        )
        assert answer.status_code == (200 if each in allowed else 403), each
        if each not in allowed:
            assert answer.headers["content-type"] == "application/problem+json"


async def test_too_little_scope_says_which_is_enough(api: Litestar, client: Client) -> None:
    token = await make(client, "read")
    answer = await client.post("/api/v1/things", headers={"Authorization": f"Bearer {token}"})
    assert answer.headers["www-authenticate"] == 'Bearer realm="Pinguin", error="insufficient_scope", scope="write"'


async def test_a_token_opens_no_page(client: Client, visitor: Client, app: Litestar, broker: Broker) -> None:
    token = await make(client, "write")
    async with browser(app) as other:
        answer = await other.get("/account", headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code == 303
