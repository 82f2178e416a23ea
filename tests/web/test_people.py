"""Owners and others: invitations, roles, the last owner, removal."""

from __future__ import annotations

import asyncio
import re

import pytest
from litestar import Litestar

from pinguin.db import Pool, connection
from pinguin.errors import Conflict
from pinguin.people import Role
from pinguin.store import accounts
from tests.factory import fetch
from tests.web.conftest import PASSWORD, Client, browser, person, signed_in

NEW = "the otter sleeps afloat"
IT_IS_ME = {"current": PASSWORD}


async def invite(client: Client, name: str = "bob", role: str = "editor") -> str:
    """The token of the link."""
    answer = await client.submit("/people", {"name": name, "role": role} | IT_IS_ME)
    assert answer.status_code == 200, answer.text
    return str(re.findall(r"/join\?token=([\w-]+)", answer.text)[0])


async def roles(pool: Pool) -> dict[str, str]:
    return dict(await fetch(pool, "select name, role from users"))


async def test_a_link_lets_somebody_in_once(client: Client, app: Litestar, pool: Pool) -> None:
    token = await invite(client)
    async with browser(app) as bob:
        assert "You are invited as editor" in (await bob.get(f"/join?token={token}")).text
        sent = {"token": token, "password": NEW, "again": NEW}
        answers = await asyncio.gather(bob.post("/join", data=sent), bob.post("/join", data=sent))
        assert sorted(answer.status_code for answer in answers) == [200, 404]
        assert (await bob.get(f"/join?token={token}")).status_code == 404
        assert (await bob.post("/sign-in", data={"name": "bob", "password": NEW})).status_code == 303
        assert (await bob.get("/")).status_code == 200
    assert await roles(pool) == {"ada": "owner", "bob": "editor"}
    [(kept,)] = await fetch(pool, "select count(*) from invitations")
    assert kept == 0


async def test_a_link_is_kept_as_a_hash_and_expires(client: Client, app: Litestar, pool: Pool) -> None:
    token = await invite(client)
    [(kept, hours)] = await fetch(
        pool, "select token_hash, extract(epoch from expires_at - now())::int / 3600 from invitations"
    )
    assert token.encode() not in kept
    assert hours in (71, 72)
    async with connection(pool) as conn:
        await conn.execute("update invitations set expires_at = now()")
    async with browser(app) as bob:
        answer = await bob.post("/join", data={"token": token, "password": NEW, "again": NEW})
        assert answer.status_code == 404
    assert "invitation over" in (await client.get("/people")).text


async def test_before_the_link_is_used_nobody_signs_in(client: Client, app: Litestar) -> None:
    await invite(client)
    async with browser(app) as bob:
        for password in ("", "None", PASSWORD):
            assert (await bob.post("/sign-in", data={"name": "bob", "password": password})).status_code == 422


async def test_a_new_link_ends_the_one_before_and_mends_a_forgotten_password(
    client: Client, app: Litestar, pool: Pool
) -> None:
    user_id = await person(pool, "bob", Role.VIEWER)
    async with browser(app) as bob, browser(app) as other:
        await signed_in(bob, pool, user_id)
        tokens = []
        for _ in range(2):
            page = (await client.submit(f"/people/{user_id}/link", IT_IS_ME)).text
            tokens.append(re.findall(r"/join\?token=([\w-]+)", page)[0])
        assert (await bob.get("/")).status_code == 200
        assert (await other.get(f"/join?token={tokens[0]}")).status_code == 404
        sent = {"token": tokens[1], "password": NEW, "again": NEW}
        assert (await other.post("/join", data=sent)).status_code == 200
        assert (await bob.get("/")).status_code == 303
        assert (await bob.post("/sign-in", data={"name": "bob", "password": NEW})).status_code == 303


async def test_a_weak_password_does_not_use_the_link_up(client: Client, app: Litestar) -> None:
    token = await invite(client)
    async with browser(app) as bob:
        for password in ("short", "password1234", "bobbobbobbob"):
            answer = await bob.post("/join", data={"token": token, "password": password, "again": password})
            assert answer.status_code == 422
        assert (await bob.get(f"/join?token={token}")).status_code == 200


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ({"name": ""}, "Name is required"),
        ({"name": "x" * 101}, "Name must have at most 100 characters"),
        ({"name": "a\x00b"}, "Name must not contain control characters"),
        ({"name": "ADA"}, "Name is taken"),
        ({"role": "emperor"}, "Role must be one of viewer, editor, owner"),
        ({"role": ""}, "Role must be one of"),
    ],
)
async def test_each_mistake_stands_beside_its_field(
    client: Client, pool: Pool, sent: dict[str, str], shown: str
) -> None:
    answer = await client.submit("/people", {"name": "bob", "role": "viewer"} | IT_IS_ME | sent)
    assert answer.status_code == 422
    assert shown in answer.text
    assert await roles(pool) == {"ada": "owner"}


