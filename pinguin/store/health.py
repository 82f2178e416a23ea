"""sql/queries/health.sql: what doctor asks."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import args_row

from pinguin.db import Connection, queries

_sql = queries("health")


@dataclass(frozen=True, slots=True)
class Database:
    """timescaledb: its version, None where it is not installed. community: it has continuous aggregates."""

    now: datetime
    version: str
    timescaledb: str | None
    community: bool


async def database(conn: Connection) -> Database:
    async with conn.cursor(row_factory=args_row(Database)) as cursor:
        row = await (await cursor.execute(_sql["database"])).fetchone()
    assert row is not None
    return row


async def ping(conn: Connection) -> None:
    await conn.execute(_sql["ping"])
