"""Planned maintenance: what runs, what comes, what was; begun, ended and made longer by hand."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

from litestar import get, post
from litestar.params import FromPath
from litestar.response import Redirect, Template

from pinguin.db import Connection
from pinguin.errors import InvalidInput, Unavailable
from pinguin.maintenance import LONGEST
from pinguin.store import maintenance, maintenance_windows, monitors
from pinguin.store.maintenance_windows import PastWindow
from pinguin.web import audited
from pinguin.web.database import connection
from pinguin.web.gate import EDITOR, form, principal
from pinguin.web.maintenance_form import length
from pinguin.web.maintenance_words import in_words, in_zone
from pinguin.web.routes.monitor import exists
from pinguin.web.service import Req, Web, aware, of
from pinguin.web.templating import render

NEXT = 5
PAST = 30
EXTEND = timedelta(hours=1)
NOTICES = {
    "started": "It has begun. Alerts of its monitors wait until it is over.",
    "ended": "It is over. What is down now is told at once.",
    "extended": "It goes on for an hour longer.",
    "saved": "Saved.",
    "deleted": "Deleted. Its past windows stay.",
    "over": "Nothing was done: it does not run just now.",
    "runs": "Nothing was done: it runs already, or is switched off.",
    "length": f"Nothing was done: from 1 minute to {LONGEST.days} days are possible.",
}

_ACTIONS = {"started": "start", "ended": "end", "extended": "extend", "deleted": "delete"}


@get("/maintenance")
async def show_maintenance(request: Req) -> Template:
    before = _place(request.query_params.get("before", ""))
    async with connection(of(request).pool) as conn:
        mark = await monitors.mark(conn)  # first: what changes while this page is drawn, it is told
        found = await maintenance.listed(conn)
        past = await maintenance_windows.past(conn, before=before, most=PAST + 1)
    rows = [(each, each.coming(NEXT)) for each in found]
    ahead = [(each, windows) for each, windows in rows if windows and not each.running_until]
    return render(
        request,
        "pages/maintenance.html",
        running=[(each, windows) for each, windows in rows if each.running_until],
        coming=sorted(ahead, key=lambda row: (row[1][0].starts_at, row[0].id)),
        mark=mark,
        resting=[each for each, windows in rows if not windows and not each.running_until],
        past=past[:PAST],
        older=_cursor(past[PAST - 1]) if len(past) > PAST else "",
        first=before is None,
        notice=NOTICES.get(request.query_params.get("notice", ""), ""),
        in_words=in_words,
        in_zone=in_zone,
    )


def _cursor(last: PastWindow) -> str:
    return f"{last.ends_at.isoformat()}_{last.id}"


def _place(cursor: str) -> tuple[datetime, int] | None:
    if not cursor:
        return None
    moment, _, number = cursor.partition("_")
    at = aware(moment)
    if at is None or not (number.isascii() and number.isdecimal() and len(number) < 19):
        raise InvalidInput({"before": "is not a place in this list; start from its first page"})
    return at, int(number)


@post("/maintenance/{maintenance_id:int}/start", status_code=303)
async def start(request: Req, maintenance_id: FromPath[int]) -> Redirect:
    try:
        wanted = length(await form(request))
    except InvalidInput:
        return _back("length")
    return await _by_hand(
        request, maintenance_id, lambda conn: maintenance.start(conn, maintenance_id, wanted), "started", "runs"
    )


@post("/maintenance/{maintenance_id:int}/end", status_code=303)
async def end(request: Req, maintenance_id: FromPath[int]) -> Redirect:
    return await _by_hand(request, maintenance_id, lambda conn: maintenance.end(conn, maintenance_id), "ended", "over")


@post("/maintenance/{maintenance_id:int}/extend", status_code=303)
async def extend(request: Req, maintenance_id: FromPath[int]) -> Redirect:
    return await _by_hand(
        request, maintenance_id, lambda conn: maintenance.extend(conn, maintenance_id, EXTEND), "extended", "over"
    )


@get("/maintenance/{maintenance_id:int}/delete", opt=EDITOR)
async def show_delete(request: Req, maintenance_id: FromPath[int]) -> Template:
    async with connection(of(request).pool) as conn:
        found = await maintenance.get(conn, exists(maintenance_id))
    return render(request, "pages/maintenance_delete.html", maintenance=found)


@post("/maintenance/{maintenance_id:int}/delete", status_code=303)
async def delete(request: Req, maintenance_id: FromPath[int]) -> Redirect:
    return await _by_hand(
        request, maintenance_id, lambda conn: maintenance.archive(conn, maintenance_id), "deleted", "over"
    )


async def _by_hand(
    request: Req, maintenance_id: int, change: Callable[[Connection], Awaitable[None]], done: str, otherwise: str
) -> Redirect:
    """otherwise: what to say where there was nothing to do any more."""
    web, action = of(request), f"maintenance.{_ACTIONS[done]}"
    try:
        async with connection(web.pool) as conn:
            look = audited.maintenance(conn, exists(maintenance_id))
            async with audited.changing(conn, principal(request), action, "maintenance", maintenance_id, look):
                await change(conn)
    except InvalidInput:
        return _back(otherwise)
    await announce(web)
    return _back(done)


def _back(notice: str) -> Redirect:
    return Redirect(f"/maintenance?notice={notice}", status_code=303)


async def announce(web: Web) -> None:
    """A hint to open pages: monitors may have another status now, though none was edited."""
    try:
        await web.broker.announce_change([])
    except Unavailable:
        return
