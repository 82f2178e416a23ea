"""sql/queries/metrics.sql: what Prometheus may ask of monitors."""

from __future__ import annotations

from typing import NamedTuple

from psycopg.rows import args_row

from pinguin.db import Connection, queries

_SQL = queries("metrics")


class Measured(NamedTuple):
    """A monitor as it is now. last_slot, since, certificate, domain: seconds since 1970. uptime: 0 to 1, of a day."""

    id: int
    name: str
    type: str
    status: str
    real_status: str
    latency_ms: float | None
    last_slot: float | None
    since: float
    uptime: float | None
    certificate: float | None
    domain: float | None


async def monitors(conn: Connection) -> list[Measured]:
    """By number."""
    async with conn.cursor(row_factory=args_row(Measured)) as cursor:
        return await (await cursor.execute(_SQL["monitors"])).fetchall()
