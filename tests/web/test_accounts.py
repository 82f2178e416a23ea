from __future__ import annotations

import asyncio

import pytest
from litestar import Litestar

from pinguin.db import Pool
from pinguin.settings import Settings
from pinguin.web.passwords import MOST_WAITING
from pinguin.web.service import Web
from pinguin.web.sessions import cookie
from pinguin.web.throttle import Door, Throttle, forgive, network, wait_s
from tests.factory import fetch
from tests.web.conftest import PASSWORD, SETUP_TOKEN, Client, account, browser


def first(name: str = "ada", password: str = PASSWORD, again: str | None = None) -> dict[str, str]:
    typed = {"name": name, "password": password, "again": password if again is None else again}
    return {"token": SETUP_TOKEN, **typed}


async def test_a_newcomer_makes_the_first_account_and_is_signed_in(visitor: Client) -> None:
    assert (await visitor.get("/sign-in")).headers["location"] == "/setup"
    assert "Welcome" in (await visitor.get("/setup")).text
    answer = await visitor.post("/setup", data=first())
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert "Nothing is watched yet" in (await visitor.get("/monitors")).text


async def test_the_password_is_kept_as_an_argon2id_hash(visitor: Client, pool: Pool) -> None:
    await visitor.post("/setup", data=first())
    [(kept,)] = await fetch(pool, "select password_hash from users")
    assert kept.startswith("$argon2id$")


async def test_there_is_one_first_account_however_many_race(app: Litestar, pool: Pool) -> None:
    async def race(name: str) -> str:
        async with browser(app) as client:
            return (await client.post("/setup", data=first(name))).headers["location"]

    led_to = await asyncio.gather(*(race(name) for name in ("ada", "bob", "cyd", "dot")))
    assert sorted(led_to) == ["/", "/sign-in", "/sign-in", "/sign-in"]
    assert len(await fetch(pool, "select 1 from users")) == 1


async def test_with_an_account_the_set_up_is_closed(visitor: Client, pool: Pool) -> None:
    await account(pool)
    assert (await visitor.get("/setup")).headers["location"] == "/sign-in"
    assert (await visitor.post("/setup", data=first("eve"))).headers["location"] == "/sign-in"
    assert await fetch(pool, "select name from users") == [("ada",)]


async def test_without_the_token_of_the_console_nobody_makes_the_first_account(visitor: Client, pool: Pool) -> None:
    for token in ("", "from-the-console-of-the-test", SETUP_TOKEN.upper(), "ü", "\ud7ff", "x" * 5000):
        answer = await visitor.post("/setup", data=first() | {"token": token})
        assert answer.status_code == 403
        assert "Set-up token is not the one that was printed where Pinguin was started" in answer.text
    assert await fetch(pool, "select 1 from users") == []


async def test_the_token_in_the_address_needs_no_typing(visitor: Client) -> None:
    shown = await visitor.get(f"/setup?token={SETUP_TOKEN}")
    assert f'<input type="hidden" name="token" value="{SETUP_TOKEN}">' in shown.text
    asked = await visitor.get("/setup")
    assert SETUP_TOKEN not in asked.text
    assert '<input id="token"' in asked.text


async def test_guessing_the_token_is_slowed_down(visitor: Client, pool: Pool) -> None:
    guesses = (visitor.post("/setup", data=first() | {"token": f"guess {n}"}) for n in range(20))
    codes = [answer.status_code for answer in await asyncio.gather(*guesses)]
    assert (codes.count(403), codes.count(429)) == (8, 12)
    assert (await visitor.post("/setup", data=first())).status_code == 429
    assert await fetch(pool, "select tries from failed_sign_ins where kind = 'setup'") == [(8,)]


async def test_the_first_account_is_an_owner(visitor: Client, pool: Pool) -> None:
    await visitor.post("/setup", data=first())
    assert await fetch(pool, "select role from users") == [("owner",)]


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        (first(name=""), "Name is required"),
        (first(name="x" * 101), "Name must have at most 100 characters"),
        (first(name="a\x00b"), "Name must not contain control characters"),
        (first(password="short"), "Password must have at least 12 characters"),
        (first(password="x" * 201), "Password must have at most 200 characters"),
        (first(again="another one"), "The same again differs from the password"),
    ],
)
async def test_each_mistake_stands_beside_its_field(visitor: Client, sent: dict[str, str], shown: str) -> None:
    answer = await visitor.post("/setup", data=sent)
    assert answer.status_code == 422
    assert shown in answer.text
    assert sent["password"] not in answer.text


