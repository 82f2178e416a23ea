"""Coming in: the first account, an invitation, signing in by one step or two, signing out."""

from __future__ import annotations

from typing import Any

import structlog
from litestar import Response, get, post
from litestar.response import Redirect, Template

from pinguin.db import Connection
from pinguin.errors import SealBroken
from pinguin.people import Principal, Role
from pinguin.store import accounts, audit, sessions
from pinguin.store.accounts import Credentials, Invited
from pinguin.store.audit import Thing
from pinguin.store.sessions import Step
from pinguin.web import totp
from pinguin.web.database import connection
from pinguin.web.entering import enter
from pinguin.web.gate import VIEWER, address, form, local_address
from pinguin.web.passwords import repeated, wrong_password
from pinguin.web.service import Req, Web, of
from pinguin.web.sessions import STEP_S, cookie, cookie_name, new_token, token_hash
from pinguin.web.templating import render
from pinguin.web.throttle import counted, forgive, wait_s

_log = structlog.get_logger(__name__)

WRONG_PAIR = "This name and password do not go together."
WRONG_CODE = "This is not the code of now, or it was used before. Wait for the next one."
LATE = "That took too long, or was done already. Sign in again."
BROKEN = "Codes cannot be compared just now (PINGUIN_SECRET_KEY is not the one of before). A recovery code still works."


@get("/setup")
async def show_setup(request: Req) -> Response[Any]:
    async with connection(of(request).pool) as conn:
        if await accounts.any_account(conn):
            return Redirect("/sign-in", status_code=303)
    return _setup(request, {"token": request.query_params.get("token", "")[:200]}, {})


@post("/setup", status_code=200)
async def set_up(request: Req) -> Response[Any]:
    web, sent = of(request), await form(request)
    async with connection(web.pool) as conn:
        if await accounts.any_account(conn):
            return Redirect("/sign-in", status_code=303)
    keys = web.door.for_setup(address(request))
    if (wait := wait_s(keys)) > 0:
        return _setup(request, sent | {"token": ""}, {"token": _later(wait)}, status_code=429)
    if not web.first_run.good(sent.get("token", "").strip()):
        with counted(keys):
            async with connection(web.pool) as conn:
                await audit.sign_in_failed(conn, "setup", address(request))
        wrong = {"token": f"is not the one that was printed where Pinguin was started (see {web.first_run.where})"}
        return _setup(request, sent | {"token": ""}, wrong, status_code=403)
    name, password = sent.get("name", "").strip(), sent.get("password", "")
    found = wrong_person(name) | new_password(password, sent.get("again"), name)
    if found:
        return _setup(request, sent, found, status_code=422)
    hashed = await web.passwords.hash(password)
    async with connection(web.pool) as conn, conn.transaction():
        user_id = await accounts.create_first(conn, name, hashed)
        if user_id is None:
            return Redirect("/sign-in", status_code=303)
        who = Principal(name=name, role=Role.OWNER, user_id=user_id, address=address(request))
        await audit.write(conn, who, "person.create", Thing("person", user_id, name), None, {"role": "owner"})
        answer = await enter(request, conn, who, "/")
    web.first_run.done()
    return answer


@get("/sign-in")
async def show_sign_in(request: Req) -> Response[Any]:
    async with connection(of(request).pool) as conn:
        if not await accounts.any_account(conn):
            return Redirect("/setup", status_code=303)
    return _sign_in(request, "", local_address(request.query_params.get("next", "/")), "")


@post("/sign-in", status_code=200)
async def sign_in(request: Req) -> Response[Any]:
    web, sent = of(request), await form(request)
    name, password = sent.get("name", "").strip()[:200], sent.get("password", "")[:1000]
    wanted, caller = local_address(sent.get("next", "/")), address(request)
    keys = web.door.for_password(caller, name)
    if (wait := wait_s(keys[:2])) > 0:
        return _sign_in(request, name, wanted, _later(wait), status_code=429)
    waits_for_others = wait_s(keys[2:])
    with counted(keys):
        found, good = None, False
        if name.isprintable():
            async with connection(web.pool) as conn:
                found = await accounts.by_name(conn, name, caller)
        held_up = waits_for_others > 0 and not (found and found.known_address)
        if not held_up:
            good = await web.passwords.verify(found.password_hash if found else None, password)
        if not good:
            await _failed(web, caller, found)
    if held_up:
        return _sign_in(request, name, wanted, _later(waits_for_others), status_code=429)
    if not found or not good:
        return _sign_in(request, name, wanted, WRONG_PAIR, status_code=422)
    forgive(keys)
    if found.second_factor:
        return await _ask_for_code(request, found.id, wanted)
    async with connection(web.pool) as conn, conn.transaction():
        who = Principal(name=found.name, role=Role.VIEWER, user_id=found.id, address=caller)
        return await enter(request, conn, who, wanted)


async def _failed(web: Web, caller: str, found: Credentials | None) -> None:
    async with connection(web.pool) as conn:
        await audit.sign_in_failed(conn, "password", caller, *((found.id, found.name) if found else ()))


async def _ask_for_code(request: Req, user_id: int, wanted: str) -> Response[Any]:
    token = new_token()
    async with connection(of(request).pool) as conn:
        await sessions.open_step(conn, user_id, token_hash(token), STEP_S)
    return _code(request, token, wanted, "")


