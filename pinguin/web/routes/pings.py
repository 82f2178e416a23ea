"""A push monitor's pings, for people: older ones, whole bodies, and a new address."""

from __future__ import annotations

from datetime import datetime

from litestar import Response, get, post
from litestar.params import FromPath
from litestar.response import Redirect, Template

from pinguin.errors import InvalidInput
from pinguin.store import audit, monitors, push
from pinguin.web import pushed
from pinguin.web.database import connection
from pinguin.web.gate import principal
from pinguin.web.routes.monitor import exists
from pinguin.web.service import Req, aware, of
from pinguin.web.templating import render


@get("/monitors/{monitor_id:int}/pings")
async def show_pings(request: Req, monitor_id: FromPath[int]) -> Template:
    before = request.query_params.get("before", "")
    async with connection(of(request).pool) as conn:
        monitor = await monitors.get(conn, exists(monitor_id))
        part = await pushed.part(request, conn, monitor, _moment("before", before) if before else None)
    return render(request, "pages/pings.html", monitor=monitor, push=part, before=before)


@get("/monitors/{monitor_id:int}/pings/body")
async def show_body(request: Req, monitor_id: FromPath[int]) -> Response[str]:
    """As text, whatever the job sent: never as a page."""
    at = _moment("at", request.query_params.get("at", ""))
    async with connection(of(request).pool) as conn:
        body = await push.body(conn, exists(monitor_id), at)
    return Response(body, media_type="text/plain")


@post("/monitors/{monitor_id:int}/address", status_code=303)
async def rotate(request: Req, monitor_id: FromPath[int]) -> Redirect:
    async with connection(of(request).pool) as conn, conn.transaction():
        await push.rotate(conn, exists(monitor_id))
        change = {"address": audit.Hidden(0)}, {"address": audit.Hidden(1)}
        await audit.write(conn, principal(request), "monitor.address", audit.Thing("monitor", monitor_id), *change)
    return Redirect(f"/monitors/{monitor_id}?notice=address#push-title", status_code=303)


def _moment(name: str, text: str) -> datetime:
    moment = aware(text.replace(" ", "+"))
    if moment is None or moment.year < 1970:
        raise InvalidInput({name: "is not a time; start from the monitor's page"})
    return moment
