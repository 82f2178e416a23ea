"""Who may come in: sessions, and requests that no other site has made."""

from __future__ import annotations

import ipaddress
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

from litestar import Response
from litestar.exceptions import ClientException, PermissionDeniedException
from litestar.response import Redirect

from pinguin.store import accounts
from pinguin.web.database import connection
from pinguin.web.service import Req, Visit, is_fragment, of
from pinguin.web.sessions import cookie_name, csrf_token, good_csrf, token_hash

SAFE = ("GET", "HEAD", "OPTIONS")


async def anyone(request: Req) -> None:
    """For pages before the sign-in: the request must come from our own pages."""
    await _same_site(request)


async def account_only(request: Req) -> Response[Any] | None:
    """For all other pages: a session, and its token on each request that changes something."""
    await _same_site(request)
    token = request.cookies.get(cookie_name(of(request).settings), "")
    async with connection(of(request).pool) as conn:
        account = await accounts.session(conn, token_hash(token)) if token else None
        first_run = account is None and not await accounts.any_account(conn)
    if account is None:
        return _to_sign_in(request, first_run)
    request.state.visit = Visit(account.name, csrf_token(token))
    if request.method not in SAFE and not good_csrf(token, await _csrf_sent(request)):
        raise PermissionDeniedException("This form is too old, or not ours. Go back, reload the page and try again.")
    return None


def known_host(request: Req) -> bool:
    """Whether the address in the browser is one that no stranger can point at us (DNS rebinding).

    That is a loopback name, an IP address, or the name that we listen on.
    """
    try:
        host = urlsplit("//" + request.headers.get("host", "")).hostname or ""
    except ValueError:
        return False
    if host == "localhost" or host.endswith(".localhost") or host == of(request).settings.web_host.lower():
        return host != ""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


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
    if site != "same-origin" and (site is not None or origin != request.headers.get("host")):
        raise PermissionDeniedException("This request came from another site, so it was refused.")


def _to_sign_in(request: Req, first_run: bool) -> Response[Any]:
    here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    wanted = here if request.method in SAFE and not is_fragment(request) else "/"
    address = "/setup" if first_run else "/sign-in" + ("" if wanted == "/" else f"?next={quote(wanted, safe='')}")
    if is_fragment(request) or request.headers.get("accept") == "text/event-stream":
        return Response(content="", status_code=401, media_type="text/html", headers={"HX-Redirect": address})
    return Redirect(address, status_code=303)


def local_address(wanted: str) -> str:
    """`wanted` if it is a page of ours, else the list: a link to the sign-in must not lead elsewhere."""
    plain = wanted.startswith("/") and not wanted.startswith(("//", "/\\")) and wanted.isprintable()
    return wanted if plain and "\\" not in wanted else "/"
