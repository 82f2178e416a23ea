"""The first account, signing in and signing out."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

from litestar import Response, get, post
from litestar.exceptions import PermissionDeniedException
from litestar.response import Redirect, Template

from pinguin.store import accounts
from pinguin.web.database import connection
from pinguin.web.gate import form, known_host, local_address
from pinguin.web.passwords import wrong_password
from pinguin.web.service import Req, Web, of
from pinguin.web.sessions import LIFETIME_S, cookie, cookie_name, new_token, token_hash
from pinguin.web.templating import render


@get("/setup")
async def show_setup(request: Req) -> Response[Any]:
    async with connection(of(request).pool) as conn:
        if await accounts.any_account(conn):
            return Redirect("/sign-in", status_code=303)
    _refuse_strange_host(request)
    return _setup(request, "", {})


@post("/setup", status_code=200)
async def set_up(request: Req) -> Response[Any]:
    web, sent = of(request), await form(request)
    async with connection(web.pool) as conn:
        if await accounts.any_account(conn):
            return Redirect("/sign-in", status_code=303)
    _refuse_strange_host(request)
    name, password = sent.get("name", "").strip(), sent.get("password", "")
    wrong = {
        "name": _wrong_name(name),
        "password": wrong_password(password),
        "again": None if sent.get("again") == password else "is not the same password",
    }
    found = {key: words for key, words in wrong.items() if words}
    if found:
        return _setup(request, name, found, status_code=422)
    hashed = await web.passwords.hash(password)
    async with connection(web.pool) as conn:
        user_id = await accounts.create_first(conn, name, hashed)
    if user_id is None:
        return Redirect("/sign-in", status_code=303)
    return await _signed_in(web, user_id, "/")


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
    wanted = local_address(sent.get("next", "/"))
    caller = request.client.host if request.client else ""
    guess = (caller, name.lower())
    wait_s = max(web.guesses.wait_s(guess), web.callers.wait_s(caller))
    if wait_s > 0:
        words = f"There were too many tries. Try again in {max(1, round(wait_s / 60))} min."
        return _sign_in(request, name, wanted, words, status_code=429)
    user_id = await _counted(web, guess, _account(web, name, password))
    if user_id is None:
        return _sign_in(request, name, wanted, "This name and password do not go together.", status_code=422)
    web.guesses.succeeded(guess)
    web.callers.succeeded(caller)
    return await _signed_in(web, user_id, wanted)


@post("/sign-out", status_code=303)
async def sign_out(request: Req) -> Response[Any]:
    web = of(request)
    token = request.cookies.get(cookie_name(web.settings), "")
    async with connection(web.pool) as conn:
        await accounts.close_session(conn, token_hash(token))
    web.hub.end_session(token_hash(token))
    return Redirect("/sign-in", status_code=303, cookies=[cookie(web.settings, "")])


async def _counted(web: Web, guess: tuple[str, str], trying: Awaitable[int | None]) -> int | None:
    """A try counts before it is decided: of a thousand that come at once, few may be looked at."""
    caller, _ = guess
    web.guesses.failed(guess)
    web.callers.failed(caller)
    try:
        return await trying
    except Exception:
        web.guesses.take_back(guess)
        web.callers.take_back(caller)
        raise


async def _account(web: Web, name: str, password: str) -> int | None:
    found = None
    if name.isprintable():
        async with connection(web.pool) as conn:
            found = await accounts.by_name(conn, name)
    good = await web.passwords.verify(found.password_hash if found else None, password)
    return found.id if found and good else None


async def _signed_in(web: Web, user_id: int, wanted: str) -> Response[Any]:
    token = new_token()
    async with connection(web.pool) as conn:
        await accounts.open_session(conn, user_id, token_hash(token), LIFETIME_S)
    return Redirect(wanted, status_code=303, cookies=[cookie(web.settings, token)])


def _refuse_strange_host(request: Req) -> None:
    """While anyone may make the first account, a name that another site chose must not lead here."""
    if not known_host(request):
        port = of(request).settings.web_port
        raise PermissionDeniedException(
            "The first account is made at an IP address or at localhost, so that no other site can make it."
            f" Open this page at http://127.0.0.1:{port}/setup on the machine itself (or through an SSH tunnel),"
            " or at the machine's IP address. After that any name works."
        )


def _wrong_name(name: str) -> str | None:
    if not name:
        return "is required"
    if len(name) > 100:
        return "must have at most 100 characters"
    return None if name.isprintable() else "must not contain control characters"


def _setup(request: Req, name: str, wrong: dict[str, str], status_code: int = 200) -> Template:
    return render(request, "pages/setup.html", status_code=status_code, name=name, wrong=wrong)


def _sign_in(request: Req, name: str, wanted: str, problem: str, status_code: int = 200) -> Template:
    return render(request, "pages/sign_in.html", status_code=status_code, name=name, next=wanted, problem=problem)
