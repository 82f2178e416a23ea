"""One monitor's page, and what can be done to the monitor from there."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from litestar import Response, get, post
from litestar.params import FromPath
from litestar.response import Redirect, Template

from pinguin.errors import InvalidInput, NotFound, Unavailable
from pinguin.store import monitors
from pinguin.web import monitor_changes, monitor_charts, monitor_page, pushed
from pinguin.web.channel_views import HELD
from pinguin.web.charts.view import RANGES, View, asked
from pinguin.web.database import at_once, connection, while_asked
from pinguin.web.gate import EDITOR, principal
from pinguin.web.service import Req, Web, is_fragment, of
from pinguin.web.templating import render
from pinguin.web.zones import zone

NOTICES = {
    "asked": "Asked for a check. Its result appears here by itself.",
    "busy": "A check is under way. Its result appears here by itself.",
    "soon": "This monitor is not scheduled yet. Try again in a few seconds.",
    "away": "Redis does not answer, so nothing can be asked for just now. Try again in a minute.",
    "saved": "Saved.",
    "address": "There is a new address. Give it to the job; the old one is answered with 404.",
}
HEATS = {"30": 30, "90": 90}
"""Days of the heat map, as addresses have them."""


def exists(monitor_id: int) -> int:
    """The id, if it can be one at all."""
    if not 0 < monitor_id < 2**63:
        raise NotFound(f"There is no monitor {monitor_id}.")
    return monitor_id


def view(request: Req, now: datetime) -> View:
    given = {name: request.query_params.get(name, "") for name in ("range", "from", "to")}
    return asked(given, zone(request), now)


def heat_days(request: Req) -> int | None:
    """Over how many days the heat map is wanted; None: not yet."""
    text = request.query_params.get("heat", "")
    if text and text not in HEATS:
        raise InvalidInput({"heat": f"must be one of {', '.join(HEATS)}"})
    return HEATS.get(text)


@get("/monitors/{monitor_id:int}")
async def show_monitor(request: Req, monitor_id: FromPath[int]) -> Template:
    web, now, here = of(request), datetime.now(UTC), zone(request)
    shown, heat = view(request, now), heat_days(request)
    async with connection(web.pool) as conn:
        monitor = await monitors.get(conn, exists(monitor_id))
        reading = monitor_charts.read(conn, monitor, shown, now, web.settings.raw_retention_days)
        (charted,) = await at_once(conn, reading)
        story, panel = await while_asked(
            conn,
            monitor_page.story(conn, monitor, here),
            lambda: monitor_charts.draw(charted, monitor, shown, here, now),
        )
        hours = await monitor_page.by_hour(conn, monitor_id, here, heat) if heat else monitor_page.frame(here)
        push = await pushed.part(request, conn, monitor) if monitor.passive else None
    kind = web.types.get(monitor.type)
    return render(
        request,
        "pages/monitor.html",
        story=story,
        panel=panel,
        heat=hours,
        held=HELD,
        push=push,
        ranges=RANGES,
        own_zone=_own(request),
        table=_table(request),
        type_title=kind.title if kind else monitor.type,
        notice=NOTICES.get(request.query_params.get("notice", ""), ""),
    )


@get("/monitors/{monitor_id:int}/chart")
async def show_chart(request: Req, monitor_id: FromPath[int]) -> Template:
    now, here = datetime.now(UTC), zone(request)
    shown = view(request, now)
    async with connection(of(request).pool) as conn:
        monitor = await monitors.get(conn, exists(monitor_id))
        reading = monitor_charts.read(conn, monitor, shown, now, of(request).settings.raw_retention_days)
        (charted,) = await at_once(conn, reading)
    return render(
        request,
        "fragments/chart.html",
        monitor=monitor,
        panel=monitor_charts.draw(charted, monitor, shown, here, now),
        ranges=RANGES,
        own_zone=_own(request),
        table=_table(request),
    )


@get("/monitors/{monitor_id:int}/chart/days")
async def show_days(request: Req, monitor_id: FromPath[int]) -> Template:
    async with connection(of(request).pool) as conn:
        monitor = await monitors.get(conn, exists(monitor_id))
        days = await monitor_page.by_day(conn, monitor_id, zone(request))
    return render(request, "fragments/days.html", monitor=monitor, days=days, own_zone=_own(request))


@get("/monitors/{monitor_id:int}/chart/hours")
async def show_hours(request: Req, monitor_id: FromPath[int]) -> Template:
    here, days = zone(request), heat_days(request) or HEATS["90"]
    async with connection(of(request).pool) as conn:
        monitor = await monitors.get(conn, exists(monitor_id))
        heat = await monitor_page.by_hour(conn, monitor_id, here, days)
    return render(request, "fragments/hours.html", monitor=monitor, heat=heat, own_zone=_own(request))


def _table(request: Req) -> str:
    """Whether the charts' table is wanted: it is longer than all the rest."""
    return "1" if request.query_params.get("table", "") else ""


def _own(request: Req) -> str:
    """The zone that the address asks for, to be kept in what it links to."""
    return request.query_params.get("zone", "").strip()


@post("/monitors/{monitor_id:int}/check", status_code=200)
async def check_now(request: Req, monitor_id: FromPath[int]) -> Response[Any]:
    web = of(request)
    async with connection(web.pool) as conn:
        monitor = await monitors.get(conn, exists(monitor_id))
    if monitor.passive:
        raise InvalidInput({"monitor": "waits to be pinged, so there is nothing to check"})
    said = await _ask(web, monitor_id)
    if is_fragment(request):
        return render(request, "fragments/notice.html", notice=NOTICES[said])
    return Redirect(f"/monitors/{monitor_id}?notice={said}", status_code=303)


async def _ask(web: Web, monitor_id: int) -> str:
    try:
        asked = await web.broker.check_now(monitor_id)
    except Unavailable:
        return "away"
    return "soon" if asked is None else "asked" if asked else "busy"


@post("/monitors/{monitor_id:int}/pause", status_code=303)
async def pause(request: Req, monitor_id: FromPath[int]) -> Redirect:
    return await _enable(request, monitor_id, enabled=False)


@post("/monitors/{monitor_id:int}/resume", status_code=303)
async def resume(request: Req, monitor_id: FromPath[int]) -> Redirect:
    return await _enable(request, monitor_id, enabled=True)


async def _enable(request: Req, monitor_id: int, *, enabled: bool) -> Redirect:
    web = of(request)
    async with connection(web.pool) as conn:
        await monitor_changes.enable(conn, principal(request), exists(monitor_id), enabled)
    await announce(web, monitor_id)
    return Redirect(f"/monitors/{monitor_id}", status_code=303)


@get("/monitors/{monitor_id:int}/delete", opt=EDITOR)
async def show_delete(request: Req, monitor_id: FromPath[int]) -> Template:
    async with connection(of(request).pool) as conn:
        monitor = await monitors.get(conn, exists(monitor_id))
    return render(request, "pages/delete.html", monitor=monitor)


@post("/monitors/{monitor_id:int}/delete", status_code=303)
async def delete(request: Req, monitor_id: FromPath[int]) -> Redirect:
    web = of(request)
    async with connection(web.pool) as conn:
        await monitor_changes.archive(conn, principal(request), web.types, exists(monitor_id))
    await announce(web, monitor_id)
    return Redirect("/monitors", status_code=303)


async def announce(web: Web, monitor_id: int) -> None:
    """A hint: without it the leader finds the change by itself, a little later."""
    try:
        await web.broker.announce_change([monitor_id])
    except Unavailable:
        return
