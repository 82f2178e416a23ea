"""Accounts and sessions."""

from __future__ import annotations

from dataclasses import dataclass, field

from psycopg.rows import class_row

from pinguin.db import Connection, queries

_SQL = queries("accounts")


@dataclass(frozen=True, slots=True)
class Account:
    id: int
    name: str


@dataclass(frozen=True, slots=True)
class Credentials:
    id: int
    name: str
    password_hash: str = field(repr=False)


async def any_account(conn: Connection) -> bool:
    row = await (await conn.execute(_SQL["any"])).fetchone()
    return bool(row and row[0])


async def create_first(conn: Connection, name: str, password_hash: str) -> int | None:
    """The first account's id, or None when there is one already. Of two that race, one wins."""
    async with conn.transaction():
        await conn.execute(_SQL["lock"])
        cursor = await conn.execute(_SQL["create_first"], {"name": name, "password_hash": password_hash})
        row = await cursor.fetchone()
    return int(row[0]) if row else None


async def by_name(conn: Connection, name: str) -> Credentials | None:
    async with conn.cursor(row_factory=class_row(Credentials)) as cursor:
        await cursor.execute(_SQL["by_name"], {"name": name})
        return await cursor.fetchone()


async def open_session(conn: Connection, user_id: int, token_hash: bytes, lifetime_s: int) -> None:
    await conn.execute(_SQL["open_session"], {"user_id": user_id, "token_hash": token_hash, "lifetime_s": lifetime_s})


async def session(conn: Connection, token_hash: bytes) -> Account | None:
    """Whose session it is, while it lasts."""
    async with conn.cursor(row_factory=class_row(Account)) as cursor:
        await cursor.execute(_SQL["session"], {"token_hash": token_hash})
        return await cursor.fetchone()


async def close_session(conn: Connection, token_hash: bytes) -> None:
    await conn.execute(_SQL["close_session"], {"token_hash": token_hash})
