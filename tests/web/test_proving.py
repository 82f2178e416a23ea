"""What outlasts a stolen session takes the password, or a code of the second factor, once more."""

from __future__ import annotations

import re

import pytest
from litestar import Litestar

from pinguin.db import Pool
from pinguin.people import Role
from pinguin.web.service import Web
from tests.factory import fetch
from tests.web.conftest import PASSWORD, Client, browser, person
from tests.web.pages import Forms
from tests.web.test_second_factor import code_of, turn_on

TOKEN = {"label": "ci", "scope": "write", "days": "366"}
CHANGES = {
    "/people": {"name": "eve", "role": "owner"},
    "/people/2/link": {},
    "/people/2/role": {"role": "owner"},
    "/people/2/second-factor/off": {},
    "/people/2/remove": {},
}


async def state(pool: Pool) -> list[tuple[object, ...]]:
    """All that a stolen session could change, and keep."""
    return await fetch(
        pool,
        "select (select json_agg(u order by id) from users u)::text, (select count(*) from invitations), "
        "(select count(*) from api_tokens), (select count(*) from recovery_codes)",
    )


@pytest.mark.parametrize("path", CHANGES)
async def test_people_are_not_changed_by_a_session_alone(client: Client, pool: Pool, path: str) -> None:
    await person(pool, "bob", Role.VIEWER)
    before = await state(pool)
    for proof in ({}, {"current": ""}, {"current": "not my password"}, {"current": "123456"}):
        answer = await client.submit(path, CHANGES[path] | proof)
        assert answer.status_code in (200, 422)
        assert "Is it you?" in answer.text
        assert ("is not your password" in answer.text) == bool(proof.get("current"))
    assert await state(pool) == before


@pytest.mark.parametrize("path", CHANGES)
async def test_the_page_that_asks_sends_the_rest_again(client: Client, pool: Pool, path: str) -> None:
    await person(pool, "bob", Role.VIEWER)
    before = await state(pool)
    [form] = [each for each in Forms((await client.submit(path, CHANGES[path])).text).found if each.action == path]
    assert PASSWORD not in str(form.fields)
    answer = await client.post(form.action, data=form.fields | {"current": PASSWORD})
    assert answer.status_code in (200, 303)
    assert "Is it you?" not in answer.text
    assert (await state(pool) != before) or path.endswith("/off")


@pytest.mark.parametrize("proof", ["", "not my password", "123456", "x" * 5000, "\ud83d"])
async def test_no_token_is_made_by_a_session_alone(client: Client, pool: Pool, proof: str) -> None:
    answer = await client.submit("/account/tokens", TOKEN | {"current": proof.encode("utf-8", "replace").decode()})
    assert answer.status_code == 422
    assert "Your password is not your password" in answer.text
    assert 'value="ci"' in answer.text
    assert await fetch(pool, "select from api_tokens") == []


async def test_a_code_of_the_second_factor_is_proof_once(client: Client, pool: Pool) -> None:
    secret, _ = await turn_on(client)
    code = code_of(secret)
    assert "pgn_" in (await client.submit("/account/tokens", TOKEN | {"current": f"{code[:3]} {code[3:]}"})).text
    again = await client.submit("/account/tokens", TOKEN | {"current": code})
    assert "is neither your password nor the code of now" in again.text
    assert "pgn_" in (await client.submit("/account/tokens", TOKEN | {"current": PASSWORD})).text
    assert len(await fetch(pool, "select from api_tokens")) == 2


async def test_proofs_are_not_guessed(client: Client, pool: Pool) -> None:
    for number in range(6):
        await client.submit("/account/tokens", TOKEN | {"current": f"guess number {number}"})
    for path, sent in (("/account/tokens", TOKEN), ("/people", CHANGES["/people"])):
        answer = await client.submit(path, sent | {"current": PASSWORD})
        assert "was wrong too often" in answer.text
    assert await fetch(pool, "select from api_tokens") == []
    [(tries,)] = await fetch(pool, "select sum(tries) from failed_sign_ins where user_id = 1")
    assert tries == 6


async def test_an_empty_proof_is_no_guess(client: Client) -> None:
    for _ in range(8):
        await client.submit("/people", CHANGES["/people"])
    assert "/join?token=" in (await client.submit("/people", CHANGES["/people"] | {"current": PASSWORD})).text


async def test_a_proof_is_for_who_is_signed_in_and_for_nobody_else(client: Client, app: Litestar, pool: Pool) -> None:
    """An owner who knows it proves nothing with the password of another."""
    web: Web = app.state.web
    await person(pool, "bob", Role.OWNER)
    await fetch(
        pool,
        "update users set password_hash = %s where id = 2 returning 1",
        await web.passwords.hash("bob's own, not ada's"),
    )
    answer = await client.submit("/people", CHANGES["/people"] | {"current": "bob's own, not ada's"})
    assert "Is it you?" in answer.text


async def test_markup_in_what_is_sent_again_is_text(client: Client) -> None:
    hostile = "\"'><script>alert(1)</script>"
    page = (await client.submit("/people", {"name": hostile, "role": "viewer", hostile: hostile})).text
    assert "Is it you?" in page
    assert "<script>alert" not in page
    assert re.search(r'name="name" value="[^"]*&lt;script&gt;', page)


async def test_no_token_lasts_longer_than_a_year(client: Client, pool: Pool) -> None:
    for days in ("367", "3650", "99999", "1e3"):
        answer = await client.submit("/account/tokens", TOKEN | {"days": days, "current": PASSWORD})
        assert "must be a whole number of days from 1 to 366" in answer.text
    await client.submit("/account/tokens", TOKEN | {"days": "", "current": PASSWORD})
    assert await fetch(pool, "select expires_at::date - now()::date from api_tokens") == [(90,)]


async def test_viewers_prove_themselves_for_their_own_tokens(client: Client, app: Litestar, pool: Pool) -> None:
    await person(pool, "bob", Role.VIEWER)
    async with browser(app) as bob:
        await bob.post("/sign-in", data={"name": "bob", "password": PASSWORD})
        assert "pgn_" in (await bob.submit("/account/tokens", TOKEN | {"scope": "read", "current": PASSWORD})).text
        for path, sent in CHANGES.items():
            assert (await bob.submit(path, sent | {"current": PASSWORD})).status_code == 403
