"""Monitors: listed, shown, added, changed, paused, checked, deleted."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any

from pinguin.checks import runner
from pinguin.errors import InvalidInput
from pinguin.secrets import secret_fields
from pinguin.store import monitors as store
from pinguin.store.monitors import Filter, Place
from pinguin.web import audited, monitor_changes
from pinguin.web import saved as saved_secrets
from pinguin.web.api import definitions
from pinguin.web.api.definitions import MonitorDefinition, kind_of
from pinguin.web.api.monitor_shapes import (
    CheckAsked,
    Monitor,
    MonitorFilter,
    MonitorListed,
    MonitorPatch,
    Trial,
    TrialWanted,
    listed,
    mark_of,
    readable,
    shown,
)
from pinguin.web.api.operation import Call, operation
from pinguin.web.api.paging import Page, cut, place
from pinguin.web.api.reading import NoBody, NoQuery, merged
from pinguin.web.database import connection
from pinguin.web.routes.monitor import announce

AnyCall = Call[Any, Any]


class After(Place, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Where a page ended, and in which order: in another one that place means nothing."""

    sort: str = ""


@operation("GET", "/monitors")
async def list_monitors(call: Call[MonitorFilter, NoBody]) -> Page[MonitorListed]:
    """The monitors: the worst status first, then by name, unless they are to be sorted otherwise."""
    asked = call.query
    as_of = datetime.now(UTC) if asked.sort == "uptime" else None
    start = place(asked.cursor, After) or After(-1e308, "", 0, as_of, asked.sort)
    if start.sort != asked.sort:
        raise InvalidInput({"cursor": "is a place in another order; start from the first page of this one"})
    wanted = Filter(search=asked.q, status=asked.status, type=asked.type, tags=asked.tag)
    found = await store.listed(call.conn, wanted, after=start, most=asked.limit + 1, sort=asked.sort)
    rows, following = cut(
        found, asked.limit, lambda row: After(row.rank, row.sort_name, row.id, start.as_of, asked.sort)
    )
    return Page([listed(each) for each in rows], call.following(following))


@operation("GET", "/monitors/{id:int}", etag=True)
async def show_monitor(call: Call[NoQuery, NoBody]) -> Monitor:
    """One monitor and what it is now. Secrets among its options are named in `secrets`, and never shown."""
    return await _shown(call, call.id)


async def _shown(call: AnyCall, monitor_id: int) -> Monitor:
    found = await store.get(call.conn, monitor_id)
    call.mark = mark_of(found)
    return shown(found, call.web.types, call.who)


@operation("POST", "/monitors", status=201, etag=True, loose=True)
async def create_monitor(call: Call[NoQuery, MonitorDefinition]) -> Monitor:
    """A new monitor. It is checked within seconds."""
    kind = kind_of(call.web.types, call.sent.get("type", "http"))
    draft, _, enabled = definitions.read(kind, call.sent, saved_secrets.NOTHING)
    await definitions.check_names(call.conn, draft)
    made = await monitor_changes.create(call.conn, call.who, call.web.types, draft, keys=call.web.keys)
    if enabled is False:
        await monitor_changes.enable(call.conn, call.who, made, False)
    call.later.append(partial(announce, call.web, made))
    call.made(f"/monitors/{made}")
    return await _shown(call, made)


@operation("PUT", "/monitors/{id:int}", etag=True, if_match=True, loose=True)
async def replace_monitor(call: Call[NoQuery, MonitorDefinition]) -> Monitor:
    """All that people write of a monitor, anew: what is left out is as by default. Two things are kept where they are
    left out: secrets among the options, unless they would go to another place now, and whether it is paused.
    """
    before = await store.get(call.conn, call.id)
    return await _change(call, before, call.sent)


@operation("PATCH", "/monitors/{id:int}", etag=True, if_match=True, loose=True)
async def change_monitor(call: Call[NoQuery, MonitorPatch]) -> Monitor:
    """Some of what people write of a monitor: a merge patch (RFC 7396), in which null means: as by default."""
    before = await store.get(call.conn, call.id)
    kind = call.web.types.get(before.type)
    after = kind_of(call.web.types, call.sent.get("type", before.type))
    options = readable(before.options, kind) if kind is after else {}
    stored = definitions.written(before, options)
    if after.passive:
        stored = {name: value for name, value in stored.items() if name not in definitions.NOT_PASSIVE}
    sent: dict[str, Any] = merged(stored, call.sent)
    given = call.sent.get("options")
    if isinstance(given, Mapping):  # a null takes away a secret too, which is not among what is read
        sent["options"] |= {name: None for name in secret_fields(after.options) if given.get(name, ...) is None}
    return await _change(call, before, sent)


