"""What the pages show of all monitors: beats and uptime; and a result as it is shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from psycopg.rows import args_row, class_row

from pinguin.db import Connection, queries

_SQL = queries("pages")


class Beat(NamedTuple):
    """One result of those in a bar; a page has thousands, so it is a mere tuple.

    maintained: its slot was in maintenance.
    """

    monitor_id: int
    scheduled_at: datetime
    region: str
    status: str
    reason: str | None
    message: str | None
    latency_ms: float | None
    maintained: bool


@dataclass(frozen=True, slots=True)
class Uptime:
    """Uptime of a window: 0 to 1, None where nothing was monitored; seconds by kind."""

    label: str
    uptime: float | None
    up_s: float | None
    down_s: float | None
    unmonitored_s: float | None


@dataclass(frozen=True, slots=True)
class Ratio:
    """Good checks of the judged ones (up, degraded and down) in a window."""

    label: str
    good: int | None
    judged: int | None


@dataclass(frozen=True, slots=True)
class ResultRow:
    scheduled_at: datetime
    region: str
    status: str
    reason: str | None
    message: str | None
    latency_ms: float | None
    dns_ms: float | None
    connect_ms: float | None
    tls_ms: float | None
    first_byte_ms: float | None
    transfer_ms: float | None
    started_at: datetime
    recorded_at: datetime
    evidence: dict[str, Any]


async def beats(conn: Connection, monitor_ids: Sequence[int], since: datetime, most: int = 30) -> dict[int, list[Beat]]:
    """The last `most` slots of each monitor, newest first; each region's result is one of them. None before `since`."""
    found: dict[int, list[Beat]] = {monitor_id: [] for monitor_id in monitor_ids}
    async with conn.cursor(row_factory=args_row(Beat)) as cursor:
        await cursor.execute(_SQL["beats"], {"monitors": list(monitor_ids), "most": most, "since": since})
        for beat in await cursor.fetchall():
            found[beat.monitor_id].append(beat)
    return found


async def uptime_day(conn: Connection, monitor_ids: Sequence[int]) -> dict[int, float | None]:
    """Uptime of each monitor over the last 24 hours, weighted by time."""
    cursor = await conn.execute(_SQL["uptime_day"], {"monitors": list(monitor_ids)})
    return dict(await cursor.fetchall())


async def uptimes(conn: Connection, monitor_id: int) -> list[Uptime]:
    """Over 24 h, 7 d, 30 d and 1 y, in this order."""
    async with conn.cursor(row_factory=class_row(Uptime)) as cursor:
        await cursor.execute(_SQL["uptimes"], {"monitor": monitor_id})
        return await cursor.fetchall()