async def test_signing_in_leads_to_the_page_that_was_wanted(visitor: Client, pool: Pool) -> None:
    await account(pool)
    answer = await visitor.post("/sign-in", data={"name": "ADA", "password": PASSWORD, "next": "/incidents"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/incidents")
    said = answer.headers["set-cookie"].lower()
    assert "httponly" in said
    assert "samesite=lax" in said
    assert "path=/" in said
    assert (await visitor.get("/incidents")).status_code == 200


async def test_a_wrong_password_and_an_unknown_name_sound_the_same(visitor: Client, pool: Pool) -> None:
    await account(pool)
    answers = [
        await visitor.post("/sign-in", data={"name": name, "password": "not the password"})
        for name in ("ada", "nobody")
    ]
    assert [answer.status_code for answer in answers] == [422, 422]
    assert len({answer.text.replace('value="nobody"', 'value="ada"') for answer in answers}) == 1


@pytest.mark.parametrize("name", ["a\x00b", "' or 1=1 --", "x" * 5000, "\ud7ff", "<script>"])
async def test_hostile_names_are_only_wrong(visitor: Client, pool: Pool, name: str) -> None:
    await account(pool)
    answer = await visitor.post("/sign-in", data={"name": name, "password": PASSWORD})
    assert answer.status_code == 422
    assert "<script>" not in answer.text.replace('<script src="', "")


async def test_guessing_is_slowed_down(visitor: Client, pool: Pool) -> None:
    await account(pool)
    for _ in range(8):
        await visitor.post("/sign-in", data={"name": "ada", "password": "a guess"})
    answer = await visitor.post("/sign-in", data={"name": "ada", "password": PASSWORD})
    assert answer.status_code == 429
    assert "Try again in 10 min" in answer.text


async def test_guesses_that_come_at_once_are_counted_before_they_are_looked_at(
    app: Litestar, visitor: Client, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    await account(pool)
    passwords, looked_at = app.state.web.passwords, 0
    verify = passwords.verify

    async def counted(*given: str) -> bool:
        nonlocal looked_at
        looked_at += 1
        good: bool = await verify(*given)
        return good

    monkeypatch.setattr(passwords, "verify", counted)
    tries = (visitor.post("/sign-in", data={"name": "ada", "password": f"guess {n}"}) for n in range(60))
    answers = [answer.status_code for answer in await asyncio.gather(*tries)]
    assert (looked_at, answers.count(422), answers.count(429)) == (8, 8, 52)


async def test_only_so_many_wait_for_their_password_to_be_looked_at(app: Litestar, visitor: Client, pool: Pool) -> None:
    await account(pool)
    web: Web = app.state.web
    web.door = Door(*(Throttle(most=1000, window_s=600) for _ in range(3)))
    async with web.passwords._turns, web.passwords._turns:
        sent = {"name": "ada", "password": "a guess"}
        tries = [asyncio.create_task(visitor.post("/sign-in", data=sent)) for _ in range(100)]
        async with asyncio.timeout(60):
            while sum(each.done() for each in tries) < 100 - MOST_WAITING - 2:
                await asyncio.sleep(0.01)
    answers = await asyncio.gather(*tries)
    assert [answer.status_code for answer in answers].count(422) == MOST_WAITING + 2
    refused = next(answer for answer in answers if answer.status_code == 429)
    assert "Too many people are signing in at once. Try again in a few seconds." in refused.text
    assert len(web.door.callers._failures["127.0.0.1"]) == MOST_WAITING + 2


async def test_who_signs_in_is_forgiven_all_tries_of_that_account(app: Litestar, visitor: Client, pool: Pool) -> None:
    await account(pool)
    for password in ("a guess", PASSWORD):
        await visitor.post("/sign-in", data={"name": "ada", "password": password})
    web: Web = app.state.web
    door = web.door
    assert not any(throttle._failures for throttle in (door.guesses, door.accounts))
    assert len(door.callers._failures["127.0.0.1"]) == 1


def test_who_has_an_account_guesses_no_faster_at_those_of_others() -> None:
    door = Door(callers=Throttle(most=5, window_s=600))
    for number in range(5):
        own = door.for_password("192.0.2.1", "eve")
        for throttle, key in own:
            throttle.failed(key)
        forgive(own)
        door.callers.failed("192.0.2.1")
        assert (wait_s(door.for_password("192.0.2.1", f"other {number}")) > 0) == (number == 4)


@pytest.mark.parametrize(
    ("caller", "found"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("", ""),
        ("unknown", "unknown"),
    ],
)
def test_guesses_are_counted_by_network_where_everybody_has_many_addresses(caller: str, found: str) -> None:
    assert network(caller) == found


async def test_signing_out_ends_the_session_for_good(client: Client, pool: Pool) -> None:
    token = client.cookies["pinguin"]
    assert (await client.submit("/sign-out")).headers["location"] == "/sign-in"
    client.cookies.set("pinguin", token, domain="pinguin.test")
    assert (await client.get("/")).status_code == 303
    assert await fetch(pool, "select 1 from sessions") == []


def test_over_https_the_cookie_belongs_to_this_host_alone() -> None:
    made = cookie(Settings(web_secure_cookies=True), "token")
    assert (made.key, made.secure, made.path, made.domain) == ("__Host-pinguin", True, "/", None)


def test_a_throttle_forgets_after_its_window() -> None:
    now = 0.0
    throttle = Throttle(most=2, window_s=10, clock=lambda: now)
    throttle.failed("a")
    throttle.failed("a")
    assert throttle.wait_s("a") == 10
    assert throttle.wait_s("b") == 0
    now = 11
    assert throttle.wait_s("a") == 0


def test_a_throttle_forgives_who_succeeds() -> None:
    throttle = Throttle(most=1, window_s=10)
    throttle.failed("a")
    throttle.succeeded("a")
    assert throttle.wait_s("a") == 0


def test_a_throttle_takes_back_a_try_that_was_none() -> None:
    throttle = Throttle(most=2, window_s=10)
    throttle.failed("a")
    throttle.failed("a")
    throttle.take_back("a")
    assert throttle.wait_s("a") == 0
    throttle.take_back("a")
    throttle.take_back("a")
    assert not throttle._failures


def test_a_throttle_does_not_grow_without_end() -> None:
    throttle = Throttle(most=2, window_s=10)
    for number in range(10_050):
        throttle.failed(number)
    assert len(throttle._failures) == 10_000
