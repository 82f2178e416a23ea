"""Who may come in and what they may do: the one place that decides.

Every handler behind the gate has a least role: `opt=gate.OWNER` and the like say which; else looking (GET) takes a
viewer and everything else an editor. People come with a session, programs with a token (below /api/).
"""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, quote

from litestar import Response
from litestar.exceptions import ClientException, NotAuthorizedException, PermissionDeniedException
from litestar.handlers import BaseRouteHandler
from litestar.response import Redirect

from pinguin.people import Principal, Role, Scope
from pinguin.store import accounts, sessions, tokens
from pinguin.web import api_tokens
from pinguin.web.database import connection
from pinguin.web.service import Req, Visit, is_fragment, of
from pinguin.web.sessions import cookie_name, csrf_token, good_csrf, token_hash

SAFE = ("GET", "HEAD", "OPTIONS")

VIEWER, EDITOR, OWNER = ({"least_role": role} for role in Role)
METRICS = {"scope": "metrics"}
"""For handlers that a token for metrics alone may ask too."""


async def anyone(request: Req) -> None:
    """For pages before the sign-in: the request must come from our own pages."""
    await _same_site(request)


async def account_only(request: Req) -> Response[Any] | None:
    """For all other pages: a session with a role that is enough, and its token on each request that changes something.

    Sets `request.state.visit`; `principal(request)` says who it is.
    """
    await _same_site(request)
    token = request.cookies.get(cookie_name(of(request).settings), "")
    counts = not request.url.path.startswith("/live/")
    async with connection(of(request).pool) as conn:
        found = await sessions.visit(conn, token_hash(token), address(request), counts=counts) if token else None
        first_run = found is None and not await accounts.any_account(conn)
    if found is None:
        return _to_sign_in(request, first_run)
    who = Principal(
        name=found.name,
        role=Role(found.role),
        user_id=found.user_id,
        session_id=found.session_id,
        address=address(request),
    )
    request.state.principal = who
    request.state.visit = Visit(who, csrf_token(token))
    if request.method not in SAFE and not good_csrf(token, await _csrf_sent(request)):
        raise PermissionDeniedException("This form is too old, or not ours. Go back, reload the page and try again.")
    _enforce(request, who)
    return None


async def token_only(request: Req) -> None:
    """For what programs ask: `api`, as a handler's `before_request`."""
    await api(request)


async def api(request: Req) -> Principal:
    """Whose token the request brings (`Authorization: Bearer pgn_…`), if it may do this. Cookies do not count.

    Raises 401 and 403 with the WWW-Authenticate of RFC 6750.
    """
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer":
        raise _unauthorized("Send an API token: Authorization: Bearer pgn_…", "")
    found = None
    if api_tokens.well_formed(token):
        async with connection(of(request).pool) as conn:
            found = await tokens.visit(conn, token_hash(token))
    if found is None:
        raise _unauthorized("This token is wrong, revoked or expired.", ', error="invalid_token"')
    who = Principal(
        name=found.name,
        role=_role(Role(found.role), found.scope),
        user_id=found.user_id,
        token_id=found.token_id,
        token_name=found.token_name,
        scope=found.scope,
        address=address(request),
    )
    request.state.principal = who
    _enforce(request, who)
    return who


def _role(person: Role, scope: Scope) -> Role:
    """What a token may do: a program that changes monitors must not be able to take the whole house over."""
    most = {"write": Role.EDITOR, "people": Role.OWNER}.get(scope, Role.VIEWER)
    return person if most.allows(person) else most


def principal(request: Req) -> Principal:
    """Who asks, behind the gate."""
    who = request.state.principal
    assert isinstance(who, Principal)
    return who


def address(request: Req) -> str:
    """Where the request comes from; what a proxy says of that, only if it is trusted."""
    return request.client.host if request.client else ""


def least_role(handler: BaseRouteHandler, method: str) -> Role:
    """What it takes to ask `handler`."""
    declared = handler.opt.get("least_role")
    assert declared is None or isinstance(declared, Role)
    return declared or (Role.VIEWER if method in SAFE else Role.EDITOR)


def _enforce(request: Req, who: Principal) -> None:
    handler = request.route_handler
    if who.scope == "metrics" and handler.opt.get("scope") != "metrics":
        raise _too_little("This token is for metrics alone.", "read")
    if who.scope == "read" and request.method not in SAFE:
        raise _too_little("This token may look, and change nothing. Make one with the scope write.", "write")
    least = least_role(handler, request.method)
    if who.may(least):
        return
    if who.scope == "write" and who.role is Role.EDITOR:
        words = "This takes a token of an owner with the scope people: one with the scope write does what editors do."
        raise _too_little(words, "people")
    words = (
        f"This takes the role {least}, and {who.name} is {_a(who.role)}. An owner can change that, on the page People."
    )
    raise PermissionDeniedException(words)


def _a(role: Role) -> str:
    return f"an {role}" if role[0] in "aeo" else f"a {role}"


def _unauthorized(words: str, error: str) -> NotAuthorizedException:
    return NotAuthorizedException(words, headers={"WWW-Authenticate": f'Bearer realm="Pinguin"{error}'})


def _too_little(words: str, scope: str) -> PermissionDeniedException:
    challenge = f'Bearer realm="Pinguin", error="insufficient_scope", scope="{scope}"'
    return PermissionDeniedException(words, headers={"WWW-Authenticate": challenge})


async def form(request: Req) -> dict[str, str]:
    """The fields of a sent form; of fields with the same name, the last."""
    if "form" not in request.state:
        body = (await request.body()).decode("utf-8", "replace")
        try:
            request.state.form = dict(parse_qsl(body, keep_blank_values=True, max_num_fields=500))
        except ValueError as error:
            raise ClientException("The form has too many fields.") from error
    sent: dict[str, str] = request.state.form
    return sent


async def _csrf_sent(request: Req) -> str:
    return request.headers.get("x-csrf-token") or (await form(request)).get("_csrf", "")


async def _same_site(request: Req) -> None:
    """Browsers say where a form came from. Sec-Fetch-Site is missing on plain HTTP; Origin is then there."""
    if request.method in SAFE:
        return
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/x-www-form-urlencoded":
        raise ClientException("Only forms are taken here.", status_code=415)
    site = request.headers.get("sec-fetch-site")
    origin = request.headers.get("origin", "").partition("://")[2]
    if site != "same-origin" and (site is not None or not origin or origin != request.headers.get("host")):
        raise PermissionDeniedException("This request came from another site, so it was refused.")


def _to_sign_in(request: Req, first_run: bool) -> Response[Any]:
    here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    wanted = here if request.method in SAFE and not is_fragment(request) else "/"
    to = "/setup" if first_run else "/sign-in" + ("" if wanted == "/" else f"?next={quote(wanted, safe='')}")
    if is_fragment(request) or request.headers.get("accept") == "text/event-stream":
        return Response(content="", status_code=401, media_type="text/html", headers={"HX-Redirect": to})
    return Redirect(to, status_code=303)


def local_address(wanted: str) -> str:
    """`wanted` if it is a page of ours, else the list: a link to the sign-in must not lead elsewhere."""
    plain = wanted.startswith("/") and not wanted.startswith(("//", "/\\")) and wanted.isprintable()
    return wanted if plain and "\\" not in wanted else "/"
