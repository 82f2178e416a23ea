"""sql/queries/upkeep.sql: the leader's chores in the database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from time import monotonic

import psycopg
from psycopg.rows import args_row
from psycopg.types.json import Jsonb

from pinguin.db import Connection, queries

_sql = queries("upkeep")


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that is wrong with the pipeline. code: as `pipeline_incidents` lists them; region: or ""."""

    code: str
    region: str
    message: str


@dataclass(frozen=True, slots=True)
class PipelineIncident:
    """A time at which the pipeline was not well; `ended_at` is None while it is not."""

    code: str
    region: str
    started_at: datetime
    ended_at: datetime | None
    message: str


async def mark_quiet(conn: Connection, as_of: datetime, causes: Mapping[str, str]) -> list[int]:
    """Make monitors unknown that at `as_of` had had no result for two intervals and their timeout.

    causes: by region, why its monitors may be quiet.
    """
    given = {"as_of": as_of, "causes": Jsonb(dict(causes))}
    cursor = await conn.execute(_sql["mark_quiet"], given)
    return [row[0] for row in await cursor.fetchall()]


async def quiet_monitors(conn: Connection) -> int:
    """How many monitors are unknown for want of results."""
    row = await (await conn.execute(_sql["quiet_monitors"])).fetchone()
    assert row is not None
    return int(row[0])


async def offline_monitors(conn: Connection) -> int:
    """How many monitors are unknown because the network of a worker is gone."""
    row = await (await conn.execute(_sql["offline_monitors"])).fetchone()
    assert row is not None
    return int(row[0])


async def regions(conn: Connection) -> list[str]:
    """Regions that have monitors to check."""
    return [row[0] for row in await (await conn.execute(_sql["regions"])).fetchall()]


async def set_problems(conn: Connection, problems: Sequence[Problem]) -> list[Problem]:
    """Make these the open incidents of the pipeline; those that are new."""
    given = {"problems": Jsonb([asdict(problem) for problem in problems])}
    async with conn.transaction():
        await conn.execute(_sql["end_problems"], given)
        rows = await (await conn.execute(_sql["raise_problems"], given)).fetchall()
    return [Problem(*row[:3]) for row in rows if row[3]]


async def watch(conn: Connection, patience: timedelta) -> tuple[datetime, timedelta | None]:
    """Note that the pipeline is watched: the database's time; and if nobody did for longer than `patience`, how long.

    That is raised too.
    """
    async with conn.transaction():
        row = await (await conn.execute(_sql["watch"])).fetchone()
        assert row is not None
        now, before = row
        if before is None or now - before <= patience:
            return now, None
        await conn.execute(_sql["note_unwatched"], {"started_at": before})
    return now, now - before


async def problems(conn: Connection, within: timedelta) -> list[PipelineIncident]:
    """The pipeline's incidents that are open, or ended within that time; open ones first."""
    async with conn.cursor(row_factory=args_row(PipelineIncident)) as cursor:
        return await (await cursor.execute(_sql["problems"], {"within": within})).fetchall()


async def forget_sessions(conn: Connection) -> None:
    await conn.execute(_sql["forget_sessions"])


async def vacuum(conn: Connection) -> None:
    """Clear the tables that are updated often of dead rows, on an autocommit connection."""
    await conn.execute(_sql["vacuum"])


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
        ("retention", "pings"): raw,
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
            changed.append(f"{kind} of {relation}: {after.days} day{'' if after.days == 1 else 's'}")
    return changed
