"""Planning maintenance and changing what is planned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from litestar import Response, get, post
from litestar.params import FromPath
from litestar.response import Redirect, Template

from pinguin.db import Connection
from pinguin.errors import Conflict, InvalidInput
from pinguin.maintenance import WEEKDAYS, Manual
from pinguin.store import maintenance, monitors
from pinguin.store.maintenance import MOST_MONITORS, Maintenance
from pinguin.store.monitors import Filter
from pinguin.wallclock import zones
from pinguin.web import audited, maintenance_form
from pinguin.web.database import connection
from pinguin.web.gate import EDITOR, form, principal
from pinguin.web.maintenance_form import MONITOR, TITLES, Form, Preview
from pinguin.web.maintenance_words import in_zone
from pinguin.web.routes.maintenance import NEXT, announce
from pinguin.web.routes.monitor import exists
from pinguin.web.service import Req, aware, is_fragment, of
from pinguin.web.templating import render

FOUND = 20
"""Monitors on offer at once; for others one searches."""


@get("/maintenance/new", opt=EDITOR)
async def show_new(request: Req) -> Template:
    zone = _zone_asked(request)
    shown = maintenance_form.blank(request.query_params.get("kind") or "once", zone or "UTC")
    if not zone:
        shown.zone.attributes["data-zone"] = ""  # the reader's browser fills in its own
    asked = maintenance_form.chosen({MONITOR + request.query_params.get("monitor", ""): "on"})
    async with connection(of(request).pool) as conn:
        await _offer(conn, shown, asked)
        return await _page(request, conn, shown)


@post("/maintenance/new", status_code=200)
async def create(request: Req) -> Response[Any]:
    web, sent = of(request), await form(request)
    try:
        draft = maintenance_form.parse(sent)
        at_once = maintenance_form.length(sent) if isinstance(draft.rule, Manual) and "now" in sent else None
        async with connection(web.pool) as conn, conn.transaction():
            made = await maintenance.create(conn, draft)
            if at_once is not None:
                await maintenance.start(conn, made, at_once)
            look = audited.maintenance(conn, made)
            await audited.created(conn, principal(request), "maintenance.create", "maintenance", made, look)
    except InvalidInput as wrong:
        return await _again(request, sent, wrong=wrong.fields, status_code=422)
    await announce(web)
    return Redirect("/maintenance?notice=saved", status_code=303)


@get("/maintenance/{maintenance_id:int}/edit", opt=EDITOR)
async def show_edit(request: Req, maintenance_id: FromPath[int]) -> Template:
    async with connection(of(request).pool) as conn:
        found = await maintenance.get(conn, exists(maintenance_id))
        shown = maintenance_form.of(found, request.query_params.get("kind") or None)
        shown.zone.value = _zone_asked(request) or found.zone
        await _offer(conn, shown, found.monitor_ids)
        same = found.rule is not None and maintenance_form.of(found).kind == shown.kind
        preview = Preview(found.coming(NEXT), found.zone) if same else None
        return await _page(request, conn, shown, found=found, preview=preview)


@post("/maintenance/{maintenance_id:int}/edit", status_code=200)
async def edit(request: Req, maintenance_id: FromPath[int]) -> Response[Any]:
    web, sent = of(request), await form(request)
    base = aware(sent.get("updated_at", "")) or datetime.fromtimestamp(0, UTC)
    async with connection(web.pool) as conn:
        await maintenance.get(conn, exists(maintenance_id))
    try:
        draft = maintenance_form.parse(sent)
        async with connection(web.pool) as conn:
            look = audited.maintenance(conn, maintenance_id)
            async with audited.changing(
                conn, principal(request), "maintenance.edit", "maintenance", maintenance_id, look
            ):
                await maintenance.update(conn, maintenance_id, base, draft)
    except InvalidInput as wrong:
        return await _again(request, sent, maintenance_id, wrong=wrong.fields, status_code=422)
    except Conflict:
        return await _again(request, sent, maintenance_id, conflict=True, status_code=409)
    await announce(web)
    return Redirect("/maintenance?notice=saved", status_code=303)


@post("/maintenance/preview", status_code=200)
async def preview(request: Req) -> Template:
    """The next windows of what is typed; nothing is saved."""
    sent = await form(request)
    if not is_fragment(request):
        return await _again(request, sent, _edited(sent))
    found = maintenance_form.preview(sent, datetime.now(UTC), NEXT)
    return render(request, "fragments/maintenance_preview.html", preview=found, in_zone=in_zone)


@post("/maintenance/pick", status_code=200)
async def pick(request: Req) -> Template:
    """The monitors that are chosen, and those that match what is searched for; nothing is saved."""
    sent = await form(request)
    if not is_fragment(request):
        return await _again(request, sent, _edited(sent))
    shown = maintenance_form.again(sent)
    async with connection(of(request).pool) as conn:
        await _offer(conn, shown, maintenance_form.chosen(sent))
    return render(request, "fragments/maintenance_picker.html", form=shown)


def _zone_asked(request: Req) -> str:
    """What was typed before another kind of schedule was chosen."""
    return request.query_params.get("zone", "")[:64]


def _edited(sent: Mapping[str, str]) -> int | None:
    text = sent.get("maintenance", "")
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else None


async def _offer(conn: Connection, shown: Form, chosen: Sequence[int]) -> None:
    """Fill in the monitors that are chosen, and some to choose from."""
    chosen = chosen[:MOST_MONITORS]
    if chosen:
        shown.chosen = await monitors.listed(conn, Filter(), ids=chosen, most=MOST_MONITORS)
    wanted = Filter(search=shown.search or None)
    found = await monitors.listed(conn, wanted, most=FOUND + len(chosen))
    shown.found = [each for each in found if each.id not in set(chosen)][:FOUND]


async def _again(
    request: Req, sent: Mapping[str, str], maintenance_id: int | None = None, *, status_code: int = 200,
    wrong: Mapping[str, str] | None = None, conflict: bool = False,
) -> Template:  # fmt: skip
    """What was sent, once more; after a conflict that is shown, saving it again replaces the other change."""
    shown = maintenance_form.again(sent, wrong)
    typed = maintenance_form.preview(sent, datetime.now(UTC), NEXT)
    async with connection(of(request).pool) as conn:
        found = await maintenance.get(conn, exists(maintenance_id)) if maintenance_id is not None else None
        await _offer(conn, shown, maintenance_form.chosen(sent))
        base = None if conflict else sent.get("updated_at")
        return await _page(request, conn, shown, status_code, found=found, base=base, preview=typed, conflict=conflict)


async def _page(
    request: Req, conn: Connection, shown: Form, status_code: int = 200, *, found: Maintenance | None = None,
    base: str | None = None, preview: Preview | None = None, conflict: bool = False,
) -> Template:  # fmt: skip
    return render(
        request,
        "pages/maintenance_form.html",
        status_code=status_code,
        form=shown,
        found=found,
        base=base or (found.updated_at.isoformat() if found else ""),
        preview=preview,
        conflict=conflict,
        titles=TITLES,
        weekdays=WEEKDAYS,
        zones=sorted(zones()),
        tags=await of(request).tags.read(conn, await monitors.mark(conn)),
        in_zone=in_zone,
    )