@post("/sign-in/code", status_code=200)
async def sign_in_with_code(request: Req) -> Response[Any]:
    """The second step: a code of the authenticator, or a recovery code."""
    web, sent = of(request), await form(request)
    token, code = sent.get("step", "")[:200], sent.get("code", "").strip()[:100]
    wanted, caller = local_address(sent.get("next", "/")), address(request)
    async with connection(web.pool) as conn:
        step = await sessions.step(conn, token_hash(token))
    if step is None:
        return _sign_in(request, "", wanted, LATE, status_code=422)
    keys = web.door.for_code(caller, step.id)
    if (wait := wait_s(keys)) > 0:
        return _code(request, token, wanted, _later(wait), status_code=429)
    with counted(keys):
        async with connection(web.pool) as conn, conn.transaction():
            problem = await _wrong_code(web, conn, step, code)
            if problem:
                await audit.sign_in_failed(conn, "code", caller, step.id, step.name)
            elif not await sessions.close_step(conn, token_hash(token)):
                return _sign_in(request, "", wanted, LATE, status_code=422)
            else:
                forgive(keys)
                who = Principal(name=step.name, role=Role.VIEWER, user_id=step.id, address=caller)
                return await enter(request, conn, who, wanted)
    return _code(request, token, wanted, problem, status_code=422)


async def _wrong_code(web: Web, conn: Connection, step: Step, code: str) -> str | None:
    """What is wrong with it, or None; then it was used up."""
    if len(code) > 10:
        return None if await accounts.use_code(conn, step.id, totp.code_hash(code)) else WRONG_CODE
    if step.totp_secret is None:
        return LATE
    try:
        secret = web.keys.unseal(step.totp_secret, totp.place(step.id))
    except SealBroken as error:
        _log.error("second_factor_sealed", account=step.id, error=str(error))
        return BROKEN
    moment = totp.matching_step(secret, code)
    if moment is None or not await accounts.use_totp_step(conn, step.id, moment):
        return WRONG_CODE
    return None


@post("/sign-out", status_code=303, opt=VIEWER)
async def sign_out(request: Req) -> Response[Any]:
    web = of(request)
    token = request.cookies.get(cookie_name(web.settings), "")
    async with connection(web.pool) as conn:
        await sessions.close(conn, token_hash(token))
    web.hub.end_session(token_hash(token))
    return Redirect("/sign-in", status_code=303, cookies=[cookie(web.settings, "")])


@get("/join")
async def show_join(request: Req) -> Response[Any]:
    """Where a one-time link leads: to set a password, and with it come in."""
    token = request.query_params.get("token", "")[:200]
    async with connection(of(request).pool) as conn:
        found = await accounts.invited(conn, token_hash(token))
    return _join(request, token, found, {}, status_code=200 if found else 404)


@post("/join", status_code=200)
async def join(request: Req) -> Response[Any]:
    web, sent = of(request), await form(request)
    token, password = sent.get("token", "")[:200], sent.get("password", "")
    async with connection(web.pool) as conn:
        found = await accounts.invited(conn, token_hash(token))
    if found is None:
        return _join(request, token, None, {}, status_code=404)
    if wrong := new_password(password, sent.get("again"), found.name):
        return _join(request, token, found, wrong, status_code=422)
    hashed = await web.passwords.hash(password)
    async with connection(web.pool) as conn, conn.transaction():
        if not await accounts.use_invitation(conn, token_hash(token)):
            return _join(request, token, None, {}, status_code=404)
        await accounts.set_password(conn, found.id, hashed)
        ended = await sessions.close_all(conn, found.id)
        who = Principal(name=found.name, role=Role(found.role), user_id=found.id, address=address(request))
        action = "person.join" if found.new else "person.password"
        await audit.write(conn, who, action, Thing("person", found.id, found.name), None, {"password": audit.CHANGED})
    for session in ended:
        web.hub.end_session(session)
    return _sign_in(request, found.name, "/", "", notice="The password is set. Sign in with it.")


def wrong_person(name: str) -> dict[str, str]:
    """What is wrong with a new account's name."""
    if not name:
        return {"name": "is required"}
    if len(name) > 100:
        return {"name": "must have at most 100 characters"}
    return {} if name.isprintable() else {"name": "must not contain control characters"}


def new_password(password: str, again: str | None, name: str) -> dict[str, str]:
    """What is wrong with a password that is typed twice."""
    wrong = {"password": wrong_password(password, name), "again": repeated(password, again)}
    return {field: words for field, words in wrong.items() if words}


def _later(seconds: float) -> str:
    return f"There were too many tries. Try again in {max(1, round(seconds / 60))} min."


def _setup(request: Req, sent: dict[str, str], wrong: dict[str, str], status_code: int = 200) -> Template:
    given = {"name": sent.get("name", "").strip(), "token": sent.get("token", "").strip()}
    where = of(request).first_run.where
    return render(request, "pages/setup.html", status_code=status_code, **given, wrong=wrong, where=where)


def _join(request: Req, token: str, found: Invited | None, wrong: dict[str, str], status_code: int) -> Template:
    return render(request, "pages/join.html", status_code=status_code, token=token, invited=found, wrong=wrong)


def _code(request: Req, token: str, wanted: str, problem: str, status_code: int = 200) -> Template:
    return render(request, "pages/code.html", status_code=status_code, step=token, next=wanted, problem=problem)


def _sign_in(request: Req, name: str, wanted: str, problem: str, status_code: int = 200, notice: str = "") -> Template:
    context = {"name": name, "next": wanted, "problem": problem, "notice": notice}
    return render(request, "pages/sign_in.html", status_code=status_code, **context)
