"""The list of monitors."""

from __future__ import annotations

import base64
import binascii
from datetime import timedelta

import msgspec
from litestar import get
from litestar.response import Template

from pinguin.errors import InvalidInput
from pinguin.model import Status
from pinguin.store import channels, monitors, upkeep
from pinguin.store.monitors import Filter, Listed, Place
from pinguin.web import views
from pinguin.web.database import connection
from pinguin.web.service import Req, of
from pinguin.web.templating import query, render

PAGE = 50

ORDER = ("down", "degraded", "unknown", "pending", "up", "maintenance", "paused")
"""Statuses as the list sorts them."""


@get(["/", "/monitors"])
async def show_list(request: Req) -> Template:
    web = of(request)
    wanted = _filter(request)
    after = _place(request.query_params.get("after", ""))
    async with connection(web.pool) as conn:
        mark = await monitors.mark(conn)  # first: what changes while this page is drawn, it is told
        listed = await monitors.listed(conn, wanted, after=after, most=PAGE + 1)
        counts = await monitors.counts(conn)
        tags = await monitors.tags(conn)
        problems = await upkeep.problems(conn, timedelta(0))
        told = await channels.any_on(conn)
        rows = await views.rows(conn, listed[:PAGE])
    chosen = {"q": wanted.search, "status": wanted.status, "type": wanted.type, "tag": wanted.tag}
    return render(
        request,
        "pages/list.html",
        rows=rows,
        counts=counts,
        order=ORDER,
        tags=tags,
        problems=problems,
        told=told,
        mark=mark,
        types=web.types,
        chosen=chosen,
        first=after is None,
        next=_cursor(listed[PAGE - 1]) if len(listed) > PAGE else "",
        here="/monitors" + query(chosen, after=request.query_params.get("after")),
    )


def _filter(request: Req) -> Filter:
    """What is asked for. A NUL is in no name, and Postgres takes none."""
    given = {name: request.query_params.get(name, "").strip()[:200] for name in ("q", "status", "type", "tag")}
    given = {name: value.replace("\x00", "\ufffd") or None for name, value in given.items()}
    status = given["status"]
    if status is not None and status not in list(Status):
        raise InvalidInput({"status": f"{status[:40]!r} is none; there are {', '.join(ORDER)}"})
    return Filter(search=given["q"], status=status, type=given["type"], tag=given["tag"])


def _cursor(last: Listed) -> str:
    place = msgspec.json.encode(Place(last.rank, last.sort_name, last.id))
    return base64.urlsafe_b64encode(place).decode().rstrip("=")


def _place(cursor: str) -> Place | None:
    if not cursor:
        return None
    try:
        place = msgspec.json.decode(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)), type=Place)
    except (ValueError, binascii.Error, msgspec.MsgspecError):
        raise InvalidInput({"after": "is not a place in the list; start from its first page"}) from None
    if not (0 <= place.rank < 100 and 0 <= place.id < 2**63) or "\x00" in place.name:
        raise InvalidInput({"after": "is not a place in the list; start from its first page"})
    return place
