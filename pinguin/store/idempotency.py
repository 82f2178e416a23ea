"""sql/queries/idempotency.sql: what was asked under a key, and what was answered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from pinguin.db import Connection, queries

_SQL = queries("idempotency")


@dataclass(slots=True)
class Claim:
    """A request under a key. request_hash: of all that was asked. claimed_at: when, once it is claimed."""

    token_id: int
    key: str
    request_hash: bytes
    claimed_at: datetime | None = field(default=None)


@dataclass(frozen=True, slots=True)
class Kept:
    """What there is under a key. status: of the answer, None while it is under way. body: None where it is secret."""

    request_hash: bytes
    status: int | None
    headers: dict[str, str]
    body: bytes | None


async def claim(conn: Connection, wanted: Claim) -> Kept | None:
    """None where the key is this request's now, and `claimed_at` is set; else what is there."""
    given = {"token_id": wanted.token_id, "key": wanted.key, "request_hash": wanted.request_hash}
    while True:
        row = await (await conn.execute(_SQL["claim"], given)).fetchone()
        if row is not None:
            wanted.claimed_at = row[0]
            return None
        async with conn.cursor(row_factory=class_row(Kept)) as cursor:
            found = await (await cursor.execute(_SQL["kept"], given)).fetchone()
        if found is not None:
            return found


async def finish(conn: Connection, claimed: Claim, status: int, headers: Mapping[str, str], body: bytes | None) -> bool:
    """Write the answer down. False where somebody else has taken the key meanwhile."""
    given = {
        "token_id": claimed.token_id,
        "key": claimed.key,
        "claimed_at": claimed.claimed_at,
        "status": status,
        "headers": Jsonb(dict(headers)),
        "body": body,
    }
    return await (await conn.execute(_SQL["finish"], given)).fetchone() is not None


async def free(conn: Connection, claimed: Claim) -> None:
    """Nothing came of it; what was finished stays."""
    given = {"token_id": claimed.token_id, "key": claimed.key, "claimed_at": claimed.claimed_at}
    await conn.execute(_SQL["free"], given)