async def _change(call: AnyCall, before: store.Monitor, sent: Mapping[str, Any]) -> Monitor:
    call.unless_changed(mark_of(before))
    kind = kind_of(call.web.types, sent.get("type", "http"))
    saved = saved_secrets.of_monitor(before, kind, call.web.keys)
    draft, _, enabled = definitions.read(kind, sent, saved)
    await definitions.check_names(call.conn, draft, before.id)
    given = before.id, before.version, before.updated_at, draft
    await monitor_changes.update(call.conn, call.who, call.web.types, *given, keys=call.web.keys)
    if enabled not in (None, before.enabled):
        await monitor_changes.enable(call.conn, call.who, before.id, bool(enabled))
    call.later.append(partial(announce, call.web, before.id))
    return await _shown(call, before.id)


@operation("DELETE", "/monitors/{id:int}", if_match=True)
async def delete_monitor(call: Call[NoQuery, NoBody]) -> None:
    """Delete a monitor. Its history stays, and its incident ends."""
    call.unless_changed(mark_of(await store.get(call.conn, call.id)))
    await monitor_changes.archive(call.conn, call.who, call.web.types, call.id)
    call.later.append(partial(announce, call.web, call.id))


@operation("POST", "/monitors/{id:int}/pause", etag=True, if_match=True)
async def pause_monitor(call: Call[NoQuery, NoBody]) -> Monitor:
    """Check it no more, until it is resumed."""
    return await _enable(call, False)


@operation("POST", "/monitors/{id:int}/resume", etag=True, if_match=True)
async def resume_monitor(call: Call[NoQuery, NoBody]) -> Monitor:
    """Check it again."""
    return await _enable(call, True)


async def _enable(call: AnyCall, enabled: bool) -> Monitor:
    call.unless_changed(mark_of(await store.get(call.conn, call.id)))
    await monitor_changes.enable(call.conn, call.who, call.id, enabled)
    call.later.append(partial(announce, call.web, call.id))
    return await _shown(call, call.id)


@operation("POST", "/monitors/{id:int}/check", status=202, holds="nothing")
async def check_monitor(call: Call[NoQuery, NoBody]) -> CheckAsked:
    """Check it now, out of turn. The result is among its results within seconds."""
    async with connection(call.web.pool) as conn:
        monitor = await store.get(conn, call.id)
    if monitor.passive:
        raise InvalidInput({"monitor": "waits to be pinged, so there is nothing to check"})
    asked = await call.web.broker.check_now(monitor.id)
    return CheckAsked("unscheduled" if asked is None else "asked" if asked else "busy")


@operation("POST", "/monitors/try", holds="nothing", loose=True)
async def try_monitor(call: Call[NoQuery, TrialWanted]) -> Trial:
    """Run a check once, from here, and save nothing. With `monitor`, secrets that are left out are those of that
    monitor, as far as they go to the same place; and the audit log says who tried what.
    """
    sent = {"name": "Try", **call.sent}
    number = sent.pop("monitor", None)
    kind = kind_of(call.web.types, sent.get("type", "http"))
    if kind.passive:
        raise InvalidInput({"type": f"{kind.title} waits to be pinged, so there is nothing to try"})
    source = None
    if number is not None:
        if not isinstance(number, int) or not 0 < number < 2**63:
            raise InvalidInput({"monitor": "must be the number of a monitor"})
        async with connection(call.web.pool) as conn:
            source = await store.get(conn, number)
    saved = saved_secrets.of_monitor(source, kind, call.web.keys)
    draft, options, _ = definitions.read(kind, sent, saved)
    if source and saved.plain:
        await audited.tried(call.web.pool, call.who, "monitor", source.id, source.name, options.target())
    async with call.web.tests:
        report = await runner.run(kind, options, min(draft.timeout_s, 60.0), call.web.resources)
    return Trial.of(report)
