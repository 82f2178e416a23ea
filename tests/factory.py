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


async def set_status(pool: Pool, monitor_id: int, status: str, reason: str | None = None) -> None:
    """The state alone, as if a result had made it so."""
    async with pool.connection() as conn:
        await conn.execute(
            "update monitor_states set status = %s, reason = %s, message = %s, latency_ms = 12.5 where monitor_id = %s",
            (status, reason, reason and f"it is {reason}", monitor_id),
        )


async def add_result(
    pool: Pool, monitor_id: int, status: str = "up", seconds_ago: float = 30, **values: object
) -> None:
    """A row of results alone, which changes no state."""
    row: dict[str, object] = {"reason": None, "message": None, "latency_ms": 12.5, "evidence": "{}", **values}
    async with pool.connection() as conn:
        await conn.execute(
            """
            insert into results (monitor_id, scheduled_at, region, version, status, reason, message, latency_ms,
              dns_ms, connect_ms, started_at, recorded_at, evidence)
            select %(monitor)s, at, 'local', 1, %(status)s, %(reason)s, %(message)s, %(latency_ms)s, 1, 2, at, at,
              %(evidence)s
            from (select now() - %(ago)s * interval '1 second' as at) slot
            """,
            row | {"monitor": monitor_id, "status": status, "ago": seconds_ago},
        )


async def add_incident(
    pool: Pool, monitor_id: int, *, ago: float = 600, lasted: float | None = None, **values: Any
) -> int:
    """An outage that began `ago` seconds ago, and goes on unless it `lasted` some seconds; its id."""
    row = {"reason": "timeout", "message": "no answer", "region": "local", "evidence": {}, **values}
    ((incident,),) = await fetch(
        pool,
        """insert into incidents (monitor_id, started_at, confirmed_at, reason, message, region, evidence)
        select %s, at, at + interval '60 s', %s, %s, %s, %s
        from (select now() - %s * interval '1 s' as at) began returning id""",
        monitor_id, row["reason"], row["message"], row["region"], Jsonb(row["evidence"]), ago,
    )  # fmt: skip
    if lasted is None:
        await set_status(pool, monitor_id, "down", row["reason"])
        await fetch(
            pool, "update monitor_states set incident_id = %s where monitor_id = %s returning 1", incident, monitor_id
        )
    else:
        ends = "update incidents set ended_at = started_at + %s * interval '1 s', closed_by = 'recovery' where id = %s"
        await fetch(pool, f"{ends} returning 1", lasted, incident)
    return int(incident)


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
