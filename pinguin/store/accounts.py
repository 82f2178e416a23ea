"""People: their accounts, roles, one-time links and second factors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from psycopg.rows import class_row

from pinguin.db import Connection, queries
from pinguin.errors import Conflict, NotFound
from pinguin.people import Role

_SQL = queries("accounts")


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a sign-in is compared with. known_address: somebody is signed in to this account from there."""

    id: int
    name: str
    password_hash: str | None = field(repr=False)
    second_factor: bool
    known_address: bool


@dataclass(frozen=True, slots=True)
class Person:
    """An account as its own page has it. codes_left: recovery codes that were not used."""

    id: int
    name: str
    role: str
    password_hash: str | None = field(repr=False)
    totp_secret: str | None = field(repr=False)
    totp_since: datetime | None
    created_at: datetime
    codes_left: int


@dataclass(frozen=True, slots=True)
class Listed:
    """An account as owners see it. joined: it has a password. link_expires_at: of a link that was not used yet."""

    id: int
    name: str
    role: str
    joined: bool
    second_factor: bool
    created_at: datetime
    link_expires_at: datetime | None
    seen_at: datetime | None
    tokens: int


@dataclass(frozen=True, slots=True)
class Invited:
    """Whom a one-time link is for. new: there is no password yet."""

    id: int
    name: str
    role: str
    new: bool


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


async def by_name(conn: Connection, name: str, address: str = "") -> Credentials | None:
    async with conn.cursor(row_factory=class_row(Credentials)) as cursor:
        await cursor.execute(_SQL["by_name"], {"name": name, "address": address})
        return await cursor.fetchone()


async def person(conn: Connection, user_id: int) -> Person:
    """Raises `NotFound`."""
    async with conn.cursor(row_factory=class_row(Person)) as cursor:
        await cursor.execute(_SQL["person"], {"id": user_id})
        found = await cursor.fetchone()
    if found is None:
        raise NotFound("There is no such person (any more).")
    return found


async def people(conn: Connection) -> list[Listed]:
    """Everybody, by name."""
    async with conn.cursor(row_factory=class_row(Listed)) as cursor:
        await cursor.execute(_SQL["people"])
        return await cursor.fetchall()


async def create_invited(conn: Connection, name: str, role: Role) -> int | None:
    """The new account's id; it has no password. None where the name is taken, in whatever case."""
    row = await (await conn.execute(_SQL["create_invited"], {"name": name, "role": role.value})).fetchone()
    return int(row[0]) if row else None


async def invite(conn: Connection, user_id: int, token_hash: bytes, made_by: str, lifetime_s: int) -> None:
    """A one-time link for them; the one before ends."""
    given = {"user_id": user_id, "token_hash": token_hash, "made_by": made_by, "lifetime_s": lifetime_s}
    await conn.execute(_SQL["invite"], given)


async def invited(conn: Connection, token_hash: bytes) -> Invited | None:
    """Whom a link is for, while it lasts."""
    async with conn.cursor(row_factory=class_row(Invited)) as cursor:
        await cursor.execute(_SQL["invited"], {"token_hash": token_hash})
        return await cursor.fetchone()


async def use_invitation(conn: Connection, token_hash: bytes) -> bool:
    """Whether it was good; it is not any more."""
    return await (await conn.execute(_SQL["use_invitation"], {"token_hash": token_hash})).fetchone() is not None


async def set_password(conn: Connection, user_id: int, password_hash: str) -> None:
    await conn.execute(_SQL["set_password"], {"id": user_id, "password_hash": password_hash})


async def set_role(conn: Connection, user_id: int, role: Role) -> None:
    """Raises `Conflict` where no owner would be left, `NotFound` where they are gone."""
    await _unless_last(conn, user_id, "set_role", role=role.value)


async def remove(conn: Connection, user_id: int) -> None:
    """With their sessions and tokens. Raises as `set_role` does."""
    await _unless_last(conn, user_id, "remove")


async def _unless_last(conn: Connection, user_id: int, name: str, **values: str) -> None:
    async with conn.transaction():
        await conn.execute(_SQL["lock"])
        changed = await (await conn.execute(_SQL[name], {"id": user_id, **values})).fetchone()
        if changed is None:
            await person(conn, user_id)
            raise Conflict("This is the last owner who can sign in. Make somebody else an owner first.")


async def set_totp(conn: Connection, user_id: int, secret: str | None, step: int | None = None) -> None:
    """secret: sealed; None takes the second factor away. step: of the code that proved it."""
    await conn.execute(_SQL["set_totp"], {"id": user_id, "secret": secret, "step": step})


async def use_totp_step(conn: Connection, user_id: int, step: int) -> bool:
    """Whether no code of this time step, or of a later one, was used yet; now one was."""
    found = await (await conn.execute(_SQL["use_totp_step"], {"id": user_id, "step": step})).fetchone()
    return found is not None


async def replace_codes(conn: Connection, user_id: int, hashes: Sequence[bytes]) -> None:
    """These recovery codes, and no others."""
    async with conn.transaction():
        await conn.execute(_SQL["forget_codes"], {"id": user_id})
        await conn.execute(_SQL["add_codes"], {"id": user_id, "hashes": list(hashes)})


async def use_code(conn: Connection, user_id: int, code_hash: bytes) -> bool:
    """Whether it is a recovery code of theirs that was not used; now it was."""
    found = await (await conn.execute(_SQL["use_code"], {"user_id": user_id, "code_hash": code_hash})).fetchone()
    return found is not None
