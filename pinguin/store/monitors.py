"""Monitors: what users defined, found, listed and changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

import msgspec
from psycopg.rows import class_row, scalar_row
from psycopg.types.json import Jsonb

from pinguin.db import Connection, queries
from pinguin.errors import Conflict, InvalidInput, NotFound
from pinguin.model import Status

_SQL = queries("monitors")


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What a user may write of a monitor; checked at the border. Times are seconds.

    alerts: `AlertRules` in plain JSON types, without what is as by default. depends_on: ids of monitors.
    """

    name: str
    type: str
    target: str
    options: Mapping[str, Any]
    interval_s: int
    timeout_s: float
    regions: Sequence[str]
    failure_threshold: int
    recovery_threshold: int
    tags: Sequence[str]
    alerts: Mapping[str, Any] = field(default_factory=dict)
    depends_on: Sequence[int] = ()
    passive: bool = False

    def row(self) -> dict[str, Any]:
        values = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return values | {
            "options": Jsonb(self.options, dumps=msgspec.json.encode),
            "regions": list(self.regions),
            "tags": list(self.tags),
            "alerts": Jsonb(self.alerts, dumps=msgspec.json.encode),
            "depends_on": list(self.depends_on),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Monitor:
    """A monitor as it is now. `reason`, `message` and `latency_ms` are those of its last result.

    status: what people see. real_status: what the checks say, also while it is in maintenance.
    """

    id: int
    name: str
    type: str
    target: str
    options: dict[str, Any]
    interval_s: int
    timeout_s: float
    regions: list[str]
    failure_threshold: int
    recovery_threshold: int
    tags: list[str]
    alerts: dict[str, Any]
    depends_on: list[int]
    passive: bool
    enabled: bool
    version: int
    created_at: datetime
    updated_at: datetime
    status: str
    real_status: str
    maintenance_until: datetime | None
    since: datetime
    reason: str | None
    message: str | None
    latency_ms: float | None
    last_slot: datetime | None
    failures: int
    successes: int
    incident_started_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """One row of the list. `rank`, `sort_name` and `id` are its place in the order."""

    id: int
    name: str
    type: str
    target: str
    interval_s: int
    regions: list[str]
    tags: list[str]
    passive: bool
    status: str
    real_status: str
    since: datetime
    reason: str | None
    message: str | None
    latency_ms: float | None
    last_slot: datetime | None
    sort_name: str
    rank: float


Sort = Literal["status", "name", "latency", "uptime", "change", "interval"]
"""Worst status, name, slowest, lowest uptime of the last day, latest change of status or shortest interval first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """What of the list is wanted; None is all. tags: it has every one of them, and `tag` too."""

    search: str | None = None
    status: str | None = None
    type: str | None = None
    tag: str | None = None
    tags: Sequence[str] = ()

    def row(self) -> dict[str, Any]:
        """The parameters of a statement."""
        tags = [*self.tags, *([self.tag] if self.tag else [])]
        return {"search": self.search, "status": self.status, "type": self.type, "tags": tags or None}


class Place(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """After which row a page of the list begins. as_of: the moment up to which uptime counts, in an order by it."""

    rank: float
    name: str
    id: int
    as_of: datetime | None = None


async def create(conn: Connection, draft: Draft) -> int:
    """The new monitor's id."""
    cursor = await conn.execute(_SQL["create"], draft.row())
    row = await cursor.fetchone()
    assert row is not None
    return int(row[0])


async def update(conn: Connection, monitor_id: int, version: int, updated_at: datetime, draft: Draft) -> None:
    """Raises `Conflict` unless `version` and `updated_at` are the newest, `NotFound` when it is gone, and
    `InvalidInput` that names the loop where it would come to depend on itself: its alerts would hold back each other.
    """
    given = draft.row() | {"id": monitor_id, "version": version, "updated_at": updated_at}
    async with conn.transaction():
        if draft.depends_on:
            await _refuse_loop(conn, monitor_id, draft)
        changed = await (await conn.execute(_SQL["update"], given)).fetchone()
    if changed is None:
        await get(conn, monitor_id)
        raise Conflict("Somebody changed this monitor after you opened it.")


async def _refuse_loop(conn: Connection, monitor_id: int, draft: Draft) -> None:
    await conn.execute(_SQL["lock_dependencies"])
    cursor = await conn.execute(_SQL["dependencies_below"], {"depends_on": list(draft.depends_on)})
    names, below = {monitor_id: draft.name}, {monitor_id: list(draft.depends_on)}
    for above, name, other in await cursor.fetchall():
        if above != monitor_id:
            names[above] = name
            below.setdefault(above, []).append(other)
    found = _way_back(below, monitor_id)
    if found:
        loop = " → ".join(names[each] for each in found)
        raise InvalidInput({"depends_on": f"makes a loop: {loop}. Take one of them out"})


def _way_back(below: Mapping[int, Sequence[int]], start: int) -> list[int]:
    """A shortest way from `start` back to itself, both ends named; empty where there is none."""
    came_from: dict[int, int] = {}
    front = [start]
    while front and start not in came_from:
        steps = [(above, other) for above in front for other in below.get(above, ())]
        front = []
        for above, other in steps:
            if other not in came_from:
                came_from[other] = above
                front.append(other)
    if start not in came_from:
        return []
    way = [start, came_from[start]]
    while way[-1] != start:
        way.append(came_from[way[-1]])
    return way[::-1]


async def enable(conn: Connection, monitor_id: int, enabled: bool) -> None:
    """Resume or pause. Raises `NotFound`."""
    cursor = await conn.execute(_SQL["enable"], {"id": monitor_id, "enabled": enabled})
    if await cursor.fetchone() is None:
        await get(conn, monitor_id)


async def archive(conn: Connection, monitor_id: int) -> None:
    """Delete it, as people see it: its history stays. Raises `NotFound`."""
    cursor = await conn.execute(_SQL["archive"], {"id": monitor_id})
    if await cursor.fetchone() is None:
        raise NotFound(f"There is no monitor {monitor_id}.")


async def get(conn: Connection, monitor_id: int) -> Monitor:
    """Raises `NotFound` when there is none, or it was deleted."""
    async with conn.cursor(row_factory=class_row(Monitor)) as cursor:
        await cursor.execute(_SQL["get"], {"id": monitor_id})
        found = await cursor.fetchone()
    if found is None:
        raise NotFound(f"There is no monitor {monitor_id}. It may have been deleted.")
    return found


async def listed(
    conn: Connection,
    wanted: Filter,
    *,
    after: Place | None = None,
    most: int = 50,
    ids: Sequence[int] | None = None,
    sort: Sort = "status",
    among: Sequence[str] | None = None,
) -> list[Listed]:
    """Up to `most` rows, in the order `sort`, then by name; of monitors with these `ids` or, where `wanted` names no
    status, `among` these statuses.

    Planned for each filter anew: a plan for all of them takes twice as long.
    """
    seen = [wanted.status] if wanted.status else among
    given = wanted.row() | {
        "sort": sort,
        "as_of": after and after.as_of,
        "after_rank": after and after.rank,
        "after_name": after and after.name,
        "after_id": after and after.id,
        "most": most,
        "ids": None if ids is None else list(ids),
        "among": None if seen is None else list(seen),
        "found": None if seen is None or Status.MAINTENANCE in seen else list(seen),
    }
    async with conn.cursor(row_factory=class_row(Listed)) as cursor:
        await cursor.execute(_SQL["listed"], given, prepare=False)
        return await cursor.fetchall()


async def counts(conn: Connection) -> dict[Status, int]:
    """How many monitors have each status; every status is there."""
    cursor = await conn.execute(_SQL["counts"])
    found = dict(await cursor.fetchall())
    return {status: found.get(status.value, 0) for status in Status}


async def tags(conn: Connection) -> list[str]:
    """The tags in use."""
    async with conn.cursor(row_factory=scalar_row) as cursor:
        await cursor.execute(_SQL["tags"])
        return list(await cursor.fetchall())


async def mark(conn: Connection) -> str:
    """Changes when a monitor is added, edited or deleted, and when maintenance begins or ends: whoever shows a list
    knows whether it is the newest.
    """
    cursor = await conn.execute(_SQL["mark"])
    row = await cursor.fetchone()
    assert row is not None
    return str(row[0])
