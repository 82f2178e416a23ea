"""What was told to whom, and for owners who changed what."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from pinguin.store import audit, channels, messages
from pinguin.web.api.incident_shapes import Attempt
from pinguin.web.api.operation import Call, operation
from pinguin.web.api.paging import At, Id, Number, Page, Paged, cut, place
from pinguin.web.api.reading import NoBody, Query
from pinguin.web.api.results import Moment
from pinguin.web.gate import OWNER


class OfChannel(Paged, kw_only=True, frozen=True):
    channel: Id | None = None


class WaitingWanted(Query, kw_only=True, frozen=True):
    channel: Id | None = None
    limit: Annotated[int, Meta(ge=1, le=500)] = 50


class Item(msgspec.Struct, kw_only=True, frozen=True):
    """What a message is about; without a monitor, Pinguin itself."""

    kind: str
    at: datetime
    monitor_id: int | None
    monitor: str | None
    incident_id: int | None
    text: str


class Message(msgspec.Struct, kw_only=True, frozen=True):
    """items: how many there are; `listed` has the first 60. unsure: a try had no answer, so it may have come twice."""

    id: Id
    channel_id: Id
    channel: str
    status: str
    attempts: int
    unsure: bool
    created_at: datetime
    ended_at: datetime | None
    due_at: datetime
    subject: str | None
    items: int
    listed: list[Item]
    tries: list[Attempt]


class Waiting(msgspec.Struct, kw_only=True, frozen=True):
    """What is to be told and is not yet. held: why; due: its time has come."""

    kind: str
    at: datetime
    due_at: datetime
    held: str | None
    channel_id: Id
    channel: str
    monitor_id: int | None
    monitor: str | None
    due: bool


class WaitingList(msgspec.Struct, frozen=True):
    """The next first."""

    items: list[Waiting]


Name = Annotated[str, Meta(min_length=1, max_length=100)]


class AuditFilter(Paged, kw_only=True, frozen=True):
    actor: Name | None = None
    kind: Annotated[str, Meta(pattern="^[a-z_]+$", max_length=100, description="of what was changed")] | None = None
    object: Annotated[Id | None, Meta(description="the number of what was changed")] = None
    action: Annotated[str, Meta(pattern=r"^[a-z_]+\.[a-z_]+$", max_length=100)] | None = None
    from_: Moment | None = msgspec.field(default=None, name="from")
    to: Moment | None = None


class Entry(msgspec.Struct, kw_only=True, frozen=True):
    """changes: field → {"from": …, "to": …}, or "changed" of a secret. tries, last_at: of sign-ins that failed."""

    id: Id
    at: datetime
    actor: str
    user_id: int | None
    token_id: int | None
    token_name: str | None
    address: str
    action: str
    object_kind: str
    object_id: int | None
    object_name: str
    changes: dict[str, Any]
    tries: int | None
    last_at: datetime | None


@operation("GET", "/messages")
async def list_messages(call: Call[OfChannel, NoBody]) -> Page[Message]:
    """What was told, the newest first, with each try to deliver it and what the provider answered."""
    before, asked = place(call.query.cursor, At), call.query
    if asked.channel:
        await channels.get(call.conn, asked.channel)
    pair = before.pair if before else None
    found = await messages.page(call.conn, asked.channel, before=pair, most=asked.limit + 1)
    rows, following = cut(found, asked.limit, lambda each: At(each.created_at, each.id))
    return Page(msgspec.convert(rows, list[Message], from_attributes=True), call.following(following))


@operation("GET", "/messages/waiting")
async def list_waiting(call: Call[WaitingWanted, NoBody]) -> WaitingList:
    """What is to be told and is not yet, and why."""
    found = await messages.waiting(call.conn, call.query.channel, call.query.limit)
    return WaitingList(msgspec.convert(found, list[Waiting], from_attributes=True))


@operation("GET", "/audit", opt=OWNER)
async def list_audit(call: Call[AuditFilter, NoBody]) -> Page[Entry]:
    """Who changed what, the newest first. For owners."""
    asked, before = call.query, place(call.query.cursor, Number)
    wanted = audit.Filter(
        actor=asked.actor,
        kind=asked.kind,
        object_id=asked.object,
        action=asked.action,
        since=asked.from_,
        until=asked.to,
    )
    found = await audit.page(call.conn, wanted, before=before.id if before else None, most=asked.limit + 1)
    rows, following = cut(found, asked.limit, lambda each: Number(each.id))
    return Page(msgspec.convert(rows, list[Entry], from_attributes=True), call.following(following))
