"""Every incident, newest first."""

from __future__ import annotations

from datetime import datetime, timedelta

from litestar import get
from litestar.response import Template

from pinguin.errors import InvalidInput
from pinguin.store import pages, upkeep
from pinguin.web.database import connection
from pinguin.web.service import Req, aware, of
from pinguin.web.templating import render

PAGE = 50


@get("/incidents")
async def show_incidents(request: Req) -> Template:
    open_only = request.query_params.get("open") == "1"
    before = _place(request.query_params.get("before", ""))
    async with connection(of(request).pool) as conn:
        found = await pages.incidents(conn, open_only=open_only, before=before, most=PAGE + 1)
        problems = await upkeep.problems(conn, timedelta(days=7))
    last = found[PAGE - 1] if len(found) > PAGE else None
    return render(
        request,
        "pages/incidents.html",
        incidents=found[:PAGE],
        problems=problems,
        open_only=open_only,
        first=before is None,
        older=f"{last.started_at.isoformat()}_{last.id}" if last else "",
    )


def _place(cursor: str) -> tuple[datetime, int] | None:
    if not cursor:
        return None
    moment, _, number = cursor.partition("_")
    at = aware(moment)
    if at is None or not (number.isascii() and number.isdecimal() and len(number) < 19):
        raise InvalidInput({"before": "is not a place in this list; start from its first page"})
    return at, int(number)
