"""sql/queries/badges.sql: what badges show, and the links by which anybody may see them."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import class_row

from pinguin.db import Connection, queries
from pinguin.errors import NotFound

_SQL = queries("badges")


@dataclass(frozen=True, slots=True)
class Facts:
    """uptime: 0 to 1, None where nothing was monitored. certificate_days: until the end of what was seen last."""

    name: str
    status: str
    latency_ms: float | None
    uptime: float | None
    certificate_days: float | None


@dataclass(frozen=True, slots=True)
class Link:
    key: str
    created_at: datetime


async def facts(conn: Connection, monitor_id: int, days: int) -> Facts:
    """Raises `NotFound`."""
    async with conn.cursor(row_factory=class_row(Facts)) as cursor:
        found = await (await cursor.execute(_SQL["facts"], {"monitor": monitor_id, "days": days})).fetchone()
    if found is None:
        raise NotFound(f"There is no monitor {monitor_id}.")
    return found


async def is_open(conn: Connection, monitor_id: int, key: str) -> bool:
    row = await (await conn.execute(_SQL["is_open"], {"monitor": monitor_id, "key": key})).fetchone()
    return row is not None and bool(row[0])


async def link(conn: Connection, monitor_id: int) -> Link | None:
    """None where nobody may see them but who is signed in."""
    async with conn.cursor(row_factory=class_row(Link)) as cursor:
        return await (await cursor.execute(_SQL["link"], {"monitor": monitor_id})).fetchone()


async def open_link(conn: Connection, monitor_id: int) -> bool:
    """False where there is one."""
    given = {"monitor": monitor_id, "key": secrets.token_urlsafe(16)}
    return await (await conn.execute(_SQL["open"], given)).fetchone() is not None


async def close_link(conn: Connection, monitor_id: int) -> bool:
    """False where there was none."""
    return await (await conn.execute(_SQL["close"], {"monitor": monitor_id})).fetchone() is not None
