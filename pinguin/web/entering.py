"""Opening sessions, and ending those that should not go on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from litestar import Response
from litestar.response import Redirect

from pinguin.db import Connection
from pinguin.people import Principal
from pinguin.store import audit, sessions
from pinguin.store.audit import Thing
from pinguin.web.devices import device
from pinguin.web.gate import principal
from pinguin.web.service import Req, Visit, Web, of
from pinguin.web.sessions import LIFETIME_S, cookie, cookie_name, csrf_token, new_token, token_hash


async def enter(request: Req, conn: Connection, who: Principal, wanted: str) -> Response[Any]:
    """A new session, in the transaction of `conn`; one that this browser had ends. The answer leads to `wanted`."""
    web = of(request)
    if before := request.cookies.get(cookie_name(web.settings), ""):
        await sessions.close(conn, token_hash(before))
    token, session_id, name = await _open(request, conn, who)
    await audit.write(conn, who, "session.open", Thing("session", session_id, name))
    return Redirect(wanted, status_code=303, cookies=[cookie(web.settings, token)])


@dataclass(frozen=True, slots=True)
class Renewal:
    """A session that goes on under another token. ended: hashes of those that do not."""

    token: str
    ended: Iterable[bytes]

    def finish(self, request: Req, answer: Response[Any]) -> Response[Any]:
        """`answer` with the new cookie. Call it after the commit."""
        end_pages(of(request), self.ended)
        answer.set_cookie(cookie(of(request).settings, self.token))
        return answer


async def renew(request: Req, conn: Connection) -> Renewal:
    """After a change of how somebody signs in: all their sessions end, and this one goes on under a new token."""
    who = principal(request)
    assert who.user_id is not None
    ended = await sessions.close_all(conn, who.user_id)
    token, _, _ = await _open(request, conn, who)
    request.state.visit = Visit(who, csrf_token(token))
    return Renewal(token, ended)


def end_pages(web: Web, ended: Iterable[bytes]) -> None:
    """Close what is open and live in sessions that ended; other web processes find out within two minutes."""
    for session in ended:
        web.hub.end_session(session)


async def _open(request: Req, conn: Connection, who: Principal) -> tuple[str, int, str]:
    token, name = new_token(), device(request.headers.get("user-agent", ""))
    assert who.user_id is not None
    made = await sessions.open_session(conn, who.user_id, token_hash(token), LIFETIME_S, who.address, name)
    return token, made, name
