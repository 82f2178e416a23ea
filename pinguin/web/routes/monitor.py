"""One monitor's page, and what can be done to the monitor from there."""

from __future__ import annotations

from typing import Any

from litestar import Response, get, post
from litestar.params import FromPath
from litestar.response import Redirect, Template

from pinguin.errors import InvalidInput, NotFound, Unavailable
from pinguin.store import channels, messages, monitors
from pinguin.web import monitor_changes, pushed, views
from pinguin.web.channel_views import HELD
from pinguin.web.chart import RANGES, Range
from pinguin.web.database import connection
from pinguin.web.gate import EDITOR, principal
from pinguin.web.service import Req, Web, is_fragment, of
from pinguin.web.templating import render

NOTICES = {
    "asked": "Asked for a check. Its result appears here by itself.",
    "busy": "A check is under way. Its result appears here by itself.",
    "soon": "This monitor is not scheduled yet. Try again in a few seconds.",
    "away": "Redis does not answer, so nothing can be asked for just now. Try again in a minute.",
    "saved": "Saved.",
    "address": "There is a new address. Give it to the job; the old one is answered with 404.",
}


def exists(monitor_id: int) -> int:
    """The id, if it can be one at all."""
    if not 0 < monitor_id < 2**63:
        raise NotFound(f"There is no monitor {monitor_id}.")
    return monitor_id


def span(request: Req) -> Range:
    name = request.query_params.get("range", "24h")
    if name not in RANGES:
        raise InvalidInput({"range": f"must be one of {', '.join(RANGES)}"})
    return RANGES[name]


@get("/monitors/{monitor_id:int}")
async def show_monitor(request: Req, monitor_id: FromPath[int]) -> Template:
    web = of(request)
    before = views.place(request.query_params.get("before", ""))
    async with connection(web.pool) as conn:
        story = await views.story(conn, exists(monitor_id), span(request), before)
        told = await channels.told(conn, monitor_id)
        notified = await messages.notified(conn, monitor_id)
        pinged = story.head.monitor
        push = await pushed.part(request, conn, pinged) if pinged.passive else None
    kind = web.types.get(story.head.monitor.type)
    return render(
        request,
        "pages/monitor.html",
        story=story,
        told=told,
        notified=notified,
        held=HELD,
        push=push,
        ranges=RANGES,
        type_title=kind.title if kind else story.head.monitor.type,
        before=before,
        notice=NOTICES.get(request.query_params.get("notice", ""), ""),
    )


@get("/monitors/{monitor_id:int}/chart")
async def show_chart(request: Req, monitor_id: FromPath[int]) -> Template:
    async with connection(of(request).pool) as conn:
        monitor = await monitors.get(conn, exists(monitor_id))
        latency = await views.latency(conn, monitor, span(request))
    return render(request, "fragments/chart.html", monitor=monitor, latency=latency, ranges=RANGES)


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
