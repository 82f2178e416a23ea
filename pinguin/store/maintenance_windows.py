"""sql/queries/maintenance_windows.sql: windows of maintenance, written ahead, shown, and settled when they are over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from psycopg.rows import args_row, class_row, dict_row

from pinguin import maintenance
from pinguin.db import Connection, queries
from pinguin.errors import InvalidInput, NotFound
from pinguin.maintenance import AHEAD, Window
from pinguin.wallclock import zone_of

_SQL = queries("maintenance_windows")

Counts = Literal["excluded", "as_measured"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PastWindow:
    """A window that is over. archived: its maintenance was deleted."""

    id: int
    maintenance_id: int
    title: str
    zone: str
    archived: bool
    starts_at: datetime
    ends_at: datetime
    by_hand: bool
    counts: Counts


@dataclass(frozen=True, slots=True)
class MonitorWindow:
    """A window that a monitor is in."""

    maintenance_id: int
    title: str
    starts_at: datetime
    ends_at: datetime
    counts: Counts


async def past(conn: Connection, *, before: tuple[datetime, int] | None = None, most: int = 30) -> list[PastWindow]:
    """Windows that are over, newest first; `before` is the end and id of the last one seen."""
    given = {"before": before and before[0], "before_id": before and before[1], "most": most}
    async with conn.cursor(row_factory=class_row(PastWindow)) as cursor:
        await cursor.execute(_SQL["past"], given)
        return await cursor.fetchall()


async def of_monitor(conn: Connection, monitor_id: int, origin: datetime, ending: datetime) -> list[MonitorWindow]:
    """The windows that a monitor is in and that touch the span, oldest first; those that run at `ending` included."""
    async with conn.cursor(row_factory=args_row(MonitorWindow)) as cursor:
        await cursor.execute(_SQL["of_monitor"], {"monitor": monitor_id, "origin": origin, "ending": ending})
        return await cursor.fetchall()


async def lock(conn: Connection, maintenance_id: int) -> dict[str, Any]:
    """The row as it is until the end of the transaction, and `now`. Raises `NotFound`."""
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(_SQL["lock"], {"id": maintenance_id})
        found = await cursor.fetchone()
    if found is None:
        raise NotFound(f"There is no maintenance {maintenance_id}. It may have been deleted.")
    return found


async def write(conn: Connection, maintenance_id: int, found: Sequence[Window], until: datetime) -> None:
    """What of the rule starts before `until`, as far as it is not there. Of `found` no two touch, but the first may
    touch what is there. In a transaction that locked the maintenance.
    """
    await conn.execute(_SQL["mark_planned"], {"id": maintenance_id, "until": until})
    if not found:
        return
    first = {"id": maintenance_id, "starts_at": found[0].starts_at, "ends_at": found[0].ends_at}
    if await (await conn.execute(_SQL["lengthen"], first)).fetchone() is not None:
        found = found[1:]
    starts, ends = [window.starts_at for window in found], [window.ends_at for window in found]
    await conn.execute(_SQL["add_windows"], {"id": maintenance_id, "starts": starts, "ends": ends})


async def due(conn: Connection) -> list[int]:
    """Whose windows are not written far enough ahead."""
    return [row[0] for row in await (await conn.execute(_SQL["due"])).fetchall()]


async def plan(conn: Connection, maintenance_id: int) -> None:
    """Write the windows of the coming 35 days that are not written yet.

    Raises `InvalidInput` for a rule that is none (somebody wrote it in psql); it is not tried again before tomorrow.
    """
    async with conn.transaction():
        try:
            was = await lock(conn, maintenance_id)
        except NotFound:
            return
        until = max(was["planned_until"], was["now"] + AHEAD)
        found, wrong = _planned(was, until)
        await write(conn, maintenance_id, found, until)
    if wrong:
        raise wrong


def _planned(was: dict[str, Any], until: datetime) -> tuple[list[Window], InvalidInput | None]:
    try:
        rule, zone = maintenance.parse(was["rule"]), zone_of(was["zone"])
    except InvalidInput as error:
        return [], error
    return maintenance.planned(rule, zone, was["planned_until"], until), None


async def settle(conn: Connection) -> None:
    """Write down which monitors the windows that are over were for."""
    await conn.execute(_SQL["settle"])


async def turned(conn: Connection, since: datetime | None) -> tuple[datetime, bool]:
    """The database's time, and whether a window began or ended after `since`."""
    row = await (await conn.execute(_SQL["turned"], {"since": since})).fetchone()
    assert row is not None
    return row[0], row[1]
