"""Rows that tests need."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from psycopg.types.json import Jsonb

from pinguin.db import Pool
from pinguin.model import Result, Status

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)

_BEGINNINGS = (("transitions", "at"), ("monitor_states", "since"), ("monitor_versions", "valid_from"))


async def add_monitor(pool: Pool, made_at: datetime | None = EPOCH - timedelta(minutes=1), **values: Any) -> int:
    """A monitor, with defaults for what is not given, as if it had been made at `made_at` (None: now); its id."""
    row = {
        "name": "shop",
        "type": "tcp",
        "target": "127.0.0.1:9",
        "options": {"host": "127.0.0.1", "port": 9},
        "interval_s": 60,
        "timeout_s": 5,
        **values,
    }
    row["options"] = Jsonb(row["options"])
    columns, places = ", ".join(row), ", ".join(f"%({name})s" for name in row)
    async with pool.connection() as conn:
        cursor = await conn.execute(f"insert into monitors ({columns}) values ({places}) returning id", row)
        inserted = await cursor.fetchone()
        assert inserted is not None
        if made_at is not None:
            for table, column in _BEGINNINGS:
                await conn.execute(f"update {table} set {column} = %s where monitor_id = %s", (made_at, inserted[0]))
    return int(inserted[0])


async def add_monitors(pool: Pool, number: int) -> list[int]:
    """So many that are down at the first failure, in one statement: their ids."""
    added = await fetch(
        pool,
        "insert into monitors (name, type, target, options, interval_s, timeout_s, failure_threshold) "
        "select 'm' || n, 'tcp', '127.0.0.1:9', '{\"host\": \"127.0.0.1\", \"port\": 9}', 60, 5, 1 "
        "from generate_series(1, %s) n returning id",
        number,
    )
    ids = [int(row[0]) for row in added]
    for table, column in _BEGINNINGS:
        made_at = EPOCH - timedelta(minutes=1)
        await fetch(pool, f"update {table} set {column} = %s where monitor_id = any(%s) returning 1", made_at, ids)
    return ids


async def fetch(pool: Pool, sql: str, *arguments: Any) -> list[tuple[Any, ...]]:
    async with pool.connection() as conn:
        return await (await conn.execute(sql, arguments)).fetchall()


def result(monitor_id: int = 1, second: float = 0, status: Status = Status.UP, **values: Any) -> Result:
    """The result of a slot that many seconds after `EPOCH`."""
    slot = EPOCH + timedelta(seconds=second)
    if status is Status.DOWN:
        values = {"reason": "refused", "message": "connection refused", **values}
    elif status.answers:
        values = {"latency_ms": 12.5, **values}
    return Result(
        monitor_id,
        slot,
        values.pop("region", "local"),
        values.pop("version", 1),
        status,
        started_at=slot,
        **values,
    )
