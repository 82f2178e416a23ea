"""sql/queries/history.sql: one monitor's history as its page shows it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Literal

from psycopg.rows import class_row, dict_row

from pinguin.db import Connection, queries
from pinguin.store import rollups
from pinguin.store.charted import Bucket, Latency
from pinguin.store.incidents import Incident
from pinguin.store.pages import Beat, Ratio, ResultRow

_SQL = queries("history")
"""Those that read results or roll-ups are not prepared: a plan for any time at all opens every chunk there is."""

Grain = Literal["raw", "hourly", "daily"]
"""Where numbers come from."""
SETTLING = timedelta(days=1)
"""Older days are written down, as the policy of `results_daily` has it; younger ones the view makes of hours."""
Place = tuple[datetime, str | None]
"""A slot (or hour, or day) and a region of it: after which row a page or part begins."""


@dataclass(frozen=True, slots=True)
class Span:
    starts: datetime
    ends: datetime
    status: str


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


@dataclass(frozen=True, slots=True)
class Account:
    """Where the time of a window went, in seconds; uptime: 0 to 1, None where nothing was monitored.

    other_s: unknown, waiting or paused. incidents: those that touch the window.
    """

    uptime: float | None
    up_s: float
    down_s: float
    maintenance_s: float
    other_s: float
    incidents: int


@dataclass(frozen=True, slots=True)
class Day:
    """A calendar day: its uptime, and the incident that took most of it, for so many of its seconds."""

    day: date
    uptime: float | None
    up_s: float
    down_s: float
    incidents: int
    incident_id: int | None
    reason: str | None
    message: str | None
    seconds: float | None


@dataclass(frozen=True, slots=True)
class Hour:
    """An hour of the week, all of them together. weekday: 1 is Monday."""

    weekday: int
    hour: int
    up_s: float
    down_s: float

    @property
    def uptime(self) -> float | None:
        known = self.up_s + self.down_s
        return self.up_s / known if known else None


async def charted(conn: Connection, window: Window, now: datetime) -> list[tuple[Any, ...]]:
    """Rows for `put_together`."""
    given = window.parameters()
    if window.grain == "daily":
        midnight = (now.astimezone(UTC) - SETTLING).replace(hour=0, minute=0, second=0, microsecond=0)
        given["settled"] = max(window.origin, min(midnight, window.ending))
    cursor = await conn.execute(_SQL[f"chart_{window.grain}"], given, prepare=False, binary=True)
    return await cursor.fetchall()


def put_together(window: Window, rows: Sequence[tuple[Any, ...]]) -> tuple[list[Bucket], Latency]:
    """The buckets that hold a result, oldest first, and the whole window."""
    if window.grain != "raw":
        return rollups.put_together(rows)
    *buckets, (_, *total) = rows
    return [Bucket(*[*each, at]) for at, *each in buckets], Latency(*total)


async def spans(conn: Connection, window: Window) -> list[Span]:
    """What its status was when, oldest first."""
    async with conn.cursor(row_factory=class_row(Span)) as cursor:
        await cursor.execute(_SQL["spans"], window.parameters())
        return await cursor.fetchall()


async def account(conn: Connection, monitor_id: int, since: datetime, until: datetime) -> Account:
    async with conn.cursor(row_factory=class_row(Account)) as cursor:
        await cursor.execute(_SQL["account"], {"monitor": monitor_id, "since": since, "until": until})
        found = await cursor.fetchone()
    assert found is not None
    return found


async def days(conn: Connection, monitor_id: int, zone: str, most: int, now: datetime) -> list[Day]:
    """The last `most` days of `zone`, today last, up to `now`."""
    async with conn.cursor(row_factory=class_row(Day)) as cursor:
        await cursor.execute(_SQL["days"], {"monitor": monitor_id, "zone": zone, "days": most, "now": now})
        return await cursor.fetchall()


async def hours(conn: Connection, monitor_id: int, zone: str, most_days: int, now: datetime) -> list[Hour]:
    """The hours of the week of which something is known, over the last days of `zone`, up to `now`."""
    async with conn.cursor(row_factory=class_row(Hour)) as cursor:
        await cursor.execute(_SQL["hours"], {"monitor": monitor_id, "zone": zone, "days": most_days, "now": now})
        return await cursor.fetchall()


async def beats(conn: Connection, monitor_id: int, since: datetime, most: int) -> list[Beat]:
    """Its last results, newest first; each region's is one of them."""
    given = {"monitor": monitor_id, "since": since, "most": most}
    async with conn.cursor(row_factory=class_row(Beat)) as cursor:
        await cursor.execute(_SQL["beats"], given, prepare=False)
        return await cursor.fetchall()


async def ratios(conn: Connection, monitor_id: int, now: datetime) -> dict[str, Ratio]:
    """By the labels of `pages.uptimes`."""
    lengths = {"day": 1, "week": 7, "month": 30, "year": 365}
    given = {name: now - timedelta(days=days) for name, days in lengths.items()}
    given["midnight"] = (given["month"] + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    async with conn.cursor(row_factory=class_row(Ratio)) as cursor:
        await cursor.execute(_SQL["ratios"], given | {"monitor": monitor_id}, prepare=False)
        return {ratio.label: ratio for ratio in await cursor.fetchall()}


async def incidents(conn: Connection, monitor_id: int, most: int) -> list[tuple[Incident, dict[str, Any]]]:
    """Its incidents, newest first, each with its evidence."""
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(_SQL["incidents"], {"monitor": monitor_id, "most": most})
        found = await cursor.fetchall()
    evidence = [row.pop("evidence") for row in found]
    return [(Incident(**row), each) for row, each in zip(found, evidence, strict=True)]


async def results(
    conn: Connection, monitor_id: int, *, before: Place, since: datetime, most: int, status: str | None = None
) -> list[ResultRow]:
    """Raw results from `since` on, newest first and by region; `before` is the slot and region of the last one seen."""
    given = {"monitor": monitor_id, "before": before[0], "before_region": before[1], "since": since, "most": most}
    async with conn.cursor(row_factory=class_row(ResultRow)) as cursor:
        await cursor.execute(_SQL["results"], given | {"status": status}, prepare=False)
        return await cursor.fetchall()
