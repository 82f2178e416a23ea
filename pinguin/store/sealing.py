"""Everything that is kept sealed, part by part, to be sealed anew. Knows no keys: those are `pinguin.sealing`'s."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec
from psycopg.rows import args_row
from psycopg.types.json import Jsonb

from pinguin.db import Connection, queries

_SQL = queries("sealing")

Table = Literal["monitors", "versions", "channels"]
PART = 500


@dataclass(frozen=True, slots=True)
class Row:
    """Options as they are stored. kind: the check type or the kind of channel. version: of a version alone."""

    id: int
    kind: str
    options: dict[str, Any] = field(repr=False)
    version: int = 0


async def part(conn: Connection, table: Table, after: Row | None, most: int = PART) -> list[Row]:
    """Up to `most` rows behind `after`, deleted ones too."""
    given = {"after": after.id if after else 0, "after_version": after.version if after else 0, "most": most}
    async with conn.cursor(row_factory=args_row(_row)) as cursor:
        await cursor.execute(_SQL[table], given)
        return await cursor.fetchall()


def _row(*values: Any) -> Row:
    if len(values) == 3:
        return Row(*values)
    number, version, kind, options = values
    return Row(number, kind, options, version)


@asynccontextmanager
async def quietly(conn: Connection) -> AsyncIterator[None]:
    """A transaction in which options change without being edited. Only the owner of the tables may."""
    async with conn.transaction():
        await conn.execute(_SQL["lock"])
        await conn.execute(_SQL["quiet"])
        yield
        await conn.execute(_SQL["loud"])


async def write(conn: Connection, table: Table, rows: Sequence[Row]) -> None:
    """Within `quietly`."""
    values = [{"id": row.id, "version": row.version, "options": row.options} for row in rows]
    await conn.execute(_SQL[f"set_{table}"], {"rows": Jsonb(values, dumps=msgspec.json.encode)})


async def second_factors(conn: Connection) -> list[tuple[int, str]]:
    """Ids of accounts, and their secrets as they are stored."""
    return await (await conn.execute(_SQL["second_factors"])).fetchall()


async def set_second_factor(conn: Connection, user_id: int, old: str, new: str) -> None:
    await conn.execute(_SQL["set_second_factor"], {"id": user_id, "old": old, "new": new})
