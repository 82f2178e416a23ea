"""One's own API tokens: made, shown once, revoked."""

from __future__ import annotations

from typing import Any, get_args

from litestar import Response, post
from litestar.params import FromPath
from litestar.response import Redirect

from pinguin.errors import NotFound
from pinguin.people import Role, Scope
from pinguin.store import audit, tokens
from pinguin.store.audit import Thing
from pinguin.web import api_tokens
from pinguin.web.database import connection
from pinguin.web.gate import VIEWER, form, principal
from pinguin.web.proving import own_id, prove
from pinguin.web.routes.account import account_page
from pinguin.web.service import Req, of
from pinguin.web.sessions import token_hash
from pinguin.web.templating import render

DAYS = 90
"""How long a token lasts if nothing else is said."""
LONGEST = 366


@post("/account/tokens", status_code=200, opt=VIEWER)
async def create_token(request: Req) -> Response[Any]:
    web, sent, who = of(request), await form(request), principal(request)
    name, days_text, scope = (sent.get(field, "").strip() for field in ("label", "days", "scope"))
    wrong = _wrong(name, days_text, scope, who.role)
    _, not_it = await prove(request, sent.get("current", ""))
    wrong |= {"proof": not_it} if not_it else {}
    if wrong:
        return await account_page(request, wrong, sent=sent, status_code=422)
    days, token = int(days_text or DAYS), api_tokens.new_token()
    chosen: Scope = next(each for each in get_args(Scope) if each == scope)
    async with connection(web.pool) as conn, conn.transaction():
        token_id = await tokens.create(
            conn,
            own_id(request),
            name=name,
            token_hash=token_hash(token),
            hint=token[: api_tokens.HINT],
            scope=chosen,
            days=days,
        )
        after = {"scope": scope, "days": days}
        await audit.write(conn, who, "token.create", Thing("token", token_id, name), None, after)
    return render(request, "pages/token.html", token=token, name=name, scope=scope, days=days)


def _wrong(name: str, days: str, scope: str, role: Role) -> dict[str, str]:
    wrong = {}
    if not 1 <= len(name) <= 100 or not name.isprintable():
        wrong["label"] = "must have 1 to 100 characters, and no control characters"
    if days and not (days.isascii() and days.isdecimal() and len(days) < 5 and 1 <= int(days) <= LONGEST):
        wrong["days"] = f"must be a whole number of days from 1 to {LONGEST}"
    if scope not in get_args(Scope):
        wrong["scope"] = f"must be one of {', '.join(get_args(Scope))}"
    elif scope == "people" and not role.allows(Role.OWNER):
        wrong["scope"] = "can be people for owners alone"
    return wrong


@post("/account/tokens/{token_id:int}/revoke", status_code=303, opt=VIEWER)
async def revoke_token(request: Req, token_id: FromPath[int]) -> Redirect:
    if not 0 < token_id < 2**63:
        raise NotFound("There is no such token.")
    async with connection(of(request).pool) as conn, conn.transaction():
        name = await tokens.revoke(conn, own_id(request), token_id)
        if name is None:
            raise NotFound("There is no such token (any more).")
        await audit.write(
            conn, principal(request), "token.revoke", Thing("token", token_id, name), {"live": True}, None
        )
    return Redirect("/account?notice=revoked#tokens", status_code=303)
