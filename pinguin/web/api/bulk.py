"""Many monitors at once: paused, resumed, edited, deleted in one transaction; and taken back within a minute."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from pinguin.db import Connection
from pinguin.errors import InvalidInput, Unavailable
from pinguin.model import AlertRules, AlertStep, Status
from pinguin.store import bulk
from pinguin.store.bulk import Edit
from pinguin.store.monitors import Filter
from pinguin.web import bulk_changes
from pinguin.web.api import definitions
from pinguin.web.api.monitor_shapes import Words
from pinguin.web.api.operation import Call, operation
from pinguin.web.api.paging import Id
from pinguin.web.api.reading import Body, NoBody, NoQuery
from pinguin.web.bulk_form import BulkFields

PATIENCE_S = 120.0
MOST = 10_000


class Matching(Body, kw_only=True, frozen=True):
    """All monitors that match; an empty one is all there are."""

    q: Words | None = None
    status: Status | None = None
    type: Words | None = None
    tags: Annotated[list[Words], Meta(max_length=20, description="all of them")] = msgspec.field(default_factory=list)


class Wanted(Body, kw_only=True, frozen=True):
    """Which monitors: those with these numbers, or all that match. One of both."""

    ids: Annotated[list[Id], Meta(min_length=1, max_length=MOST)] | None = None
    matching: Matching | None = None

    def filter(self) -> Filter:
        """Raises `InvalidInput`."""
        if (self.ids is None) == (self.matching is None):
            raise InvalidInput({"ids": "or `matching` is required, and not both"})
        wanted = self.matching or Matching()
        return Filter(search=wanted.q, status=wanted.status, type=wanted.type, tags=wanted.tags)


class BulkChange(BulkFields, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """What changes of each of them."""

    steps: Annotated[
        list[AlertStep] | UnsetType | None,
        Meta(description="who is told of them from now on, as in `alerts`: [] is nobody, null the default channels"),
    ] = UNSET


class EditWanted(Wanted, kw_only=True, frozen=True):
    change: Annotated[BulkChange, Meta(description="what to change; what is left out stays as it is")]


class Undo(msgspec.Struct, kw_only=True, frozen=True):
    id: Id
    expires_at: datetime


class Changed(msgspec.Struct, kw_only=True, frozen=True):
    """ids: of those that were changed; the others were so before. undo: takes it back, while there is time."""

    ids: list[Id]
    undo: Undo | None


class Undone(msgspec.Struct, kw_only=True, frozen=True):
    """ids: of those that are as they were. left: how many were changed since, and stay so."""

    act: Literal["pause", "resume", "edit", "delete"]
    ids: list[Id]
    left: int


AnyCall = Call[Any, Any]


@operation("POST", "/monitors/bulk/pause", patience_s=PATIENCE_S)
async def pause_monitors(call: Call[NoQuery, Wanted]) -> Changed:
    """Pause many monitors."""
    return await _changed(call, bulk_changes.enable(call.conn, call.who, call.body.filter(), call.body.ids, False))


@operation("POST", "/monitors/bulk/resume", patience_s=PATIENCE_S)
async def resume_monitors(call: Call[NoQuery, Wanted]) -> Changed:
    """Resume many monitors."""
    return await _changed(call, bulk_changes.enable(call.conn, call.who, call.body.filter(), call.body.ids, True))


@operation("POST", "/monitors/bulk/delete", patience_s=PATIENCE_S)
async def delete_monitors(call: Call[NoQuery, Wanted]) -> Changed:
    """Delete many monitors. Their history stays."""
    return await _changed(call, bulk_changes.archive(call.conn, call.who, call.body.filter(), call.body.ids))


@operation("POST", "/monitors/bulk/edit", patience_s=PATIENCE_S)
async def edit_monitors(call: Call[NoQuery, EditWanted]) -> Changed:
    """Change the same of many monitors: all of them, or none where it does not fit one."""
    own = call.body.change
    change = Edit(
        interval_s=own.interval_s,
        timeout_s=own.timeout_s,
        regions=list(dict.fromkeys(own.regions)) or None,
        failure_threshold=own.failure_threshold,
        recovery_threshold=own.recovery_threshold,
        add=list(dict.fromkeys(own.add)),
        remove=list(dict.fromkeys(own.remove)),
        alerts=own.steps is not UNSET,
        steps=await _steps(call.conn, own.steps),
    )
    if change == Edit():
        raise InvalidInput({"change": "is empty, so there is nothing to change"})
    wanted = call.body.filter()
    return await _changed(call, bulk_changes.edit(call.conn, call.who, wanted, call.body.ids, change))


async def _steps(conn: Connection, sent: Sequence[AlertStep] | UnsetType | None) -> list[dict[str, Any]] | None:
    """As `monitors.alerts` has them. Raises `InvalidInput`."""
    if sent is UNSET or sent is None:
        return None
    try:
        steps: list[dict[str, Any]] = definitions.alerting(AlertRules(steps=sent))["steps"]
        await definitions.check_steps(conn, steps)
    except InvalidInput as wrong:
        fields = {name.replace("alerts.", "change.", 1): words for name, words in wrong.fields.items()}
        raise InvalidInput(fields) from None
    return steps


async def _changed(call: AnyCall, change: Awaitable[list[int]]) -> Changed:
    ids = await change
    call.later.append(_announce(call, ids))
    found = await bulk.open_undo(call.conn, call.who.user_id or 0) if ids else None
    return Changed(ids=sorted(ids), undo=Undo(id=found.id, expires_at=found.expires_at) if found else None)


@operation("POST", "/monitors/bulk/undo/{id:int}", patience_s=PATIENCE_S)
async def undo_change(call: Call[NoQuery, NoBody]) -> Undone:
    """Take back what you did to many. 404 where it is too late."""
    act, ids, left = await bulk_changes.undo(call.conn, call.who, call.id)
    call.later.append(_announce(call, ids))
    return Undone(act=act, ids=sorted(ids), left=left)


def _announce(call: AnyCall, ids: Sequence[int]) -> Callable[[], Awaitable[None]]:
    async def tell() -> None:
        with suppress(Unavailable):
            await call.web.broker.announce_change(ids)

    return tell
