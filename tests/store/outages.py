"""Outages, as results that were recorded make them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from pinguin.db import Pool, connection
from pinguin.model import Result, Status
from pinguin.store import incidents
from pinguin.store.recording import record
from tests.factory import add_monitor, fetch, result

DOWN, UP = Status.DOWN, Status.UP


async def recorded(pool: Pool, *results: Result) -> None:
    async with pool.connection() as conn, conn.transaction():
        await record(conn, results)


def lately(monitor_id: int, seconds: float, status: Status = DOWN) -> Result:
    """The result of a slot that many seconds from now."""
    each = result(monitor_id, status=status)
    each.scheduled_at = each.started_at = datetime.now(UTC) + timedelta(seconds=seconds)
    return each


async def broken(pool: Pool, name: str = "shop", threshold: int = 2, **values: object) -> tuple[int, int]:
    """A monitor that is down since two minutes; its id, and the incident's."""
    monitor = await add_monitor(
        pool, datetime.now(UTC) - timedelta(hours=1), name=name, failure_threshold=threshold, **values
    )
    await recorded(pool, *(lately(monitor, 60.0 * n - 60 * threshold - 5) for n in range(threshold)))
    ((incident,),) = await fetch(pool, "select id from incidents where monitor_id = %s and ended_at is null", monitor)
    return monitor, incident


async def acknowledged(pool: Pool, ids: Sequence[int], note: str = "on it") -> list[int]:
    async with connection(pool) as conn:
        return await incidents.acknowledge(conn, ids, "ada", note)
