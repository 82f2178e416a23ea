"""One's own account: its password, and hostile input to all of its forms."""

from __future__ import annotations

import re

import pytest
from litestar import Litestar

from pinguin.db import Pool
from pinguin.web.passwords import wrong_password
from tests.factory import fetch
from tests.web.conftest import PASSWORD, Client, Statements, account, browser, cheap, signed_in

NEW = "the otter sleeps afloat"
HOSTILE = ["", "\x00", "\ud7ff", "<script>alert(1)</script>", "' or 1=1 --", "x" * 5000, "ü" * 100, "-1", "1e9"]


# --- the password


async def test_a_changed_password_ends_a_link_that_would_set_another(client: Client, pool: Pool) -> None:
    page = (await client.submit("/people/1/link", {"current": PASSWORD})).text
    link = re.search(r"/join\?token=[\w-]+", page)
    assert link is not None
    assert (await client.get(link[0])).status_code == 200
    sent = {"current": PASSWORD, "password": "a gentoo on the beach", "again": "a gentoo on the beach"}
    assert (await client.submit("/account/password", sent)).status_code == 303
    assert (await client.get(link[0])).status_code == 404


async def test_a_changed_password_ends_every_other_session(client: Client, app: Litestar, pool: Pool) -> None:
    async with browser(app) as other:
        await signed_in(other, pool, 1)
        before = client.cookies["pinguin"]
        answer = await client.submit("/account/password", {"current": PASSWORD, "password": NEW, "again": NEW})
        assert answer.headers["location"] == "/account?notice=password"
        assert client.cookies["pinguin"] != before
        assert (await client.get("/account")).status_code == 200
        assert (await other.get("/account")).status_code == 303
        assert (await other.post("/sign-in", data={"name": "ada", "password": PASSWORD})).status_code == 422
        assert (await other.post("/sign-in", data={"name": "ada", "password": NEW})).status_code == 303


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ({"current": "not it at all"}, "Your password is not your password"),
        ({"password": "short", "again": "short"}, "New password must have at least 12 characters"),
        ({"again": "another one here"}, "The same again differs from the password"),
    ],
)
async def test_a_password_is_changed_by_its_owner_alone(client: Client, sent: dict[str, str], shown: str) -> None:
    answer = await client.submit("/account/password", {"current": PASSWORD, "password": NEW, "again": NEW} | sent)
    assert answer.status_code == 422
    assert shown in answer.text
    assert NEW not in answer.text


@pytest.mark.parametrize(
    "password",
    [
        "passwordpassword", "Password1234!", "aaaaaaaaaaaaaa", "123456789012345", "qwertyuiopasdf", "Summer2024!!",
        "abababababababab", "correcthorsebatterystaple", "letmein-letmein", "adalovelace2020", "98765432109876",
    ],
)  # fmt: skip
def test_what_everybody_tries_first_is_no_password(password: str) -> None:
    assert wrong_password(password, "adalovelace") is not None


@pytest.mark.parametrize(
    "password",
    [
        PASSWORD,
        NEW,
        "7Q!9_3$8@2^1",
        "Tr0ub4dor&3 or so",
        "zwölf Boxkämpfer",
        "kqzvbnmwtrxl",
        "今日は雨が降っています、傘",
    ],
)
def test_what_is_ones_own_is_a_password(password: str) -> None:
    assert wrong_password(password, "ada") is None


# --- hostile input


@pytest.mark.parametrize("value", HOSTILE)
async def test_hostile_input_is_only_wrong(client: Client, app: Litestar, pool: Pool, value: str) -> None:
    forms = {
        "/account/password": ("current", "password", "again"),
        "/account/second-factor": ("sealed", "code", "current"),
        "/account/second-factor/off": ("current",),
        "/account/recovery-codes": ("current",),
        "/account/tokens": ("label", "scope", "days"),
    }
    for path, fields in forms.items():
        answer = await client.submit(path, dict.fromkeys(fields, value))
        assert answer.status_code in (303, 422), path
        assert "<script>alert" not in answer.text
    async with browser(app) as other:
        sent = dict.fromkeys(("step", "code", "next"), value)
        assert (await other.post("/sign-in/code", data=sent)).status_code == 422
        assert (await other.get("/join", params={"token": value})).status_code == 404
        sent = dict.fromkeys(("token", "password", "again"), value)
        assert (await other.post("/join", data=sent)).status_code == 404
    assert await fetch(pool, "select totp_secret, role from users") == [(None, "owner")]
    assert await fetch(pool, "select 1 from api_tokens") == []


async def test_ids_that_cannot_be_are_not_found(client: Client) -> None:
    for number in ("0", "99999999999999999999", "9223372036854775807", "abc"):
        for path in (f"/account/sessions/{number}/end", f"/account/tokens/{number}/revoke", f"/people/{number}/remove"):
            answer = await client.submit(path)
            assert answer.status_code in (303, 404), path


async def test_signing_in_costs_the_same_for_known_and_unknown_names(
    visitor: Client, app: Litestar, pool: Pool, statements: Statements, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same statements and one comparison each: what takes time is counted, for time itself is noise."""
    await account(pool)
    passwords, done = cheap(), []
    verify = passwords.verify
    app.state.web.passwords = passwords

    async def counted(hashed: str | None, password: str) -> bool:
        done.append("verify")
        return await verify(hashed, password)

    monkeypatch.setattr(passwords, "verify", counted)
    costs = []
    for name in ("ada", "nobody", "ada", "nobody"):
        statements.count = 0
        await visitor.post("/sign-in", data={"name": name, "password": "not the password"})
        costs.append((len(done), statements.count))
        done.clear()
    assert costs[0] == costs[1]
    assert costs[2] == costs[3]
    assert {verified for verified, _ in costs} == {1}
