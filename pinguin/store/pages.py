"""What the pages show of the history: beats, uptime, charts, results."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, NamedTuple

from psycopg.rows import args_row, class_row

from pinguin.db import Connection, queries

_SQL = queries("pages")

Grain = Literal["raw", "hourly", "daily"]
"""Where a chart's numbers come from."""


class Beat(NamedTuple):
    """One result of those in a bar; a page has thousands, so it is a mere tuple."""

    monitor_id: int
    scheduled_at: datetime
    region: str
    status: str
    reason: str | None
    message: str | None
    latency_ms: float | None


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
class Latency:
    """Latency of the good checks: milliseconds, None where no check was good."""

    checks: int
    down: int
    good: int
    p50: float | None
    p95: float | None
    p99: float | None


@dataclass(frozen=True, slots=True)
class Bucket(Latency):
    """The checks from `at` on, for one bucket's time."""

    at: datetime


@dataclass(frozen=True, slots=True)
class Span:
    starts: datetime
    ends: datetime
    status: str


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


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of time of one monitor's history, cut into buckets."""

    monitor_id: int
    origin: datetime
    ending: datetime
    bucket_s: int
    grain: Grain

    def parameters(self) -> dict[str, Any]:
        return {
            "monitor": self.monitor_id,
            "origin": self.origin,
            "ending": self.ending,
            "bucket_s": self.bucket_s,
        }


async def beats(conn: Connection, monitor_ids: Sequence[int], most: int = 30) -> dict[int, list[Beat]]:
    """The last `most` slots of each monitor, newest first; each region's result is one of them."""
    found: dict[int, list[Beat]] = {monitor_id: [] for monitor_id in monitor_ids}
    async with conn.cursor(row_factory=args_row(Beat)) as cursor:
        await cursor.execute(_SQL["beats"], {"monitors": list(monitor_ids), "most": most})
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


async def check_ratios(conn: Connection, monitor_id: int) -> dict[str, Ratio]:
    """By the labels of `uptimes`."""
    async with conn.cursor(row_factory=class_row(Ratio)) as cursor:
        await cursor.execute(_SQL["check_ratios"], {"monitor": monitor_id})
        return {ratio.label: ratio for ratio in await cursor.fetchall()}


async def latency(conn: Connection, window: Window) -> tuple[list[Bucket], Latency]:
    """The buckets that hold a result, oldest first, and the whole window."""
    async with conn.cursor(row_factory=class_row(Bucket)) as cursor:
        await cursor.execute(_SQL[f"chart_{window.grain}"], window.parameters())
        *found, total = await cursor.fetchall()
    return found, total


async def spans(conn: Connection, window: Window) -> list[Span]:
    """What its status was when, oldest first."""
    async with conn.cursor(row_factory=class_row(Span)) as cursor:
        await cursor.execute(_SQL["spans"], window.parameters())
        return await cursor.fetchall()


async def results(
    conn: Connection, monitor_id: int, *, before: tuple[datetime, str | None], since: datetime, most: int
) -> list[ResultRow]:
    """Raw results after `since`, newest first and by region; `before` is the slot and region of the last one seen."""
    given = {"monitor": monitor_id, "before": before[0], "before_region": before[1], "since": since, "most": most}
    async with conn.cursor(row_factory=class_row(ResultRow)) as cursor:
        await cursor.execute(_SQL["results"], given)
        return await cursor.fetchall()
