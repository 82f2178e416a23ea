"""Maintenance that is planned, and its windows."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest

from pinguin.db import Pool, connection
from pinguin.maintenance import Manual, Once, Rule, Weekly
from pinguin.store import maintenance
from pinguin.store.maintenance import Draft
from tests.factory import fetch

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)
SPANS = "select starts_at, ends_at from maintenance_windows order by starts_at, id"


def weekly(hours_ahead: float = 24, hours: float = 2) -> Weekly:
    """Every week from then on."""
    at = datetime.now(UTC) + timedelta(hours=hours_ahead)
    return Weekly(days=[at.isoweekday()], at=time(at.hour, at.minute), duration_s=round(hours * 3600))


def running(hours: float = 2) -> Once:
    now = datetime.now(UTC).replace(tzinfo=None, microsecond=0)
    return Once(starts=now - HOUR, ends=now + timedelta(hours=hours))


async def plan(pool: Pool, rule: Rule | None = None, **given: Any) -> int:
    draft = Draft(**{"title": "Deploy", "rule": rule or weekly(), "everything": True, **given})
    async with connection(pool) as conn:
        return await maintenance.create(conn, draft)


async def edit(pool: Pool, maintenance_id: int, **changes: Any) -> None:
    async with connection(pool) as conn:
        was = await maintenance.get(conn, maintenance_id)
        names = ("title", "rule", "zone", "enabled", "counts", "everything", "tags", "monitor_ids")
        draft = Draft(**{name: getattr(was, name) for name in names} | changes)
        await maintenance.update(conn, maintenance_id, was.updated_at, draft)


def near(starts: float, ends: float) -> Any:
    """A window as `windows` returns it, to a minute or so."""
    return pytest.approx(starts, abs=0.03), pytest.approx(ends, abs=0.03)


async def windows(pool: Pool) -> list[tuple[float, float]]:
    """Every window: when it starts and ends, in hours from now."""
    now = datetime.now(UTC)
    return [tuple(round((at - now) / HOUR, 2) for at in row) for row in await fetch(pool, SPANS)]


async def add_window(pool: Pool, starts: datetime, ends: datetime, **given: Any) -> None:
    row = {"counts": "excluded", "everything": True, "tags": [], "monitor_ids": [], "settled": False, **given}
    if not await fetch(pool, "select from maintenances"):
        await plan(pool, Manual())
    await fetch(
        pool,
        "insert into maintenance_windows (maintenance_id, starts_at, ends_at, counts, everything, tags, monitor_ids,"
        " settled) values (1, %s, %s, %s, %s, %s, %s, %s) returning id",
        starts, ends, *row.values(),
    )  # fmt: skip


async def until(pool: Pool, monitor_id: int, at: datetime) -> Any:
    return (await fetch(pool, "select maintenance_until(%s, %s)", monitor_id, at))[0][0]
