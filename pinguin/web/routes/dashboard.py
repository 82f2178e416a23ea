"""The dashboard: what is wrong, what soon will be, and what was."""

from __future__ import annotations

from litestar import get
from litestar.response import ServerSentEvent, Template

from pinguin.web import board
from pinguin.web.board import PARTS, Board
from pinguin.web.database import connection
from pinguin.web.hub import ALL
from pinguin.web.monitor_form import offered
from pinguin.web.routes.live import stream, text
from pinguin.web.service import Req, of
from pinguin.web.templating import render

PACE_S = 2.0
"""A dashboard is told news at most this often."""


@get("/")
async def show_dashboard(request: Req) -> Template:
    async with connection(of(request).pool) as conn:
        found = await board.board(conn)
    types = offered(of(request).types)
    return render(request, "pages/dashboard.html", board=found, parts=PARTS, types=types, told=found.told)


@get("/live/dashboard")
async def live_dashboard(request: Req) -> ServerSentEvent:
    """Fragments of what changed since the last one; all of it first, if the page's mark is not the newest."""
    web = of(request)
    shown: Board | None = None
    drawn = request.query_params.get("mark", "")

    async def message(_: list[int]) -> str:
        nonlocal shown
        newest = await web.boards.newest()
        stale = list(PARTS) if newest.mark != drawn else []
        changed = stale if shown is None else newest.changed(shown)
        shown = newest
        return text(request, _news(request, newest, changed)) if changed else ""

    return ServerSentEvent(stream(request, [ALL], message, pace_s=PACE_S), headers={"X-Accel-Buffering": "no"})


@get("/live/dashboard/parts")
async def poll_dashboard(request: Req) -> Template:
    """Where events do not come through: all parts."""
    async with connection(of(request).pool) as conn:
        return _news(request, await board.board(conn), list(PARTS))


def _news(request: Req, newest: Board, changed: list[str]) -> Template:
    return render(request, "fragments/dashboard_news.html", board=newest, parts=changed)
