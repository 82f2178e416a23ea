"""Signed-in browsers, and sign-ins that still owe their second step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from psycopg.rows import class_row, scalar_row

from pinguin.db import Connection, queries

_SQL = queries("sessions")

IDLE_S = 14 * 86400
"""A session that nobody used for so long has ended."""


@dataclass(frozen=True, slots=True)
class Visitor:
    """Whose session, or whose token, it is."""

    session_id: int
    user_id: int
    name: str
    role: str


@dataclass(frozen=True, slots=True)
class Session:
    id: int
    token_hash: bytes = field(repr=False)
    created_at: datetime
    seen_at: datetime
    expires_at: datetime
    address: str
    device: str


@dataclass(frozen=True, slots=True)
class Step:
    """Who gave the right password."""

    id: int
    name: str
    totp_secret: str | None = field(repr=False)


async def open_session(
    conn: Connection, user_id: int, token_hash: bytes, lifetime_s: int, address: str = "", device: str = ""
) -> int:
    """The new session's id."""
    given = {"user_id": user_id, "token_hash": token_hash, "lifetime_s": lifetime_s}
    row = await (await conn.execute(_SQL["open"], {**given, "address": address, "device": device})).fetchone()
    assert row is not None
    return int(row[0])


async def visit(conn: Connection, token_hash: bytes, address: str, *, counts: bool = True) -> Visitor | None:
    """Whose session it is, while it lasts. counts: as a use of it; a page that is merely open is none."""
    async with conn.cursor(row_factory=class_row(Visitor)) as cursor:
        given = {"token_hash": token_hash, "address": address, "counts": counts, "idle_s": IDLE_S}
        await cursor.execute(_SQL["visit"], given)
        return await cursor.fetchone()


async def of_user(conn: Connection, user_id: int) -> list[Session]:
    """Those that last, the one used last first."""
    async with conn.cursor(row_factory=class_row(Session)) as cursor:
        await cursor.execute(_SQL["of_user"], {"user_id": user_id, "idle_s": IDLE_S})
        return await cursor.fetchall()


async def close(conn: Connection, token_hash: bytes) -> bool:
    """Whether there was one."""
    return await (await conn.execute(_SQL["close"], {"token_hash": token_hash})).fetchone() is not None


async def close_one(conn: Connection, user_id: int, session_id: int) -> Sequence[bytes]:
    """The hash of the session that ended, if it was theirs."""
    async with conn.cursor(row_factory=scalar_row) as cursor:
        await cursor.execute(_SQL["close_one"], {"user_id": user_id, "id": session_id})
        return await cursor.fetchall()


async def close_all(conn: Connection, user_id: int, *, but: int | None = None) -> Sequence[bytes]:
    """The hashes of the sessions that ended. Sign-ins that owe their second step end too. but: a session that stays."""
    async with conn.cursor(row_factory=scalar_row) as cursor:
        await cursor.execute(_SQL["close_steps"], {"user_id": user_id})
        await cursor.execute(_SQL["close_all"], {"user_id": user_id, "but": but})
        return await cursor.fetchall()


async def open_step(conn: Connection, user_id: int, token_hash: bytes, lifetime_s: int) -> None:
    await conn.execute(_SQL["open_step"], {"user_id": user_id, "token_hash": token_hash, "lifetime_s": lifetime_s})


async def step(conn: Connection, token_hash: bytes) -> Step | None:
    """Whose second step it is, while it lasts."""
    async with conn.cursor(row_factory=class_row(Step)) as cursor:
        await cursor.execute(_SQL["step"], {"token_hash": token_hash})
        return await cursor.fetchone()


async def close_step(conn: Connection, token_hash: bytes) -> bool:
    """Whether it was still open: of two that race, one wins."""
    return await (await conn.execute(_SQL["close_step"], {"token_hash": token_hash})).fetchone() is not None
