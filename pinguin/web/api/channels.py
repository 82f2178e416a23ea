"""Channels: listed, made, changed, tried, switched on and off; and groups of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from pinguin.alerts.contract import ChannelType, Outcome
from pinguin.alerts.render import check, render
from pinguin.alerts.samples import SAMPLES
from pinguin.errors import InvalidInput
from pinguin.secrets import secret_fields
from pinguin.store import channels as store
from pinguin.web import audited, channel_form
from pinguin.web.api.channel_shapes import (
    Channel,
    ChannelDefinition,
    ChannelPatch,
    ChannelTrial,
    Sent,
    mark_of,
    read,
    shape,
    written,
)
from pinguin.web.api.operation import Call, operation
from pinguin.web.api.paging import Page, Paged, numbered
from pinguin.web.api.reading import Body, NoBody, NoQuery, merged
from pinguin.web.channel_form import NOTHING, TEMPLATES, Saved
from pinguin.web.database import connection
from pinguin.web.routes.channels import send_test
from pinguin.web.routes.channels import shown as with_state

AnyCall = Call[Any, Any]
Sample = Literal["down", "up", "reminder", "late", "degraded", "certificate", "digest", "test"]


@operation("GET", "/channels")
async def list_channels(call: Call[Paged, NoBody]) -> Page[Channel]:
    """Channels: where alerts go, and how they are."""
    rows, following = numbered(await store.listed(call.conn), call.query)
    return Page([_shape(call, each) for each in rows], call.following(following))


@operation("GET", "/channels/{id:int}", etag=True)
async def show_channel(call: Call[NoQuery, NoBody]) -> Channel:
    """One channel. Secrets among its options are named in `secrets`, and never shown."""
    return await _shown(call, call.id)


@operation("POST", "/channels", status=201, etag=True, loose=True)
async def create_channel(call: Call[NoQuery, ChannelDefinition]) -> Channel:
    """A new channel."""
    kind = _kind(call, call.sent.get("kind"))
    made = await store.create(call.conn, read(kind, call.sent, NOTHING).draft(call.web.keys, NOTHING))
    look = audited.channel(call.conn, call.web.kinds, made)
    await audited.created(call.conn, call.who, "channel.create", "channel", made, look)
    call.made(f"/channels/{made}")
    return await _shown(call, made)


@operation("PUT", "/channels/{id:int}", etag=True, if_match=True, loose=True)
async def replace_channel(call: Call[NoQuery, ChannelDefinition]) -> Channel:
    """All that people write of a channel, anew. Secrets that are left out are kept, unless they would go to another
    place now.
    """
    return await _change(call, await store.get(call.conn, call.id), call.sent)


@operation("PATCH", "/channels/{id:int}", etag=True, if_match=True)
async def change_channel(call: Call[NoQuery, ChannelPatch]) -> Channel:
    """Some of what people write of a channel: a merge patch (RFC 7396), in which null means: as by default."""
    before = await store.get(call.conn, call.id)
    kind = _kind(call, call.sent.get("kind", before.kind))
    stored = written(before, kind if kind.name == before.kind else None)
    sent: dict[str, Any] = merged(stored, call.sent)
    given = call.sent.get("options")
    if isinstance(given, Mapping):  # a null takes away a secret too, which is not among what is read
        sent["options"] |= {name: None for name in secret_fields(kind.options) if given.get(name, ...) is None}
    return await _change(call, before, sent)


async def _change(call: AnyCall, before: store.Channel, sent: Mapping[str, Any]) -> Channel:
    call.unless_changed(mark_of(before))
    kind = _kind(call, sent.get("kind"))
    saved = channel_form.opened(before, kind, call.web.keys)
    draft = read(kind, sent, saved).draft(call.web.keys, saved)
    look = audited.channel(call.conn, call.web.kinds, before.id)
    async with audited.changing(call.conn, call.who, "channel.edit", "channel", before.id, look):
        await store.update(call.conn, before.id, before.updated_at, draft)
    return await _shown(call, before.id)


@operation("DELETE", "/channels/{id:int}", if_match=True)
async def delete_channel(call: Call[NoQuery, NoBody]) -> None:
    """Delete a channel. Its log stays."""
    call.unless_changed(mark_of(await store.get(call.conn, call.id)))
    look = audited.channel(call.conn, call.web.kinds, call.id)
    async with audited.changing(call.conn, call.who, "channel.delete", "channel", call.id, look):
        await store.archive(call.conn, call.id)


@operation("POST", "/channels/{id:int}/on", etag=True)
async def switch_channel_on(call: Call[NoQuery, NoBody]) -> Channel:
    """Tell it of things again."""
    return await _enable(call, True)


@operation("POST", "/channels/{id:int}/off", etag=True)
async def switch_channel_off(call: Call[NoQuery, NoBody]) -> Channel:
    """Tell it of nothing. What waits is not told any more."""
    return await _enable(call, False)


async def _enable(call: AnyCall, enabled: bool) -> Channel:
    look, action = audited.channel(call.conn, call.web.kinds, call.id), "channel.on" if enabled else "channel.off"
    async with audited.changing(call.conn, call.who, action, "channel", call.id, look):
        await store.enable(call.conn, call.id, enabled)
    return await _shown(call, call.id)


@operation("POST", "/channels/{id:int}/retry", etag=True)
async def retry_channel(call: Call[NoQuery, NoBody]) -> Channel:
    """Send what waits at once, although the provider refused it or does not answer."""
    await store.retry(call.conn, call.id)
    return await _shown(call, call.id)


@operation("POST", "/channels/{id:int}/test", holds="nothing")
async def test_channel(call: Call[NoQuery, NoBody]) -> Sent:
    """Send a test message, and say what the provider answered."""
    async with connection(call.web.pool) as conn:
        found = await store.get(conn, call.id)
    texts = found.subject_template, found.body_template
    return _sent(await send_test(call.web, found.kind, found.options, found.name, *texts))


@operation("POST", "/channels/try", holds="nothing", loose=True)
async def try_channel(call: Call[NoQuery, ChannelTrial]) -> Sent:
    """Send a test message to a channel that is not saved. With `channel`, secrets that are left out are those of that
    channel, as far as they go to the same place; and the audit log says who tried what.
    """
    sent = {"name": "Test", **call.sent}
    number, kind = sent.pop("channel", None), _kind(call, sent.get("kind"))
    saved, found = NOTHING, None
    if number is not None:
        found, saved = await _saved(call, kind, number)
    draft = read(kind, sent, saved)
    if found:
        target = kind.parse(draft.plain).target()
        await audited.tried(call.web.pool, call.who, "channel", found.id, found.name, target)
    own = draft.own
    outcome = await send_test(call.web, kind.name, draft.plain, own.name, own.subject_template, own.body_template)
    return _sent(outcome)


async def _saved(call: AnyCall, kind: ChannelType, number: Any) -> tuple[store.Channel, Saved]:
    if not isinstance(number, int) or not 0 < number < 2**63:
        raise InvalidInput({"channel": "must be the number of a channel"})
    async with connection(call.web.pool) as conn:
        found = await store.get(conn, number)
    return found, channel_form.opened(found, kind, call.web.keys)


def _sent(outcome: Outcome) -> Sent:
    how: Literal["delivered", "failed", "refused"] = (
        "delivered" if outcome.ok else "refused" if outcome.permanent else "failed"
    )
    return Sent(outcome=how, answer=outcome.answer, latency_ms=outcome.latency_ms)


def _kind(call: AnyCall, name: Any) -> ChannelType:
    if not isinstance(name, str) or name not in call.web.kinds:
        raise InvalidInput({"kind": f"must be one of {', '.join(call.web.kinds)}"})
    return call.web.kinds[name]


def _shape(call: AnyCall, found: store.Channel) -> Channel:
    return shape(with_state(call.web, found), call.web.kinds.get(found.kind), call.who)


async def _shown(call: AnyCall, channel_id: int) -> Channel:
    found = await store.get(call.conn, channel_id)
    call.mark = mark_of(found)
    return _shape(call, found)


class Templates(Body, kw_only=True, frozen=True):
    """Empty: Pinguin's own words. sample: what the message is to be about."""

    subject_template: Annotated[str, Meta(max_length=2000)] = ""
    body_template: Annotated[str, Meta(max_length=16000)] = ""
    sample: Sample = "down"


class Previewed(msgspec.Struct, kw_only=True, frozen=True):
    """The message as it would be sent."""

    subject: str
    text: str
    html: str


@operation("POST", "/channels/preview", holds="nothing")
async def preview_templates(call: Call[NoQuery, Templates]) -> Previewed:
    """What templates make of a sample. Nothing is sent."""
    sources = {name: getattr(call.body, name).replace("\r\n", "\n") for name in TEMPLATES}
    wrong: dict[str, str] = {}
    for name, source in sources.items():
        try:
            check(source, name)
        except InvalidInput as error:
            wrong |= error.fields
    if wrong:
        raise InvalidInput(wrong)
    made = render(SAMPLES[call.body.sample](), *sources.values())
    return Previewed(subject=made.subject, text=made.text, html=made.html)
