"""The second factor of one's own account: turning it on and off, codes, and the second step of signing in."""

from __future__ import annotations

import asyncio
import re

import pytest
from litestar import Litestar

from pinguin.db import Pool, connection
from pinguin.store import accounts
from pinguin.web import totp
from pinguin.web.service import Web
from tests.factory import fetch
from tests.web.conftest import CODES_AT, PASSWORD, Client, browser, signed_in


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
