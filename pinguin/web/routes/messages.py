"""The log: what was told to whom, what was answered, and what waits."""

from __future__ import annotations

from datetime import datetime

from litestar import get
from litestar.params import FromPath
from litestar.response import Template

from pinguin.alerts.contract import KINDS
from pinguin.errors import InvalidInput
from pinguin.store import channels, messages
from pinguin.web.channel_views import HELD
from pinguin.web.database import connection
from pinguin.web.routes.channels import exists, shown
from pinguin.web.service import Req, aware, of
from pinguin.web.templating import render

PAGE = 30


@get("/messages")
async def show_all(request: Req) -> Template:
    return await _log(request, None)


@get("/channels/{channel_id:int}/messages")
async def show_channel(request: Req, channel_id: FromPath[int]) -> Template:
    return await _log(request, exists(channel_id))


async def _log(request: Req, channel_id: int | None) -> Template:
    """Five queries, however many messages."""
    web = of(request)
    before = _place(request.query_params.get("before", ""))
    async with connection(web.pool) as conn:
        channel = await channels.get(conn, channel_id) if channel_id else None
        found = await messages.page(conn, channel_id, before=before, most=PAGE + 1)
        waiting = [] if before else await messages.waiting(conn, channel_id)
    last = found[PAGE - 1] if len(found) > PAGE else None
    return render(
        request,
        "pages/messages.html",
        channel=channel and shown(web, channel),
        messages=found[:PAGE],
        waiting=waiting,
        held=HELD,
        kinds=KINDS,
        first=before is None,
        older=f"{last.created_at.isoformat()}_{last.id}" if last else "",
    )


def _place(cursor: str) -> tuple[datetime, int] | None:
    if not cursor:
        return None
    moment, _, number = cursor.partition("_")
    at = aware(moment)
    if at is None or not (number.isascii() and number.isdecimal() and len(number) < 19):
        raise InvalidInput({"before": "is not a place in the log; start from its first page"})
    return at, int(number)
