"""Badges, for who is signed in and for anybody with a monitor's link; and the page that gives that link."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

from litestar import Response, get, post
from litestar.params import FromPath
from litestar.response import Redirect, Template

from pinguin.errors import InvalidInput, NotFound
from pinguin.store import badges as store
from pinguin.store import monitors
from pinguin.web import badges, gate
from pinguin.web.badges import KINDS, LONGEST
from pinguin.web.database import connection
from pinguin.web.gate import principal
from pinguin.web.pushed import base_url
from pinguin.web.routes.monitor import exists
from pinguin.web.service import Req, of
from pinguin.web.templating import render

DAYS = (1, 7, 30, 90, 365)
OPEN = {"Cache-Control": "public, max-age=60", "Cross-Origin-Resource-Policy": "cross-origin"}
PRIVATE = {"Cache-Control": "private, no-cache"}


@get("/badge/{monitor_id:int}/{file:str}")
async def show_badge(request: Req, monitor_id: FromPath[int], file: FromPath[str]) -> Response[Any]:
    """`?key=` is that of the monitor's link; without it, a session is asked for. `?label=`, and for uptime `?days=`."""
    kind = KINDS.get(file.removesuffix(".svg")) if file.endswith(".svg") else None
    if kind is None:
        raise NotFound(f"There are {', '.join(f'{name}.svg' for name in KINDS)}.")
    key = request.query_params.get("key", "")
    if not key and (elsewhere := await gate.account_only(request)):
        return elsewhere
    label, days = _asked(request)
    async with connection(of(request).pool) as conn:
        if key and not await store.is_open(conn, exists(monitor_id), key[:100].replace("\x00", "")):
            raise NotFound("There is no such badge (any more).")
        badge = kind(await store.facts(conn, exists(monitor_id), days))
    drawn = badges.draw(replace(badge, label=label or badge.label)).encode()
    tag = f'"{hashlib.sha256(drawn).hexdigest()[:16]}"'
    headers = {**(OPEN if key else PRIVATE), "ETag": tag}
    if tag in request.headers.get("if-none-match", ""):
        return Response(b"", status_code=304, headers=headers)
    return Response(drawn, media_type="image/svg+xml", headers=headers)


def _asked(request: Req) -> tuple[str, int]:
    """Label and days. Raises `InvalidInput`."""
    label, days = request.query_params.get("label", "").strip(), request.query_params.get("days", "30")
    if len(label) > LONGEST or not label.isprintable():
        raise InvalidInput({"label": f"must have at most {LONGEST} characters, and no control characters"})
    if days not in map(str, DAYS):
        raise InvalidInput({"days": f"must be one of {', '.join(map(str, DAYS))}"})
    return label, int(days)


@get("/monitors/{monitor_id:int}/badges")
async def show_badges(request: Req, monitor_id: FromPath[int]) -> Template:
    async with connection(of(request).pool) as conn:
        monitor = await monitors.get(conn, exists(monitor_id))
        link = await store.link(conn, monitor_id)
    base = base_url(request)
    return render(
        request,
        "pages/badges.html",
        monitor=monitor,
        link=link,
        shown=badges.addresses("", monitor_id, None),
        open=badges.addresses(base, monitor_id, link.key) if link else {},
        page=f"{base}/monitors/{monitor_id}",
    )


@post("/monitors/{monitor_id:int}/badges/open", status_code=303)
async def open_badges(request: Req, monitor_id: FromPath[int]) -> Redirect:
    async with connection(of(request).pool) as conn:
        await badges.open_link(conn, principal(request), exists(monitor_id))
    return Redirect(f"/monitors/{monitor_id}/badges", status_code=303)


@post("/monitors/{monitor_id:int}/badges/close", status_code=303)
async def close_badges(request: Req, monitor_id: FromPath[int]) -> Redirect:
    async with connection(of(request).pool) as conn:
        await badges.close_link(conn, principal(request), exists(monitor_id))
    return Redirect(f"/monitors/{monitor_id}/badges", status_code=303)
