"""sql/queries/replay.sql: a monitor's history as it was recorded."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from psycopg.rows import args_row

from pinguin.db import Connection, queries
from pinguin.model import Policy, Result, Status

_sql = queries("replay")


@dataclass(frozen=True, slots=True)
class Watched:
    """The monitor itself. alerts: as `AlertRules`, in plain JSON types."""

    id: int
    name: str
    passive: bool
    alerts: dict[str, Any]
    archived: bool


@dataclass(frozen=True, slots=True)
class Version:
    """A definition, from `valid_from` on."""

    number: int
    valid_from: datetime
    policy: Policy


@dataclass(frozen=True, slots=True)
class Act:
    """What somebody did. status: paused, or pending again; by_hand: an outage was called over."""

    at: datetime
    status: Status
    by_hand: bool


@dataclass(frozen=True, slots=True)
class Beginning:
    """What the monitor was when the history begins. down: an outage was open."""

    at: datetime
    status: Status
    down: bool


class Recorded(NamedTuple):
    """A result, and when it was written."""

    result: Result
    recorded_at: datetime


@dataclass(frozen=True, slots=True)
class Incident:
    """An outage as it was. told: kinds of the news that was sent of it."""

    started_at: datetime
    confirmed_at: datetime
    ended_at: datetime | None
    reason: str
    message: str
    closed_by: str | None
    told: list[str]


async def find(conn: Connection, wanted: str) -> list[Watched]:
    """Monitors of this id or name."""
    async with conn.cursor(row_factory=args_row(Watched)) as cursor:
        return await (await cursor.execute(_sql["monitors"], {"wanted": wanted})).fetchall()


async def versions(conn: Connection, monitor: Watched) -> list[Version]:
    """The oldest first."""
    rows = await (await conn.execute(_sql["versions"], {"monitor": monitor.id})).fetchall()
    return [Version(row[0], row[1], Policy(row[2], row[3], row[4], row[5], monitor.passive)) for row in rows]


async def beginning(conn: Connection, monitor_id: int, since: datetime) -> Beginning:
    row = await (await conn.execute(_sql["before"], {"monitor": monitor_id, "since": since})).fetchone()
    assert row is not None
    return Beginning(row[0], Status(row[1]), row[2])


async def acts(conn: Connection, monitor_id: int, since: datetime, until: datetime) -> list[Act]:
    given = {"monitor": monitor_id, "since": since, "until": until}
    rows = await (await conn.execute(_sql["acts"], given)).fetchall()
    return [Act(at, Status(status), by_hand) for at, status, by_hand in rows]


async def results(
    conn: Connection, monitor_id: int, since: datetime, until: datetime, most: int = 5000
) -> AsyncIterator[list[Recorded]]:
    """Pages of results by slot, and of one slot by when they were written: the first counted. No slot is cut apart."""
    given = {"monitor": monitor_id, "after": since, "after_region": "", "until": until, "most": most}
    kept: list[Recorded] = []
    while True:
        rows = await (await conn.execute(_sql["results"], given)).fetchall()
        page = kept + [_recorded(monitor_id, row) for row in rows]
        if len(rows) < most:
            yield sorted(page, key=_order)
            return
        last = page[-1].result.scheduled_at
        kept = [each for each in page if each.result.scheduled_at == last]
        yield sorted(page[: len(page) - len(kept)], key=_order)
        given |= {"after": last, "after_region": page[-1].result.region}


def _recorded(monitor_id: int, row: Sequence[Any]) -> Recorded:
    slot, region, version, status, reason, message, recorded_at = row
    result = Result(monitor_id, slot, region, version, Status(status), slot, None, reason, message)
    return Recorded(result, recorded_at)


def _order(each: Recorded) -> tuple[datetime, datetime]:
    return each.result.scheduled_at, each.recorded_at


async def incidents(conn: Connection, monitor_id: int, since: datetime, until: datetime) -> list[Incident]:
    given = {"monitor": monitor_id, "since": since, "until": until}
    async with conn.cursor(row_factory=args_row(Incident)) as cursor:
        return await (await cursor.execute(_sql["incidents"], given)).fetchall()


async def maintenance(conn: Connection, monitor_id: int, moments: Sequence[datetime]) -> list[datetime | None]:
    """Until when the monitor was in maintenance at each of these moments."""
    rows = await (await conn.execute(_sql["maintenance"], {"monitor": monitor_id, "moments": list(moments)})).fetchall()
    return [row[0] for row in rows]
