"""Planned maintenance: listed, planned, changed; begun, ended and made longer by hand."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from pinguin import maintenance as rules
from pinguin.errors import Conflict, InvalidInput
from pinguin.fields import convert
from pinguin.maintenance import LONGEST, AnyRule
from pinguin.store import maintenance as store
from pinguin.store import maintenance_windows
from pinguin.store.maintenance import MOST_MONITORS, Draft
from pinguin.wallclock import zone_of
from pinguin.web import audited
from pinguin.web.api.operation import Call, operation
from pinguin.web.api.paging import At, Id, Number, Page, Paged, cut, place
from pinguin.web.api.reading import Body, NoBody, NoQuery, merged
from pinguin.web.routes.maintenance import EXTEND, announce

AnyCall = Call[Any, Any]
Counts = Literal["excluded", "as_measured"]
Seconds = Annotated[int, Meta(ge=60, le=int(LONGEST.total_seconds()))]
Tag = Annotated[str, Meta(min_length=1, max_length=50)]
NEXT = 5


class MaintenanceDefinition(Body, kw_only=True, frozen=True):
    """What people write of a maintenance. It is for all monitors (everything), or for those that are named and those
    with a tag.
    """

    title: Annotated[str, Meta(min_length=1, max_length=200)]
    description: Annotated[str, Meta(max_length=5000)] = ""
    enabled: Annotated[bool, Meta(description="off: it has no windows")] = True
    rule: Annotated[AnyRule, Meta(description="when it is; times are those of the clocks in `zone`")]
    zone: Annotated[str, Meta(min_length=1, max_length=64)] = "UTC"
    counts: Annotated[Counts, Meta(description="excluded: uptime leaves it out")] = "excluded"
    everything: bool = False
    tags: Annotated[list[Tag], Meta(max_length=100)] = msgspec.field(default_factory=list)
    monitor_ids: Annotated[list[Id], Meta(max_length=MOST_MONITORS)] = msgspec.field(default_factory=list)


class Window(msgspec.Struct, frozen=True):
    starts_at: datetime
    ends_at: datetime


class Maintenance(msgspec.Struct, kw_only=True, frozen=True):
    """rule: null where what is stored is none, and `problem` says why. running_…: the window that runs now."""

    id: Id
    title: str
    description: str
    enabled: bool
    rule: AnyRule | None
    problem: str
    zone: str
    counts: Counts
    everything: bool
    tags: list[str]
    monitor_ids: list[Id]
    monitors: Annotated[int, Meta(description="how many it is for")]
    updated_at: datetime
    running_since: datetime | None
    running_until: datetime | None
    coming: Annotated[list[Window], Meta(description="the next windows, the running one included")]


class PastWindow(msgspec.Struct, kw_only=True, frozen=True):
    """A window that is over. archived: its maintenance was deleted."""

    id: Id
    maintenance_id: Id
    title: str
    zone: str
    archived: bool
    starts_at: datetime
    ends_at: datetime
    by_hand: bool
    counts: Counts


class MaintenancePatch(Body, kw_only=True, frozen=True):
    """What of it changes; null: as by default. A rule of another kind takes the place of the old one."""

    title: str | msgspec.UnsetType = msgspec.UNSET
    description: str | msgspec.UnsetType | None = msgspec.UNSET
    enabled: bool | msgspec.UnsetType | None = msgspec.UNSET
    rule: dict[str, Any] | msgspec.UnsetType = msgspec.UNSET
    zone: str | msgspec.UnsetType | None = msgspec.UNSET
    counts: Counts | msgspec.UnsetType | None = msgspec.UNSET
    everything: bool | msgspec.UnsetType | None = msgspec.UNSET
    tags: list[str] | msgspec.UnsetType | None = msgspec.UNSET
    monitor_ids: list[Id] | msgspec.UnsetType | None = msgspec.UNSET


class Started(Body, kw_only=True, frozen=True):
    duration_s: Seconds = 3600


class Extended(Body, kw_only=True, frozen=True):
    duration_s: Seconds = int(EXTEND.total_seconds())


class PreviewWanted(Body, kw_only=True, frozen=True):
    rule: AnyRule
    zone: Annotated[str, Meta(min_length=1, max_length=64)] = "UTC"


class Preview(msgspec.Struct, frozen=True):
    coming: list[Window]


@operation("GET", "/maintenance")
async def list_maintenance(call: Call[Paged, NoBody]) -> Page[Maintenance]:
    """Planned maintenance, the newest first, with what runs and what comes."""
    before = place(call.query.cursor, Number)
    found = await store.listed(call.conn, call.query.limit + 1, before.id if before else None)
    rows, following = cut(found, call.query.limit, lambda each: Number(each.id))
    return Page([_shape(each) for each in rows], call.following(following))


@operation("GET", "/maintenance/past")
async def list_past_windows(call: Call[Paged, NoBody]) -> Page[PastWindow]:
    """Windows that are over, the newest first."""
    before = place(call.query.cursor, At)
    pair = before.pair if before else None
    found = await maintenance_windows.past(call.conn, before=pair, most=call.query.limit + 1)
    rows, following = cut(found, call.query.limit, lambda each: At(each.ends_at, each.id))
    return Page(msgspec.convert(rows, list[PastWindow], from_attributes=True), call.following(following))


@operation("GET", "/maintenance/{id:int}", etag=True)
async def show_maintenance(call: Call[NoQuery, NoBody]) -> Maintenance:
    """One maintenance with its next windows."""
    return await _shown(call, call.id)


@operation("POST", "/maintenance", status=201, etag=True)
async def create_maintenance(call: Call[NoQuery, MaintenanceDefinition]) -> Maintenance:
    """Plan maintenance. Its windows are written at once; alerts of its monitors wait while one runs."""
    made = await store.create(call.conn, _draft(call.body))
    look = audited.maintenance(call.conn, made)
    await audited.created(call.conn, call.who, "maintenance.create", "maintenance", made, look)
    call.later.append(partial(announce, call.web))
    call.made(f"/maintenance/{made}")
    return await _shown(call, made)


@operation("PUT", "/maintenance/{id:int}", etag=True, if_match=True)
async def replace_maintenance(call: Call[NoQuery, MaintenanceDefinition]) -> Maintenance:
    """All that people write of it, anew. Past windows stay; the running one is cut or made longer."""
    return await _change(call, await store.get(call.conn, call.id), call.body)


@operation("PATCH", "/maintenance/{id:int}", etag=True, if_match=True)
async def change_maintenance(call: Call[NoQuery, MaintenancePatch]) -> Maintenance:
    """Some of what people write of it: a merge patch (RFC 7396), in which null means: as by default."""
    before = await store.get(call.conn, call.id)
    stored: dict[str, Any] = {name: getattr(before, name) for name in MaintenanceDefinition.__struct_fields__}
    stored["rule"] = rules.plain(before.rule) if before.rule else {}
    given = call.sent.get("rule")
    if isinstance(given, dict) and given.get("kind", stored["rule"].get("kind")) != stored["rule"].get("kind"):
        stored["rule"] = {}
    return await _change(call, before, convert(merged(stored, call.sent), MaintenanceDefinition))


async def _change(call: AnyCall, before: store.Maintenance, wanted: MaintenanceDefinition) -> Maintenance:
    call.unless_changed(_mark(before))
    look = audited.maintenance(call.conn, before.id)
    async with audited.changing(call.conn, call.who, "maintenance.edit", "maintenance", before.id, look):
        await store.update(call.conn, before.id, before.updated_at, _draft(wanted))
    call.later.append(partial(announce, call.web))
    return await _shown(call, before.id)


@operation("DELETE", "/maintenance/{id:int}", if_match=True)
async def delete_maintenance(call: Call[NoQuery, NoBody]) -> None:
    """Delete it: past windows stay, the running one ends now."""
    call.unless_changed(_mark(await store.get(call.conn, call.id)))
    await _by_hand(call, "delete", lambda: store.archive(call.conn, call.id))


@operation("POST", "/maintenance/{id:int}/start", etag=True)
async def start_maintenance(call: Call[NoQuery, Started]) -> Maintenance:
    """A window from now on, whatever the rule. 409 while one runs, or where it is switched off."""
    length = timedelta(seconds=call.body.duration_s)
    return await _by_hand_shown(call, "start", lambda: store.start(call.conn, call.id, length))


@operation("POST", "/maintenance/{id:int}/end", etag=True)
async def end_maintenance(call: Call[NoQuery, NoBody]) -> Maintenance:
    """End the running window now. 409 where none runs."""
    return await _by_hand_shown(call, "end", lambda: store.end(call.conn, call.id))


@operation("POST", "/maintenance/{id:int}/extend", etag=True)
async def extend_maintenance(call: Call[NoQuery, Extended]) -> Maintenance:
    """Let the running window end later. 409 where none runs."""
    length = timedelta(seconds=call.body.duration_s)
    return await _by_hand_shown(call, "extend", lambda: store.extend(call.conn, call.id, length))


async def _by_hand_shown(call: AnyCall, act: str, change: Callable[[], Awaitable[None]]) -> Maintenance:
    await _by_hand(call, act, change)
    return await _shown(call, call.id)


async def _by_hand(call: AnyCall, act: str, change: Callable[[], Awaitable[None]]) -> None:
    look = audited.maintenance(call.conn, call.id)
    try:
        async with audited.changing(call.conn, call.who, f"maintenance.{act}", "maintenance", call.id, look):
            await change()
    except InvalidInput as error:  # it is well said, only not now
        raise Conflict(f"This maintenance {'; '.join(error.fields.values())}.") from None
    call.later.append(partial(announce, call.web))


@operation("POST", "/maintenance/preview", holds="nothing")
async def preview_maintenance(call: Call[NoQuery, PreviewWanted]) -> Preview:
    """The next windows of a rule. Nothing is saved."""
    now, zone = datetime.now(UTC), zone_of(call.body.zone)
    rules.check(call.body.rule, zone, now)
    coming = rules.coming(call.body.rule, zone, now, NEXT)
    return Preview([Window(*each) for each in coming])


async def _shown(call: AnyCall, maintenance_id: int) -> Maintenance:
    found = await store.get(call.conn, maintenance_id)
    call.mark = _mark(found)
    return _shape(found)


def _mark(found: store.Maintenance) -> str:
    return f"maintenance {found.id} {found.updated_at.isoformat()}"


def _shape(found: store.Maintenance) -> Maintenance:
    names = [name for name in Maintenance.__struct_fields__ if name != "coming"]
    coming = [Window(*each) for each in found.coming(NEXT)]
    return Maintenance(**{name: getattr(found, name) for name in names}, coming=coming)


def _draft(wanted: MaintenanceDefinition) -> Draft:
    values = {name: getattr(wanted, name) for name in wanted.__struct_fields__}
    values |= {"title": wanted.title.strip(), "zone": wanted.zone.strip()}
    if wanted.everything:
        values |= {"tags": [], "monitor_ids": []}
    return Draft(**values)
