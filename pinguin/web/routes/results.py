"""A monitor's results: a page at a time with their evidence, and as files, over any stretch of time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from litestar import get
from litestar.params import FromPath
from litestar.response import Stream, Template

from pinguin.errors import InvalidInput
from pinguin.store import history, monitors
from pinguin.store.history import Grain, Place
from pinguin.store.records import Wanted
from pinguin.web import results_export, views
from pinguin.web.charts.view import moment
from pinguin.web.database import connection
from pinguin.web.monitor_page import cursor, place
from pinguin.web.results_export import Format
from pinguin.web.routes.monitor import exists
from pinguin.web.service import Req, of
from pinguin.web.templating import query, render
from pinguin.web.views import Line
from pinguin.web.zones import zone

PAGE = 50
GRAINS: dict[str, Grain] = {"raw": "raw", "hourly": "hourly", "daily": "daily"}
_DAYS: dict[Grain, int] = {"raw": 1, "hourly": 30, "daily": 365}
STATUSES = ("up", "degraded", "down", "unknown")


@get("/monitors/{monitor_id:int}/results")
async def show_results(request: Req, monitor_id: FromPath[int]) -> Template:
    now, here = datetime.now(UTC), zone(request)
    since, until = _stretch(request, now)
    status, before = _one_of(request, "status", STATUSES), place(request.query_params.get("before", ""))
    async with connection(of(request).pool) as conn:
        monitor = await monitors.get(conn, exists(monitor_id))
        ending: Place = before if before and before[0] < until else (until, None)
        begin = since or now - timedelta(days=of(request).settings.raw_retention_days)
        near = max(begin, ending[0] - timedelta(seconds=max(86400, 3 * PAGE * monitor.interval_s)))
        found = await history.results(conn, monitor_id, before=ending, since=near, most=PAGE + 1, status=status)
        if len(found) <= PAGE and near > begin:  # to open the chunks of months takes long, so only where it must be
            found = await history.results(conn, monitor_id, before=ending, since=begin, most=PAGE + 1, status=status)
    chosen = {name: request.query_params.get(name, "").strip() for name in ("from", "to", "status", "zone")}
    return render(
        request,
        "pages/results.html",
        monitor=monitor,
        lines=[Line(result, views.phases(result)) for result in found[:PAGE]],
        chosen=chosen,
        fields={name: _field(at, here) for name, at in (("from", since), ("to", until if chosen["to"] else None))},
        statuses=STATUSES,
        grains=GRAINS,
        zone=here.key,
        first=before is None,
        older=query(chosen, before=cursor(found[PAGE - 1])) if len(found) > PAGE else "",
    )


@get("/monitors/{monitor_id:int}/results.csv")
async def download_csv(request: Req, monitor_id: FromPath[int]) -> Stream:
    return await _file(request, monitor_id, "csv")


@get("/monitors/{monitor_id:int}/results.json")
async def download_json(request: Req, monitor_id: FromPath[int]) -> Stream:
    return await _file(request, monitor_id, "json")


async def _file(request: Req, monitor_id: int, form: Format) -> Stream:
    """`of`: raw results, or hourly or daily roll-ups; where no stretch is asked for, of the last day, month or year."""
    now = datetime.now(UTC)
    since, until = _stretch(request, now)
    grain = GRAINS[_one_of(request, "of", tuple(GRAINS)) or "raw"]
    async with connection(of(request).pool) as conn:
        monitor = await monitors.get(conn, exists(monitor_id))
    wanted = Wanted(monitor_id=monitor.id, since=since or until - timedelta(days=_DAYS[grain]), until=until)
    return await results_export.download(of(request).pool, wanted, grain, form)


def _stretch(request: Req, now: datetime) -> tuple[datetime | None, datetime]:
    """From (None: not asked for), and to: now, unless asked for. Raises `InvalidInput`."""
    here = zone(request)
    beginning, end = (request.query_params.get(name, "").strip() for name in ("from", "to"))
    since = moment("from", beginning, here) if beginning else None
    until = moment("to", end, here) if end else now
    if since and since >= until:
        raise InvalidInput({"to": "must be later than from"})
    return since, until


def _one_of(request: Req, name: str, known: tuple[str, ...]) -> str | None:
    text = request.query_params.get(name, "").strip()
    if text and text not in known:
        raise InvalidInput({name: f"must be one of {', '.join(known)}"})
    return text or None


def _field(at: datetime | None, here: Any) -> str:
    return at.astimezone(here).strftime("%Y-%m-%dT%H:%M") if at else ""
