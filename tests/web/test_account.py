"""One's own account: password, second factor, sessions."""

from __future__ import annotations

import asyncio
import re

import pytest
from litestar import Litestar

from pinguin.db import Pool, connection
from pinguin.people import Role
from pinguin.store import accounts
from pinguin.web import totp
from pinguin.web.devices import device
from pinguin.web.passwords import wrong_password
from pinguin.web.service import Web
from tests.factory import fetch
from tests.web.conftest import CODES_AT, PASSWORD, Client, Statements, account, browser, cheap, person, signed_in

NEW = "the otter sleeps afloat"
HOSTILE = ["", "\x00", "\ud7ff", "<script>alert(1)</script>", "' or 1=1 --", "x" * 5000, "ü" * 100, "-1", "1e9"]


async def secret_of(pool: Pool, app: Litestar, user_id: int = 1) -> str:
    web: Web = app.state.web
    async with connection(pool) as conn:
        sealed = (await accounts.person(conn, user_id)).totp_secret
    assert sealed is not None
    return web.keys.unseal(sealed, totp.place(user_id))


def code_of(secret: str, steps: int = 0) -> str:
    return totp.code_at(secret, CODES_AT // totp.STEP_S + steps)


async def turn_on(client: Client) -> tuple[str, list[str]]:
    """The secret, and the recovery codes."""
    page = (await client.get("/account/second-factor")).text
    sealed, secret = re.findall(r'name="sealed" value="([^"]+)"', page)[0], re.findall(r"Key: <code>([^<]+)", page)[0]
    secret = secret.replace(" ", "")
    sent = {"sealed": sealed, "code": code_of(secret, -1), "current": PASSWORD}
    answer = await client.submit("/account/second-factor", sent)
    assert answer.status_code == 200, answer.text
    return secret, re.findall(r"<li><code>([^<]+)", answer.text)


async def first_step(client: Client, name: str = "ada") -> str:
    """The token of the second one."""
    answer = await client.post("/sign-in", data={"name": name, "password": PASSWORD, "next": "/incidents"})
    assert "Second step" in answer.text
    assert "set-cookie" not in answer.headers
    return str(re.findall(r'name="step" value="([^"]+)"', answer.text)[0])


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


# --- the second factor


@pytest.mark.parametrize(
    ("seconds", "code"),
    [(59, "287082"), (1111111109, "081804"), (1111111111, "050471"), (1234567890, "005924"), (20000000000, "353130")],
)
def test_codes_are_those_of_the_rfc(seconds: int, code: str) -> None:
    """Appendix B of RFC 6238, its last six digits."""
    secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
    assert totp.code_at(secret, seconds // 30) == code
    assert totp.matching_step(secret, code, seconds) == seconds // 30


def test_a_clock_may_be_one_step_off_and_no_more() -> None:
    secret = totp.new_secret()
    code = totp.code_at(secret, 1000)
    assert [totp.matching_step(secret, code, step * 30) for step in (998, 999, 1000, 1001, 1002)] == [
        None, 1000, 1000, 1000, None,
    ]  # fmt: skip
    assert totp.matching_step(secret, f"{code[:3]} {code[3:]}", 30000) == 1000


async def test_with_a_second_factor_the_password_is_half_of_it(client: Client, app: Litestar, pool: Pool) -> None:
    secret, _ = await turn_on(client)
    async with browser(app) as other:
        step = await first_step(other)
        assert (await other.get("/account")).status_code == 303
        wrong = await other.post("/sign-in/code", data={"step": step, "code": "000000", "next": "/incidents"})
        assert wrong.status_code == 422
        sent = {"step": step, "code": code_of(secret), "next": "/incidents"}
        answer = await other.post("/sign-in/code", data=sent)
        assert (answer.status_code, answer.headers["location"]) == (303, "/incidents")
        assert (await other.get("/account")).status_code == 200
        assert (await other.post("/sign-in/code", data=sent)).status_code == 422


async def test_a_code_is_good_once(client: Client, app: Litestar, pool: Pool) -> None:
    secret, _ = await turn_on(client)
    async with browser(app) as one, browser(app) as other:
        steps = await first_step(one), await first_step(other)
        code = code_of(secret)
        sent = [{"step": step, "code": code} for step in steps]
        answers = await asyncio.gather(
            one.post("/sign-in/code", data=sent[0]), other.post("/sign-in/code", data=sent[1])
        )
        assert sorted(answer.status_code for answer in answers) == [303, 422]
        older = await other.post("/sign-in/code", data={"step": steps[1], "code": code_of(secret, -1)})
        assert older.status_code == 422


async def test_a_recovery_code_is_good_once_however_it_is_typed(client: Client, app: Litestar, pool: Pool) -> None:
    _, codes = await turn_on(client)
    assert len(set(codes)) == 10
    async with browser(app) as other:
        for code, status in ((codes[0].upper().replace("-", " "), 303), (codes[0], 422), (codes[1], 303)):
            step = await first_step(other)
            assert (await other.post("/sign-in/code", data={"step": step, "code": code})).status_code == status
    assert "8 of 10 recovery codes are left" in (await client.get("/account")).text
    kept = await fetch(pool, "select code_hash from recovery_codes")
    assert all(len(hashed) == 32 for (hashed,) in kept)


async def test_the_secret_is_sealed_for_its_account(client: Client, app: Litestar, pool: Pool) -> None:
    secret, _ = await turn_on(client)
    [(sealed,)] = await fetch(pool, "select totp_secret from users")
    assert sealed.startswith("sealed:v1:")
    assert secret not in sealed
    assert await secret_of(pool, app) == secret
    assert totp.place(1) != totp.place(2)


async def test_another_key_leaves_the_recovery_codes(client: Client, app: Litestar, pool: Pool) -> None:
    secret, codes = await turn_on(client)
    async with connection(pool) as conn:
        await accounts.set_totp(conn, 1, "sealed:v1:" + "A" * 80, 1)
    async with browser(app) as other:
        step = await first_step(other)
        answer = await other.post("/sign-in/code", data={"step": step, "code": code_of(secret)})
        assert "A recovery code still works" in answer.text
        assert (await other.post("/sign-in/code", data={"step": step, "code": codes[0]})).status_code == 303


async def test_a_wrong_code_or_password_turns_nothing_on(client: Client, pool: Pool) -> None:
    page = (await client.get("/account/second-factor")).text
    sealed = re.findall(r'name="sealed" value="([^"]+)"', page)[0]
    for change in ({"code": "000000"}, {"current": "not it"}, {"sealed": "sealed:v1:AAAA"}, {"sealed": ""}):
        sent = {"sealed": sealed, "code": "123456", "current": PASSWORD} | change
        assert (await client.submit("/account/second-factor", sent)).status_code in (303, 422)
    assert await fetch(pool, "select totp_secret from users") == [(None,)]


async def test_turning_it_off_takes_the_password_and_ends_other_sessions(
    client: Client, app: Litestar, pool: Pool
) -> None:
    await turn_on(client)
    async with browser(app) as other:
        await signed_in(other, pool, 1)
        assert (await client.submit("/account/second-factor/off", {"current": "not it"})).status_code == 422
        assert (await client.submit("/account/recovery-codes", {"current": "not it"})).status_code == 422
        assert (await client.submit("/account/second-factor/off", {"current": PASSWORD})).status_code == 303
        assert (await other.get("/")).status_code == 303
    assert await fetch(pool, "select totp_secret from users") == [(None,)]
    assert await fetch(pool, "select 1 from recovery_codes") == []


async def test_guessing_codes_is_slowed_down_for_the_account(client: Client, app: Litestar, pool: Pool) -> None:
    """Whoever knows the password gets six codes, from however many first steps."""
    secret, _ = await turn_on(client)
    async with browser(app) as other:
        codes = []
        for number in range(8):
            step = await first_step(other)
            answer = await other.post("/sign-in/code", data={"step": step, "code": f"{number:06}"})
            codes.append(answer.status_code)
        assert codes == [422] * 6 + [429] * 2
        step = await first_step(other)
        assert (await other.post("/sign-in/code", data={"step": step, "code": code_of(secret)})).status_code == 429
    assert await fetch(pool, "select tries from failed_sign_ins where kind = 'code'") == [(6,)]


async def test_the_second_step_does_not_wait_for_ever(client: Client, app: Litestar, pool: Pool) -> None:
    secret, _ = await turn_on(client)
    async with browser(app) as other:
        step = await first_step(other)
        async with connection(pool) as conn:
            await conn.execute("update sign_in_steps set expires_at = now()")
        answer = await other.post("/sign-in/code", data={"step": step, "code": code_of(secret)})
        assert "That took too long" in answer.text


async def test_without_a_key_nothing_is_turned_on(
    client: Client, app: Litestar, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app.state.web.keys, "_ciphers", [])
    shown = (await client.get("/account/second-factor")).text
    assert "set PINGUIN_SECRET_KEY" in shown
    assert 'name="sealed"' not in shown


# --- sessions


async def test_sessions_are_listed_and_end_one_by_one_or_all(client: Client, app: Litestar, pool: Pool) -> None:
    agent = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
    async with browser(app) as one, browser(app) as other:
        for each in (one, other):
            sent = {"name": "ada", "password": PASSWORD}
            assert (await each.post("/sign-in", data=sent, headers={"User-Agent": agent})).status_code == 303
        page = (await client.get("/account")).text
        assert page.count("Firefox on Linux</td>") == 2
        assert page.count("127.0.0.1") >= 3
        newest = max(int(found) for found in re.findall(r"/account/sessions/(\d+)/end", page))
        assert (await client.submit(f"/account/sessions/{newest}/end")).status_code == 303
        assert [(await each.get("/account")).status_code for each in (client, one, other)] == [200, 200, 303]
        await client.submit("/account/sessions/end-others")
        assert [(await each.get("/account")).status_code for each in (client, one)] == [200, 303]
        assert (await client.submit("/account/sessions/end-all")).headers["location"] == "/sign-in"
        assert (await client.get("/account")).status_code == 303


async def test_nobody_ends_the_session_of_another(client: Client, app: Litestar, pool: Pool) -> None:
    async with browser(app) as other:
        await signed_in(other, pool, await person(pool, "bob", Role.VIEWER))
        [(theirs,)] = await fetch(pool, "select id from sessions where user_id = 2")
        await client.submit(f"/account/sessions/{theirs}/end")
        assert (await other.get("/account")).status_code == 200


async def test_a_session_that_nobody_uses_ends(client: Client, pool: Pool) -> None:
    async with connection(pool) as conn:
        await conn.execute("update sessions set seen_at = now() - interval '13 days'")
    assert (await client.get("/account")).status_code == 200
    assert await fetch(pool, "select 1 from sessions where seen_at > now() - interval '1 minute'") == [(1,)]
    async with connection(pool) as conn:
        await conn.execute("update sessions set seen_at = now() - interval '14 days'")
    assert (await client.get("/account")).status_code == 303


async def test_a_page_that_is_merely_open_is_no_use_of_a_session(client: Client, pool: Pool) -> None:
    async with connection(pool) as conn:
        await conn.execute("update sessions set seen_at = now() - interval '1 day'")
    assert (await client.get("/live/list/rows?ids=1")).status_code == 200
    assert await fetch(pool, "select 1 from sessions where seen_at > now() - interval '1 hour'") == []


async def test_signing_in_again_ends_the_session_of_this_browser(client: Client, pool: Pool) -> None:
    before = client.cookies["pinguin"]
    await client.post("/sign-in", data={"name": "ada", "password": PASSWORD})
    assert client.cookies["pinguin"] != before
    assert len(await fetch(pool, "select 1 from sessions")) == 1


@pytest.mark.parametrize(
    ("agent", "words"),
    [
        ("Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/140.0 Safari/537.36 Edg/140.0", "Edge on Windows"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Safari/604.1", "Safari on iPhone"),
        ("Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 Chrome/140.0 Mobile Safari/537.36", "Chrome on Android"),
        ("<script>alert(1)</script>", "unknown"),
        ("", "unknown"),
    ],
)  # fmt: skip
def test_a_browser_is_named_in_words_that_are_ours(agent: str, words: str) -> None:
    assert device(agent) == words


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
