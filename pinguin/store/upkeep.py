"""sql/queries/upkeep.sql: the leader's chores in the database."""

from __future__ import annotations

from datetime import timedelta
from time import monotonic

import psycopg

from pinguin.db import Connection, queries

_sql = queries("upkeep")


async def mark_quiet(conn: Connection, patience: timedelta) -> list[int]:
    """Make monitors unknown that have had no result for two intervals, their timeout and `patience`."""
    cursor = await conn.execute(_sql["mark_quiet"], {"patience": patience})
    return [row[0] for row in await cursor.fetchall()]


async def forget_sessions(conn: Connection) -> None:
    await conn.execute(_sql["forget_sessions"])


async def has_background_workers(conn: Connection) -> bool:
    """False on the embedded database, whose jobs are ours to run."""
    row = await (await conn.execute(_sql["is_embedded"])).fetchone()
    return row is not None and not row[0]


async def due_jobs(conn: Connection) -> list[tuple[int, str, str]]:
    """TimescaleDB's jobs that should have run: (id, procedure, relation)."""
    return await (await conn.execute(_sql["due_jobs"])).fetchall()


async def run_job(conn: Connection, job_id: int) -> str | None:
    """Run one job now, on an autocommit connection (a refresh refuses to run in a transaction); its error, if any."""
    began, error = monotonic(), None
    try:
        await conn.execute(_sql["run_job"], {"job_id": job_id})
    except psycopg.OperationalError:
        raise
    except psycopg.Error as failure:
        error = str(failure)
    duration_ms = (monotonic() - began) * 1000
    await conn.execute(_sql["record_job"], {"job_id": job_id, "duration_ms": duration_ms, "error": error})
    return error


async def apply_policies(conn: Connection, raw: timedelta, rollups: timedelta, columnstore: timedelta) -> list[str]:
    """Set how long raw results and roll-ups are kept, and when raw ones go to the columnstore; what was changed."""
    wanted = {
        ("retention", "results"): raw,
        ("retention", "results_hourly"): rollups,
        ("retention", "results_daily"): rollups,
        ("columnstore", "results"): columnstore,
        ("columnstore", "results_hourly"): timedelta(days=1),
        ("columnstore", "results_daily"): timedelta(days=2),
    }
    names = {"policy_retention": "retention", "policy_compression": "columnstore"}
    cursor = await conn.execute(_sql["policies"])
    current = {(names[row[0]], row[1]): row[2] for row in await cursor.fetchall()}
    changed = []
    for (kind, relation), after in wanted.items():
        if current.get((kind, relation)) != after:
            async with conn.transaction():
                await conn.execute(_sql[f"drop_{kind}"], {"relation": relation})
                await conn.execute(_sql[f"add_{kind}"], {"relation": relation, "after": after})
            changed.append(f"{kind} of {relation}: {after.days} days")
    return changed
