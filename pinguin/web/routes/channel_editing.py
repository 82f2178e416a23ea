"""Adding and editing channels, trying one before it is saved, and seeing what its templates make."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from litestar import Response, get, post
from litestar.params import FromPath
from litestar.response import Redirect, Template

from pinguin.alerts.contract import ChannelType, Rendered
from pinguin.alerts.render import check
from pinguin.alerts.render import render as render_message
from pinguin.alerts.samples import SAMPLES
from pinguin.errors import Conflict, InvalidInput, NotFound
from pinguin.secrets import NO_KEY
from pinguin.store import channels
from pinguin.store.channels import Channel
from pinguin.web import audited, channel_form, channel_views
from pinguin.web.channel_form import DAYS, NOTHING, TEMPLATES, Form, Saved, zones
from pinguin.web.database import connection
from pinguin.web.gate import EDITOR, form, principal
from pinguin.web.routes.channels import exists, off, send_test
from pinguin.web.service import Req, Web, aware, is_fragment, of
from pinguin.web.templating import render


def _kind(web: Web, name: str) -> ChannelType:
    """The kind called `name`; the first one people want, if it is empty."""
    wanted = name or ("email" if "email" in web.kinds else next(iter(web.kinds)))
    if wanted not in web.kinds:
        raise InvalidInput({"kind": f"{wanted[:40]!r} is not a kind of channel; there are {', '.join(web.kinds)}"})
    return web.kinds[wanted]


@get("/channels/new", opt=EDITOR)
async def show_new(request: Req) -> Template:
    web = of(request)
    kind = _kind(web, request.query_params.get("kind", ""))
    async with connection(web.pool) as conn:
        others = bool(await channels.listed(conn))
    return _form(request, channel_form.first(kind, others))


@post("/channels/new", status_code=200)
async def create(request: Req) -> Response[Any]:
    web, sent = of(request), await form(request)
    kind = _kind(web, sent.get("kind", ""))
    try:
        draft = channel_form.parse(kind, sent, NOTHING).draft(web.keys, NOTHING)
        async with connection(web.pool) as conn, conn.transaction():
            made = await channels.create(conn, draft)
            look = audited.channel(conn, web.kinds, made)
            await audited.created(conn, principal(request), "channel.create", "channel", made, look)
    except InvalidInput as wrong:
        return _form(request, channel_form.again(kind, sent, wrong, NOTHING), status_code=422, sent=sent)
    return Redirect("/channels?notice=saved", status_code=303)


@get("/channels/{channel_id:int}/edit", opt=EDITOR)
async def show_edit(request: Req, channel_id: FromPath[int]) -> Template:
    web = of(request)
    async with connection(web.pool) as conn:
        channel = await channels.get(conn, exists(channel_id))
    kind = _kind(web, request.query_params.get("kind", "") or channel.kind)
    saved = channel_form.opened(channel, kind, web.keys)
    return _form(request, channel_form.of(channel, kind, saved), channel=channel, saved=saved)


@post("/channels/{channel_id:int}/edit", status_code=200)
async def edit(request: Req, channel_id: FromPath[int]) -> Response[Any]:
    web, sent = of(request), await form(request)
    async with connection(web.pool) as conn:
        channel = await channels.get(conn, exists(channel_id))
    kind = _kind(web, sent.get("kind", ""))
    saved = channel_form.opened(channel, kind, web.keys)
    shown: dict[str, Any] = {"channel": channel, "saved": saved, "sent": sent}
    try:
        draft = channel_form.parse(kind, sent, saved).draft(web.keys, saved)
        async with connection(web.pool) as conn:
            look = audited.channel(conn, web.kinds, channel_id)
            async with audited.changing(conn, principal(request), "channel.edit", "channel", channel_id, look):
                await channels.update(conn, channel_id, _base(sent), draft)
    except InvalidInput as wrong:
        return _form(request, channel_form.again(kind, sent, wrong, saved), status_code=422, **shown)
    except Conflict:
        again = channel_form.again(kind, sent, None, saved)
        return _form(request, again, status_code=409, conflict=True, base=channel.updated_at, **shown)
    return Redirect("/channels?notice=saved", status_code=303)


def _base(sent: Mapping[str, str]) -> datetime:
    """Which state of the channel the form was made from; what is no such thing matches none."""
    return aware(sent.get("updated_at", "")) or datetime.fromtimestamp(0, UTC)


@post("/channels/test", status_code=200)
async def try_out(request: Req) -> Response[Any]:
    """Sends a test message as the form says, and saves nothing."""
    web, sent = of(request), await form(request)
    channel = await _edited(web, sent)
    kind = _kind(web, sent.get("kind", ""))
    saved = channel_form.opened(channel, kind, web.keys) if channel else NOTHING
    outcome, wrong = None, None
    try:
        read = channel_form.parse(kind, {**sent, "name": sent.get("name", "").strip() or "Test"}, saved)
        own = read.own
        if channel:
            target = kind.parse(read.plain).target()
            await audited.tried(web.pool, principal(request), "channel", channel.id, channel.name, target)
        outcome = await send_test(web, kind.name, read.plain, own.name, own.subject_template, own.body_template)
    except InvalidInput as error:
        wrong = error
    if is_fragment(request):
        return render(request, "fragments/sent.html", outcome=outcome, wrong=_named(kind, wrong), tried=None)
    shown = channel_form.again(kind, sent, wrong, saved)
    return _form(request, shown, channel=channel, saved=saved, sent=sent, outcome=outcome)


async def _edited(web: Web, sent: Mapping[str, str]) -> Channel | None:
    """The channel whose form this is, from its id as the page sends it."""
    text = sent.get("channel", "")
    if not text:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) < 19):
        raise NotFound("There is no such channel.")
    async with connection(web.pool) as conn:
        return await channels.get(conn, int(text))


def _named(kind: ChannelType, wrong: InvalidInput | None) -> list[tuple[str, str]]:
    """Errors with the titles of their fields."""
    shown = channel_form.again(kind, {}, wrong, NOTHING)
    found = [(each.title, each.error) for each in (*shown.options, *shown.fields) if each.error]
    return found + [("Days", shown.wrong_days)] * bool(shown.wrong_days) + [("", words) for words in shown.problems]


@post("/channels/preview", status_code=200)
async def preview(request: Req) -> Response[Any]:
    """What the templates make of a sample."""
    web, sent = of(request), await form(request)
    if is_fragment(request):
        return render(request, "fragments/preview.html", preview=_preview(sent), samples=SAMPLES)
    channel = await _edited(web, sent)
    kind = _kind(web, sent.get("kind", ""))
    saved = channel_form.opened(channel, kind, web.keys) if channel else NOTHING
    return _form(request, channel_form.again(kind, sent, None, saved), channel=channel, saved=saved, sent=sent)


def _preview(sent: Mapping[str, str]) -> dict[str, Any]:
    """The sample's name, the message in words, and what is wrong with the templates, by their names."""
    sample = sent.get("sample", "")
    sample = sample if sample in SAMPLES else "down"
    sources = {name: sent.get(name, "").replace("\r\n", "\n") for name in TEMPLATES}
    wrong: dict[str, str] = {}
    for name, source in sources.items():
        try:
            check(source, name)
        except InvalidInput as error:
            wrong |= error.fields
            sources[name] = ""
    message: Rendered = render_message(SAMPLES[sample](), *sources.values())
    return {"sample": sample, "message": message, "wrong": wrong}


def _form(
    request: Req, shown: Form, *, status_code: int = 200, channel: Channel | None = None, saved: Saved = NOTHING,
    sent: Mapping[str, str] | None = None, **context: Any,
) -> Template:  # fmt: skip
    """What `sent` says of the templates is previewed, else what is stored. The hidden field stays that which the form
    was made from, except after a conflict that was shown.
    """
    web = of(request)
    base = (sent or {}).get("updated_at") or (channel.updated_at if channel else "")
    stored = {name: getattr(channel, name) or "" for name in TEMPLATES} if channel else {}
    secret = any(each.secret for each in shown.options)
    return render(
        request,
        "pages/channel.html",
        status_code=status_code,
        form=shown,
        channel=channel,
        broken=saved.broken or (f"A secret {NO_KEY}" if secret and not web.keys else ""),
        kinds=web.kinds,
        off=off(web),
        days=DAYS,
        zones=zones(),
        preview=_preview(stored if sent is None else sent),
        samples=SAMPLES,
        variables=channel_views.variables(),
        **({"outcome": None, "conflict": False, "base": base} | context),
    )
