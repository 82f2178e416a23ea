"""Pings of push monitors, and where jobs send them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Response
from msgspec import Meta

from pinguin.store import audit, monitors, push
from pinguin.web import pushed
from pinguin.web.api.operation import Call, operation
from pinguin.web.api.paging import Page, Paged, cut, place
from pinguin.web.api.reading import NoBody, NoQuery, Query
from pinguin.web.api.results import Moment
from pinguin.web.gate import EDITOR

AnyCall = Call[Any, Any]
EXCERPT = 500


class Ping(msgspec.Struct, kw_only=True, frozen=True):
    """A ping of a job. body: its first 500 characters; size: of all of it, in bytes."""

    at: datetime
    kind: Annotated[str, Meta(description="start, success, fail, log, exit or ignored")]
    exit_code: int | None
    run_id: UUID | None
    duration_ms: float | None
    method: str
    remote: str | None
    user_agent: str
    body: str
    size: int


class Address(msgspec.Struct, kw_only=True, frozen=True):
    """Where the job pings: a secret. slug_url: the same by name; null where that is off, or it has no slug."""

    url: str
    slug_url: str | None
    created_at: datetime


class When(Query, kw_only=True, frozen=True):
    at: Annotated[Moment, Meta(description="of a ping, as it is listed")]


class Moments(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """After which ping a page begins."""

    at: Moment


@operation("GET", "/monitors/{id:int}/pings")
async def list_pings(call: Call[Paged, NoBody]) -> Page[Ping]:
    """What jobs told a push monitor, the newest first."""
    await monitors.get(call.conn, call.id)
    before = place(call.query.cursor, Moments)
    until = before.at if before else datetime.now(UTC) + timedelta(days=1)
    found = await push.log(call.conn, call.id, until, call.query.limit + 1, EXCERPT)
    rows, following = cut(found, call.query.limit, lambda each: Moments(each.at))
    return Page(msgspec.convert(rows, list[Ping], from_attributes=True), call.following(following))


@operation("GET", "/monitors/{id:int}/pings/body", media=("text/plain",))
async def show_ping_body(call: Call[When, NoBody]) -> Response[str]:
    """All that is kept of what a job sent along, as text."""
    return Response(await push.body(call.conn, call.id, call.query.at), media_type="text/plain")


@operation("GET", "/monitors/{id:int}/address", opt=EDITOR)
async def show_address(call: Call[NoQuery, NoBody]) -> Address:
    """Where the job of a push monitor pings. For editors: it is a secret."""
    return await _address(call)


@operation("POST", "/monitors/{id:int}/address", secret=True)
async def make_address(call: Call[NoQuery, NoBody]) -> Address:
    """A new address in the place of the old one, which is answered with 404 from now on."""
    await push.rotate(call.conn, call.id)
    change = {"address": audit.Hidden(0)}, {"address": audit.Hidden(1)}
    await audit.write(call.conn, call.who, "monitor.address", audit.Thing("monitor", call.id), *change)
    return await _address(call)


async def _address(call: AnyCall) -> Address:
    monitor = await monitors.get(call.conn, call.id)
    found = await push.address(call.conn, call.id)
    base, key, slug = pushed.base_url(call.request), call.web.settings.ping_key, monitor.options.get("slug")
    slug_url = f"{base}/ping/{key}/{slug}" if key and slug else None
    return Address(url=f"{base}/ping/{found.token}", slug_url=slug_url, created_at=found.created_at)
