"""Adding, editing and cloning monitors, and trying one out before it is saved."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from litestar import Response, get, post
from litestar.params import FromPath
from litestar.response import Redirect, Template

from pinguin.checks import runner
from pinguin.checks.contract import CheckType
from pinguin.checks.runner import Report
from pinguin.errors import Conflict, InvalidInput, NotFound
from pinguin.model import PHASES
from pinguin.store import channels, monitors, pages
from pinguin.store.monitors import Draft, Monitor
from pinguin.web import alert_form, audited, forms, monitor_changes, monitor_form, views
from pinguin.web import saved as saved_secrets
from pinguin.web.alert_form import ALERT, Known
from pinguin.web.database import connection
from pinguin.web.gate import EDITOR, form, principal
from pinguin.web.monitor_form import OPTION, Form
from pinguin.web.routes.monitor import announce, exists
from pinguin.web.saved import NOTHING
from pinguin.web.service import Req, Web, aware, is_fragment, of
from pinguin.web.templating import render


def _kind(web: Web, name: str) -> CheckType:
    """The check type called `name`; the first one people want, if it is empty."""
    wanted = name or ("http" if "http" in web.types else next(iter(web.types)))
    if wanted not in web.types:
        raise InvalidInput({"type": f"{wanted[:40]!r} is not a check type; there are {', '.join(web.types)}"})
    return web.types[wanted]


async def _source(web: Web, text: str) -> Monitor | None:
    """The monitor that is cloned, from its id as the page sends it."""
    if not text:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) < 19):
        raise NotFound("There is no such monitor to clone.")
    async with connection(web.pool) as conn:
        return await monitors.get(conn, int(text))


async def _known(web: Web, source: Monitor | None, *, own: bool = False, shown: bool = False) -> Known:
    """What alert rules may name; and the stored ones of `source`. own: it is the monitor that is edited, no copy.

    shown: for a form as it is stored, which names few monitors.
    """
    async with connection(web.pool) as conn:
        choices = await channels.choices(conn, (source.depends_on if source else []) if shown else None)
    if source is None:
        return Known(choices)
    return Known(choices, source.alerts, source.depends_on, source.id if own else None)


@get("/monitors/new", opt=EDITOR)
async def show_new(request: Req) -> Template:
    web = of(request)
    source = await _source(web, request.query_params.get("from", ""))
    kind = _kind(web, request.query_params.get("type", "") or (source.type if source else ""))
    known = await _known(web, source, shown=True)
    shown = monitor_form.of(source, kind, known) if source else monitor_form.blank(kind, known)
    if source:
        shown.fields[0].value = f"{source.name} (copy)"[:200]
    _keep_typed(request, shown)
    return _new(request, shown, source)


def _keep_typed(request: Req, shown: Form) -> None:
    """What somebody typed before they chose another check type, as far as every type has it."""
    for each in shown.fields:
        if typed := request.query_params.get(each.name, ""):
            each.value = typed


@post("/monitors/new", status_code=200)
async def create(request: Req) -> Response[Any]:
    web, sent = of(request), await form(request)
    source = await _source(web, sent.get("from", ""))
    kind = _kind(web, sent.get("type", ""))
    saved, known = saved_secrets.of_monitor(source, kind, web.keys), await _known(web, source)
    try:
        definition, _ = monitor_form.parse(kind, sent, saved, known)
        async with connection(web.pool) as conn:
            who = principal(request)
            monitor_id = await monitor_changes.create(conn, who, web.types, definition, source, keys=web.keys)
    except InvalidInput as wrong:
        return _new(request, monitor_form.again(kind, sent, wrong, saved, known), source, status_code=422)
    await announce(web, monitor_id)
    return Redirect(f"/monitors/{monitor_id}", status_code=303)


@get("/monitors/{monitor_id:int}/edit", opt=EDITOR)
async def show_edit(request: Req, monitor_id: FromPath[int]) -> Template:
    web = of(request)
    async with connection(web.pool) as conn:
        monitor = await monitors.get(conn, exists(monitor_id))
    kind = _kind(web, request.query_params.get("type", "") or monitor.type)
    shown = monitor_form.of(monitor, kind, await _known(web, monitor, own=True, shown=True))
    _keep_typed(request, shown)
    return _edit(request, shown, monitor)


@post("/monitors/{monitor_id:int}/edit", status_code=200)
async def edit(request: Req, monitor_id: FromPath[int]) -> Response[Any]:
    web, sent = of(request), await form(request)
    async with connection(web.pool) as conn:
        monitor = await monitors.get(conn, exists(monitor_id))
    kind = _kind(web, sent.get("type", ""))
    saved, known = saved_secrets.of_monitor(monitor, kind, web.keys), await _known(web, monitor, own=True)
    try:
        definition, _ = monitor_form.parse(kind, sent, saved, known)
        await _update(request, monitor_id, sent, definition)
    except InvalidInput as wrong:
        return _edit(request, monitor_form.again(kind, sent, wrong, saved, known), monitor, sent=sent, status_code=422)
    except Conflict:
        shown = monitor_form.again(kind, sent, None, saved, known)
        return _edit(request, shown, monitor, conflict=True, status_code=409)
    await announce(web, monitor_id)
    return Redirect(f"/monitors/{monitor_id}?notice=saved", status_code=303)


async def _update(request: Req, monitor_id: int, sent: Mapping[str, str], definition: Draft) -> None:
    web, who = of(request), principal(request)
    try:
        async with connection(web.pool) as conn:
            given = monitor_id, *_base(sent), definition
            await monitor_changes.update(conn, who, web.types, *given, keys=web.keys)
    except InvalidInput as wrong:
        fields = {name if name.startswith(OPTION) else ALERT + name: words for name, words in wrong.fields.items()}
        raise InvalidInput(fields) from None


def _base(sent: Mapping[str, str]) -> tuple[int, datetime]:
    """Which state of the monitor the form was made from; what is no such thing matches none."""
    version = sent.get("version", "")
    good = version.isascii() and version.isdecimal() and len(version) < 10
    return int(version) if good else 0, aware(sent.get("updated_at", "")) or datetime.fromtimestamp(0, UTC)


@post("/monitors/type", status_code=200)
async def change_type(request: Req) -> Template:
    """The form for another check type, with what every type has as somebody typed it. Saves nothing."""
    web, sent = of(request), await form(request)
    source = await _source(web, sent.get("monitor", "") or sent.get("from", ""))
    kind, known = _kind(web, sent.get("type", "")), await _known(web, source, own=bool(sent.get("monitor")))
    shown = monitor_form.of(source, kind, known) if source else monitor_form.blank(kind, known)
    for each in shown.fields:
        each.value = forms.shown(sent.get(each.name, "")) or each.value
    shown.alerts = alert_form.again(sent, {}, known)
    if sent.get("monitor") and source:
        return _edit(request, shown, source, sent=sent)
    return _new(request, shown, source)


@post("/monitors/test", status_code=200)
async def try_out(request: Req) -> Response[Any]:
    """Runs the check once, here, and saves nothing."""
    web, sent = of(request), await form(request)
    source = await _source(web, sent.get("monitor", "") or sent.get("from", ""))
    kind = _kind(web, sent.get("type", ""))
    saved = saved_secrets.of_monitor(source, kind, web.keys)
    known = await _known(web, source, own=bool(sent.get("monitor")))
    report, wrong = None, None
    try:
        if kind.passive:
            raise InvalidInput({"type": f"{kind.title} waits to be pinged, so there is nothing to try"})
        named = {name: value for name, value in sent.items() if name != "alerts"}  # nobody is told of a try
        named["name"] = sent.get("name", "").strip() or "Test"
        definition, options = monitor_form.parse(kind, named, saved, known)
        if saved.plain and source:
            target = options.target()
            await audited.tried(web.pool, principal(request), "monitor", source.id, source.name, target)
        async with web.tests:
            report = await runner.run(kind, options, min(definition.timeout_s, 60.0), web.resources)
    except InvalidInput as error:
        wrong = error
    outcome = _outcome(report) if report else None
    if is_fragment(request):
        return render(request, "fragments/outcome.html", outcome=outcome, wrong=_named(kind, wrong, known))
    shown = monitor_form.again(kind, sent, wrong, saved, known)
    if sent.get("monitor") and source:
        return _edit(request, shown, source, sent=sent, outcome=outcome)
    return _new(request, shown, source, outcome=outcome)


def _named(kind: CheckType, wrong: InvalidInput | None, known: Known) -> list[tuple[str, str]]:
    """Errors with the titles of their fields."""
    shown = monitor_form.again(kind, {}, wrong, NOTHING, known)
    found = [(each.title, each.error) for each in (*shown.fields, *shown.options) if each.error]
    return found + [("", words) for words in shown.problems]


def _outcome(report: Report) -> views.Line:
    """The report as if it were a stored result, to be shown the same way."""
    now = datetime.now(UTC)
    times = {f"{name}_ms": report.phases.get(name) for name in PHASES}
    result = pages.ResultRow(
        scheduled_at=now,
        region="",
        status=report.status.value,
        reason=report.reason,
        message=report.message,
        latency_ms=report.latency_ms,
        started_at=now,
        recorded_at=now,
        evidence=dict(report.evidence),
        **times,
    )
    return views.Line(result, views.phases(result))


def _new(request: Req, shown: Form, source: Monitor | None, status_code: int = 200, **context: Any) -> Template:
    return _form(request, shown, status_code, monitor=None, source=source, **context)


def _edit(
    request: Req, shown: Form, monitor: Monitor, status_code: int = 200, sent: Mapping[str, str] | None = None,
    **context: Any,
) -> Template:  # fmt: skip
    """The hidden fields stay those that the form was made from, except after a conflict that was shown."""
    base = (sent or {}).get("version") or monitor.version, (sent or {}).get("updated_at") or monitor.updated_at
    return _form(request, shown, status_code, monitor=monitor, source=None, base=base, **context)


def _form(request: Req, shown: Form, status_code: int, **context: Any) -> Template:
    defaults = {"outcome": None, "conflict": False, "base": None}
    types = monitor_form.offered(of(request).types)
    return render(request, "pages/form.html", status_code=status_code, form=shown, types=types, **(defaults | context))
