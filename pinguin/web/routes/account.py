"""One's own account: the password, the second factor, where one is signed in."""

from __future__ import annotations

from typing import Any

from litestar import Response, get, post
from litestar.params import FromPath
from litestar.response import Redirect, Template

from pinguin.db import Connection
from pinguin.errors import InvalidInput, NotFound, SealBroken
from pinguin.store import accounts, audit, sessions, tokens
from pinguin.store.accounts import Person
from pinguin.store.audit import Hidden, Thing
from pinguin.web import totp
from pinguin.web.database import connection
from pinguin.web.entering import end_pages, renew
from pinguin.web.gate import VIEWER, form, principal
from pinguin.web.proving import own_id, prove
from pinguin.web.routes.accounts import new_password
from pinguin.web.service import Req, Web, of
from pinguin.web.templating import render

NOTICES = {
    "password": "The password is changed. You are signed out everywhere else.",
    "off": "The second factor is off. You are signed out everywhere else.",
    "ended": "Signed out there.",
    "others": "Signed out everywhere else.",
    "revoked": "The token is revoked. It opens nothing any more.",
}


@get("/account", opt=VIEWER)
async def show_account(request: Req) -> Template:
    return await account_page(request, {})


async def account_page(
    request: Req, wrong: dict[str, str], *, sent: dict[str, str] | None = None, status_code: int = 200
) -> Template:
    """wrong: words by field of the form that was sent. sent: what is shown in it again."""
    user_id = own_id(request)
    async with connection(of(request).pool) as conn:
        person = await accounts.person(conn, user_id)
        open_sessions = await sessions.of_user(conn, user_id)
        own_tokens = await tokens.of_user(conn, user_id)
    return render(
        request,
        "pages/account.html",
        status_code=status_code,
        person=person,
        sessions=open_sessions,
        tokens=own_tokens,
        here=principal(request).session_id,
        wrong=wrong,
        sent=sent or {},
        notice=NOTICES.get(request.query_params.get("notice", ""), ""),
    )


@post("/account/password", status_code=200, opt=VIEWER)
async def change_password(request: Req) -> Response[Any]:
    web, sent, who = of(request), await form(request), principal(request)
    password = sent.get("password", "")
    wrong = new_password(password, sent.get("again"), who.name)
    person, not_it = await prove(request, sent.get("current", ""))
    wrong |= {"current": not_it} if not_it else {}
    if wrong:
        return await account_page(request, wrong, status_code=422)
    hashed = await web.passwords.hash(password)
    async with connection(web.pool) as conn, conn.transaction():
        await accounts.set_password(conn, person.id, hashed)
        renewal = await renew(request, conn)
        await _note(request, conn, "person.password", {"password": Hidden(0)}, {"password": Hidden(1)})
    return renewal.finish(request, Redirect("/account?notice=password", status_code=303))


async def _note(
    request: Req, conn: Connection, action: str, before: audit.Values | None, after: audit.Values | None
) -> None:
    who = principal(request)
    await audit.write(conn, who, action, Thing("person", who.user_id, who.name), before, after)


@get("/account/second-factor", opt=VIEWER)
async def show_second_factor(request: Req) -> Response[Any]:
    """A new secret, to be proved by a code; until then it is nowhere but, sealed, on this page."""
    async with connection(of(request).pool) as conn:
        person = await accounts.person(conn, own_id(request))
    if person.totp_secret:
        return Redirect("/account", status_code=303)
    return _enrolment(request, person, totp.new_secret(), {})


@post("/account/second-factor", status_code=200, opt=VIEWER)
async def turn_on(request: Req) -> Response[Any]:
    web, sent = of(request), await form(request)
    person, not_it = await prove(request, sent.get("current", ""))
    if person.totp_secret:
        return Redirect("/account", status_code=303)
    try:
        secret = web.keys.unseal(sent.get("sealed", ""), totp.place(person.id))
    except SealBroken:
        return Redirect("/account/second-factor", status_code=303)
    step = totp.matching_step(secret, sent.get("code", ""))
    wrong = {"current": not_it} if not_it else {}
    if step is None:
        wrong["code"] = "is not the one of now: is the clock of your telephone right?"
    if wrong:
        return _enrolment(request, person, secret, wrong, status_code=422)
    codes = totp.new_codes()
    async with connection(web.pool) as conn, conn.transaction():
        await accounts.set_totp(conn, person.id, web.keys.seal(secret, totp.place(person.id)), step)
        await accounts.replace_codes(conn, person.id, [totp.code_hash(code) for code in codes])
        renewal = await renew(request, conn)
        await _note(request, conn, "person.second_factor", {"second_factor": "off"}, {"second_factor": "on"})
    return renewal.finish(request, render(request, "pages/recovery_codes.html", codes=codes))