@pytest.mark.parametrize(
    "value", ["<script>alert(1)</script>", "' or 1=1 --", "ü" * 100, '"><img src=x>', "{{ 7 * 7 }}"]
)
async def test_hostile_names_are_only_names(client: Client, pool: Pool, value: str) -> None:
    await invite(client, value, "viewer")
    for path in ("/people", "/people/2/remove", "/audit"):
        page = (await client.get(path)).text
        assert "<script>alert" not in page
        assert "<img" not in page
    assert (await roles(pool))[value] == "viewer"


async def test_another_role_counts_at_once_and_ends_the_sessions(client: Client, app: Litestar, pool: Pool) -> None:
    user_id = await person(pool, "bob", Role.EDITOR)
    async with browser(app) as bob:
        await signed_in(bob, pool, user_id)
        assert (await client.submit(f"/people/{user_id}/role", {"role": "viewer"} | IT_IS_ME)).status_code == 303
        assert (await bob.get("/")).status_code == 303
        await signed_in(bob, pool, user_id)
        assert (await bob.get("/monitors/new")).status_code == 403
    assert (await client.submit(f"/people/{user_id}/role", {"role": "god"})).status_code == 422


async def test_the_last_owner_stays(client: Client, pool: Pool) -> None:
    """Somebody who was invited as an owner and never came does not count."""
    await invite(client, "cyd", "owner")
    for path, sent in (("role", {"role": "viewer"}), ("remove", {})):
        answer = await client.submit(f"/people/1/{path}", sent | IT_IS_ME)
        assert answer.status_code == 409
        assert "the last owner who can sign in" in answer.text
    assert (await roles(pool))["ada"] == "owner"
    assert (await client.get("/people")).status_code == 200


async def test_two_owners_who_take_each_other_away_leave_one(client: Client, pool: Pool) -> None:
    other = await person(pool, "bob", Role.OWNER)

    async def demote(user_id: int) -> bool:
        try:
            async with connection(pool) as conn:
                await accounts.set_role(conn, user_id, Role.VIEWER)
        except Conflict:
            return False
        return True

    assert sorted(await asyncio.gather(demote(1), demote(other))) == [False, True]


async def test_with_another_owner_one_may_go(client: Client, pool: Pool) -> None:
    await person(pool, "bob", Role.OWNER)
    assert (await client.submit("/people/1/remove", IT_IS_ME)).headers["location"] == "/sign-in"
    assert (await client.get("/")).status_code == 303
    assert await roles(pool) == {"bob": "owner"}


async def test_who_is_removed_is_out_at_once(client: Client, app: Litestar, pool: Pool) -> None:
    user_id = await person(pool, "bob", Role.EDITOR)
    async with browser(app) as bob:
        await signed_in(bob, pool, user_id)
        assert "Remove bob?" in (await client.get(f"/people/{user_id}/remove")).text
        assert (await client.submit(f"/people/{user_id}/remove", IT_IS_ME)).status_code == 303
        assert (await bob.get("/")).status_code == 303
        assert (await bob.post("/sign-in", data={"name": "bob", "password": PASSWORD})).status_code == 422
    assert await fetch(pool, "select action, object_name from audit where action = 'person.remove'") == [
        ("person.remove", "bob")
    ]


async def test_an_owner_helps_who_lost_the_second_factor(client: Client, app: Litestar, pool: Pool) -> None:
    user_id = await person(pool, "bob", Role.VIEWER)
    async with connection(pool) as conn:
        await accounts.set_totp(conn, user_id, "sealed:v1:x", 1)
    async with browser(app) as bob:
        answer = await bob.post("/sign-in", data={"name": "bob", "password": PASSWORD})
        assert "Second step" in answer.text
        assert (await client.submit(f"/people/{user_id}/second-factor/off", IT_IS_ME)).status_code == 303
        assert (await bob.post("/sign-in", data={"name": "bob", "password": PASSWORD})).status_code == 303
    assert (await client.submit("/people/1/second-factor/off")).status_code == 409


async def test_everybody_is_listed(client: Client, pool: Pool) -> None:
    for number in range(30):
        await person(pool, f"p{number}", Role.VIEWER)
    page = (await client.get("/people")).text
    assert "31 accounts" in page
