"""Channels: what there is and how it is, and what can be done to one from there; groups of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath
from litestar.response import Redirect, Template

from pinguin.alerts.contract import Outcome
from pinguin.errors import InvalidInput, NotFound
from pinguin.fields import convert
from pinguin.fields import field as described
from pinguin.store import channels
from pinguin.store.channels import Channel
from pinguin.web import audited, channel_views, forms
from pinguin.web.channel_views import HELD, Shown
from pinguin.web.database import connection
from pinguin.web.gate import EDITOR, form, principal
from pinguin.web.service import Req, Web, is_fragment, of
from pinguin.web.templating import render

NOTICES = {
    "saved": "Saved.",
    "tried": "What waits is sent again now. How that goes is seen here in a moment.",
    "deleted": "Deleted. Its log stays.",
}


class GroupFields(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: Annotated[str, described("Name", min_length=1, max_length=100)]


def exists(channel_id: int, what: str = "channel") -> int:
    """The id, if it can be one at all."""
    if not 0 < channel_id < 2**63:
        raise NotFound(f"There is no {what} {channel_id}.")
    return channel_id


def off(web: Web) -> dict[str, str]:
    """Why a kind cannot be used with these settings, by its name."""
    found = {name: kind.off(web.settings) for name, kind in web.kinds.items()}
    return {name: words for name, words in found.items() if words}


def shown(web: Web, channel: Channel) -> Shown:
    return channel_views.shown(channel, web.kinds, web.keys, off(web))


@get("/channels")
async def show_channels(request: Req) -> Template:
    return await _list(request, notice=NOTICES.get(request.query_params.get("notice", ""), ""))


async def _list(request: Req, status_code: int = 200, **given: Any) -> Template:
    web = of(request)
    async with connection(web.pool) as conn:
        found = await channels.listed(conn)
        groups = await channels.groups(conn)
    context = {"notice": "", "group": None, "sent": {}, "wrong": {}, "outcome": None, "tried": None, **given}
    context["sent"] = {name: forms.shown(text) for name, text in context["sent"].items()}
    return render(
        request,
        "pages/channels.html",
        status_code=status_code,
        channels=[shown(web, each) for each in found],
        groups=groups,
        kinds=web.kinds,
        held=HELD,
        **context,
    )


@post("/channels/{channel_id:int}/test", status_code=200)
async def try_saved(request: Req, channel_id: FromPath[int]) -> Template:
    """Sends a test message, and shows what the provider answered."""
    web = of(request)
    async with connection(web.pool) as conn:
        channel = await channels.get(conn, exists(channel_id))
    outcome = await send_test(
        web, channel.kind, channel.options, channel.name, channel.subject_template, channel.body_template
    )
    if is_fragment(request):
        return render(request, "fragments/sent.html", outcome=outcome, wrong=[], tried=channel)
    return await _list(request, outcome=outcome, tried=channel)


async def send_test(
    web: Web, kind: str, options: Mapping[str, Any], name: str, subject: str | None, body: str | None
) -> Outcome:
    """Few at the same time; none holds a database connection."""
    async with web.tests:
        return await web.courier.send_test(
            kind, options, name, web.settings.base_url, subject=subject or "", body=body or ""
        )


@post("/channels/{channel_id:int}/on", status_code=303)
async def switch_on(request: Req, channel_id: FromPath[int]) -> Redirect:
    return await _enable(request, channel_id, enabled=True)


@post("/channels/{channel_id:int}/off", status_code=303)
async def switch_off(request: Req, channel_id: FromPath[int]) -> Redirect:
    return await _enable(request, channel_id, enabled=False)


async def _enable(request: Req, channel_id: int, *, enabled: bool) -> Redirect:
    web, action = of(request), "channel.on" if enabled else "channel.off"
    async with connection(web.pool) as conn:
        look = audited.channel(conn, web.kinds, exists(channel_id))
        async with audited.changing(conn, principal(request), action, "channel", channel_id, look):
            await channels.enable(conn, channel_id, enabled)
    return Redirect("/channels", status_code=303)


@post("/channels/{channel_id:int}/retry", status_code=303)
async def try_again(request: Req, channel_id: FromPath[int]) -> Redirect:
    async with connection(of(request).pool) as conn:
        await channels.retry(conn, exists(channel_id))
    return Redirect("/channels?notice=tried", status_code=303)


@get("/channels/{channel_id:int}/delete", opt=EDITOR)
async def show_delete(request: Req, channel_id: FromPath[int]) -> Template:
    async with connection(of(request).pool) as conn:
        channel = await channels.get(conn, exists(channel_id))
        chosen_by = await channels.chosen_by(conn, channel_id)
    return render(request, "pages/channel_delete.html", channel=channel, chosen_by=chosen_by)


@post("/channels/{channel_id:int}/delete", status_code=303)
async def delete(request: Req, channel_id: FromPath[int]) -> Redirect:
    web = of(request)
    async with connection(web.pool) as conn:
        look = audited.channel(conn, web.kinds, exists(channel_id))
        async with audited.changing(conn, principal(request), "channel.delete", "channel", channel_id, look):
            await channels.archive(conn, channel_id)
    return Redirect("/channels?notice=deleted", status_code=303)


@post("/channel-groups/new", status_code=200)
async def create_group(request: Req) -> Response[Any]:
    sent = await form(request)
    try:
        name, members = await _group(request, sent)
        async with connection(of(request).pool) as conn, conn.transaction():
            made = await channels.create_group(conn, name, members)
            look = audited.group(conn, made)
            await audited.created(conn, principal(request), "group.create", "group", made, look)
    except InvalidInput as wrong:
        return await _list(request, 422, group=0, sent=sent, wrong=wrong.fields)
    return Redirect("/channels?notice=saved#groups", status_code=303)


@post("/channel-groups/{group_id:int}/edit", status_code=200)
async def edit_group(request: Req, group_id: FromPath[int]) -> Response[Any]:
    sent = await form(request)
    try:
        name, members = await _group(request, sent)
        async with connection(of(request).pool) as conn:
            look = audited.group(conn, exists(group_id, "group"))
            async with audited.changing(conn, principal(request), "group.edit", "group", group_id, look):
                await channels.update_group(conn, group_id, _mark(sent), name, members)
    except InvalidInput as wrong:
        return await _list(request, 422, group=group_id, sent=sent, wrong=wrong.fields)
    return Redirect("/channels?notice=saved#groups", status_code=303)


@get("/channel-groups/{group_id:int}/delete", opt=EDITOR)
async def show_delete_group(request: Req, group_id: FromPath[int]) -> Template:
    async with connection(of(request).pool) as conn:
        groups = await channels.groups(conn)
        known = await channels.listed(conn)
    group = next((each for each in groups if each.id == exists(group_id, "group")), None)
    if group is None:
        raise NotFound(f"There is no group {group_id}. It may have been deleted.")
    members = [each.name for each in known if each.id in group.channel_ids]
    return render(request, "pages/group_delete.html", group=group, members=members)


@post("/channel-groups/{group_id:int}/delete", status_code=303)
async def delete_group(request: Req, group_id: FromPath[int]) -> Redirect:
    async with connection(of(request).pool) as conn:
        look = audited.group(conn, exists(group_id, "group"))
        async with audited.changing(conn, principal(request), "group.delete", "group", group_id, look):
            await channels.delete_group(conn, group_id)
    return Redirect("/channels?notice=saved#groups", status_code=303)


def _mark(sent: Mapping[str, str]) -> str:
    """Which state of the group the form was made from; what is no such thing matches none."""
    mark = sent.get("mark", "")
    return mark if mark.isascii() and mark.isdecimal() else ""


async def _group(request: Req, sent: Mapping[str, str]) -> tuple[str, list[int]]:
    """Its name, and those of the ticked channels that are still there. Raises `InvalidInput`."""
    name = convert(forms.read(forms.fields(GroupFields), sent, {}), GroupFields).name
    async with connection(of(request).pool) as conn:
        choices = await channels.choices(conn)
    return name, [each.id for each in choices.channels if f"channel.{each.id}" in sent]
