"""sql/queries/dispatch.sql: what the scheduler and the workers need of the definitions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from psycopg.rows import args_row

from pinguin.db import Connection, queries
from pinguin.model import Definition

_sql = queries("dispatch")


@dataclass(frozen=True, slots=True)
class Runnable:
    """What a worker needs to run a monitor's jobs. options: as stored, not validated yet."""

    monitor_id: int
    version: int
    type: str
    options: Mapping[str, Any]
    timeout_s: float


async def all_active(conn: Connection) -> list[Definition]:
    async with conn.cursor(row_factory=args_row(Definition)) as cursor:
        return await (await cursor.execute(_sql["all_active"])).fetchall()


async def active(conn: Connection, monitor_ids: Sequence[int]) -> list[Definition]:
    async with conn.cursor(row_factory=args_row(Definition)) as cursor:
        return await (await cursor.execute(_sql["active"], {"monitor_ids": list(monitor_ids)})).fetchall()


async def runnable_in(conn: Connection, region: str, monitor_ids: Sequence[int] | None = None) -> list[Runnable]:
    """What workers of `region` may be asked to run; of these monitors, where some are given."""
    given = {"region": region, "monitor_ids": None if monitor_ids is None else list(monitor_ids)}
    async with conn.cursor(row_factory=args_row(Runnable)) as cursor:
        return await (await cursor.execute(_sql["runnable_in"], given)).fetchall()


async def runnable(conn: Connection, monitor_ids: Sequence[int]) -> list[Runnable]:
    async with conn.cursor(row_factory=args_row(Runnable)) as cursor:
        return await (await cursor.execute(_sql["runnable"], {"monitor_ids": list(monitor_ids)})).fetchall()