def _enrolment(request: Req, person: Person, secret: str, wrong: dict[str, str], status_code: int = 200) -> Template:
    keys, sealed, problem = of(request).keys, "", ""
    try:
        sealed = keys.seal(secret, totp.place(person.id))
    except InvalidInput as error:
        problem = next(iter(error.fields.values()))
    return render(
        request,
        "pages/second_factor.html",
        status_code=status_code,
        secret=" ".join(secret[place : place + 4] for place in range(0, len(secret), 4)),
        sealed=sealed,
        picture=totp.picture(totp.address(secret, person.name)),
        problem=problem,
        wrong=wrong,
    )


@post("/account/second-factor/off", status_code=200, opt=VIEWER)
async def turn_off(request: Req) -> Response[Any]:
    person, not_it = await prove(request, (await form(request)).get("current", ""))
    if not_it:
        return await account_page(request, {"off": not_it}, status_code=422)
    async with connection(of(request).pool) as conn, conn.transaction():
        await accounts.set_totp(conn, person.id, None)
        await accounts.replace_codes(conn, person.id, [])
        renewal = await renew(request, conn)
        await _note(request, conn, "person.second_factor", {"second_factor": "on"}, {"second_factor": "off"})
    return renewal.finish(request, Redirect("/account?notice=off", status_code=303))


@post("/account/recovery-codes", status_code=200, opt=VIEWER)
async def new_recovery_codes(request: Req) -> Response[Any]:
    """Ten new ones; those of before are good no more."""
    person, not_it = await prove(request, (await form(request)).get("current", ""))
    if not person.totp_secret:
        return Redirect("/account", status_code=303)
    if not_it:
        return await account_page(request, {"codes": not_it}, status_code=422)
    codes = totp.new_codes()
    async with connection(of(request).pool) as conn, conn.transaction():
        await accounts.replace_codes(conn, person.id, [totp.code_hash(code) for code in codes])
        await _note(request, conn, "person.recovery_codes", {"codes": Hidden(0)}, {"codes": Hidden(1)})
    return render(request, "pages/recovery_codes.html", codes=codes)


@post("/account/sessions/{session_id:int}/end", status_code=303, opt=VIEWER)
async def end_session(request: Req, session_id: FromPath[int]) -> Redirect:
    web, who = of(request), principal(request)
    if not 0 < session_id < 2**63:
        raise NotFound("There is no such session.")
    async with connection(web.pool) as conn, conn.transaction():
        ended = await sessions.close_one(conn, own_id(request), session_id)
        if ended:
            await audit.write(conn, who, "session.end", Thing("session", session_id, who.name), {"sessions": 1}, None)
    end_pages(web, ended)
    return Redirect("/sign-in" if session_id == who.session_id else "/account?notice=ended", status_code=303)


@post("/account/sessions/end-others", status_code=303, opt=VIEWER)
async def end_other_sessions(request: Req) -> Redirect:
    ended = await _end(of(request), request, but=principal(request).session_id)
    return Redirect("/account?notice=others" if ended else "/account", status_code=303)


@post("/account/sessions/end-all", status_code=303, opt=VIEWER)
async def end_all_sessions(request: Req) -> Redirect:
    """This one too."""
    await _end(of(request), request, but=None)
    return Redirect("/sign-in", status_code=303)


async def _end(web: Web, request: Req, but: int | None) -> int:
    who = principal(request)
    async with connection(web.pool) as conn, conn.transaction():
        ended = await sessions.close_all(conn, own_id(request), but=but)
        if ended:
            await audit.write(
                conn, who, "session.end", Thing("session", None, who.name), {"sessions": len(ended)}, None
            )
    end_pages(web, ended)
    return len(ended)
