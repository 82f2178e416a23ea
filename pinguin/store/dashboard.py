"""sql/queries/dashboard.sql: what is wrong now, what soon will be, and what was."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from psycopg.rows import class_row

from pinguin.db import Connection, queries

_SQL = queries("dashboard")

MOST = 8
"""Rows of each list; `in_all` says how many there are."""
SOON = timedelta(days=21)
"""How far ahead expiries and maintenance are shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """A monitor that is down, degraded or unknown, and in no maintenance. in_all: how many have its status."""

    monitor_id: int
    name: str
    status: str
    since: datetime
    reason: str | None
    message: str | None
    latency_ms: float | None
    incident_id: int | None
    acknowledged_by: str | None
    in_all: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Slow:
    """A percentile (such as 95) of the latency over the last `window_s` seconds is above the limit. Milliseconds."""

    monitor_id: int
    name: str
    started_at: datetime
    percentile: float
    window_s: int
    above_ms: float
    value_ms: float
    in_all: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Expiring:
    """kind: certificate or domain. over: it has ended."""

    monitor_id: int
    name: str
    kind: str
    expires_at: datetime
    subject: str
    over: bool
    in_all: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A window of maintenance. For everything, or for those with one of the tags and `chosen` others."""

    maintenance_id: int
    title: str
    starts_at: datetime
    ends_at: datetime
    running: bool
    everything: bool
    tags: list[str]
    chosen: int


async def troubles(conn: Connection) -> dict[str, list[Trouble]]:
    """By status."""
    async with conn.cursor(row_factory=class_row(Trouble)) as cursor:
        await cursor.execute(_SQL["troubles"], {"most": MOST})
        rows = await cursor.fetchall()
    return {status: [row for row in rows if row.status == status] for status in ("down", "degraded", "unknown")}


async def reasons(conn: Connection) -> list[tuple[str | None, int]]:
    """Why monitors are down, and how many are for each reason."""
    return await (await conn.execute(_SQL["reasons"], {"most": 4})).fetchall()


async def slow(conn: Connection) -> list[Slow]:
    async with conn.cursor(row_factory=class_row(Slow)) as cursor:
        await cursor.execute(_SQL["slow"], {"most": MOST})
        return await cursor.fetchall()


async def expiring(conn: Connection) -> list[Expiring]:
    async with conn.cursor(row_factory=class_row(Expiring)) as cursor:
        await cursor.execute(_SQL["expiring"], {"most": MOST, "within": SOON})
        return await cursor.fetchall()


async def planned(conn: Connection) -> list[Planned]:
    async with conn.cursor(row_factory=class_row(Planned)) as cursor:
        await cursor.execute(_SQL["maintenance"], {"most": 5, "within": SOON})
        return await cursor.fetchall()


async def mark(conn: Connection) -> str:
    """Changes when something on the dashboard may have."""
    row = await (await conn.execute(_SQL["mark"], {"within": SOON})).fetchone()
    assert row is not None
    return str(row[0])
