"""API tokens."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import class_row

from pinguin.db import Connection, queries
from pinguin.people import Scope

_SQL = queries("tokens")


@dataclass(frozen=True, slots=True)
class Visitor:
    """Whose token it is."""

    token_id: int
    token_name: str
    scope: Scope
    user_id: int
    name: str
    role: str


@dataclass(frozen=True, slots=True)
class Token:
    """hint: its first letters. live: neither revoked nor expired."""

    id: int
    name: str
    hint: str
    scope: Scope
    created_at: datetime
    expires_at: datetime
    used_at: datetime | None
    revoked_at: datetime | None
    live: bool


async def create(
    conn: Connection, user_id: int, *, name: str, token_hash: bytes, hint: str, scope: Scope, days: int
) -> int:
    """The new token's id."""
    given = {"user_id": user_id, "name": name, "token_hash": token_hash, "hint": hint, "scope": scope, "days": days}
    row = await (await conn.execute(_SQL["create"], given)).fetchone()
    assert row is not None
    return int(row[0])


async def of_user(conn: Connection, user_id: int) -> list[Token]:
    """The live ones first; those that ended less than a month ago after them."""
    async with conn.cursor(row_factory=class_row(Token)) as cursor:
        await cursor.execute(_SQL["of_user"], {"user_id": user_id})
        return await cursor.fetchall()


async def visit(conn: Connection, token_hash: bytes) -> Visitor | None:
    async with conn.cursor(row_factory=class_row(Visitor)) as cursor:
        await cursor.execute(_SQL["visit"], {"token_hash": token_hash})
        return await cursor.fetchone()


async def revoke(conn: Connection, user_id: int, token_id: int) -> str | None:
    """The name of the token that ended, if it was theirs and live."""
    row = await (await conn.execute(_SQL["revoke"], {"user_id": user_id, "id": token_id})).fetchone()
    return str(row[0]) if row else None


async def revoke_all(conn: Connection, user_id: int) -> None:
    await conn.execute(_SQL["revoke_all"], {"user_id": user_id})
