"""sql/queries/records.sql: results, their roll-ups and uptime of one monitor over any window."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from psycopg.rows import class_row

from pinguin.db import Connection, queries

_SQL = queries("records")

Grain = Literal["raw", "hourly", "daily"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Of which monitor and when: `until` is excluded. region: None is all. before: a row's time and region, after
    which this page begins.
    """

    monitor_id: int
    since: datetime
    until: datetime
    region: str | None = None
    before: tuple[datetime, str] | None = None
    most: int = 50

    def parameters(self) -> dict[str, Any]:
        return {
            "monitor": self.monitor_id,
            "since": self.since,
            "until": self.until,
            "region": self.region,
            "before": self.before and self.before[0],
            "before_region": self.before and self.before[1],
            "most": self.most,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Raw:
    """One check. Times in ms; None where it did not come so far."""

    at: datetime
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
    version: int
    evidence: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class RolledUp:
    """An hour or a day (UTC) of checks in one region. Latency in ms, of the good checks; percentiles within 3 %."""

    at: datetime
    region: str
    checks: int
    up: int
    degraded: int
    down: int
    unknown: int
    latency_count: int
    latency_ms_mean: float | None
    latency_ms_min: float | None
    latency_ms_max: float | None
    latency_ms_p50: float | None
    latency_ms_p95: float | None
    latency_ms_p99: float | None
    dns_ms_mean: float | None
    connect_ms_mean: float | None
    tls_ms_mean: float | None
    first_byte_ms_mean: float | None
    transfer_ms_mean: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Uptime:
    """uptime: 0 to 1, None where nothing was monitored. seconds: by status, maintenance that is left out as its own."""

    uptime: float | None
    up_s: float
    down_s: float
    unmonitored_s: float
    seconds: dict[str, float]


async def raw(conn: Connection, wanted: Wanted) -> list[Raw]:
    """Newest first, then by region."""
    async with conn.cursor(row_factory=class_row(Raw)) as cursor:
        await cursor.execute(_SQL["raw"], wanted.parameters())
        return await cursor.fetchall()


async def rolled_up(conn: Connection, wanted: Wanted, grain: Literal["hourly", "daily"]) -> list[RolledUp]:
    """Newest first, then by region."""
    async with conn.cursor(row_factory=class_row(RolledUp)) as cursor:
        await cursor.execute(_SQL[grain], wanted.parameters())
        return await cursor.fetchall()


async def uptime(conn: Connection, monitor_id: int, since: datetime, until: datetime) -> Uptime:
    """Weighted by time; nothing beyond now counts."""
    given = {"monitor": monitor_id, "since": since, "until": until}
    async with conn.cursor(row_factory=class_row(Uptime)) as cursor:
        found = await (await cursor.execute(_SQL["uptime"], given)).fetchone()
    assert found is not None
    return found
