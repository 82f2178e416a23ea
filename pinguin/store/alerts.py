"""sql/queries/alerts.sql: the senders' side of the outbox. Each function is one transaction."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg.rows import args_row, class_row

from pinguin.db import Connection, queries

_sql = queries("alerts")


@dataclass(frozen=True, slots=True)
class Claimed:
    """A message to send, and the channel that it goes to. options: sealed. as_of: the database's time.

    attempts: this try included. unsure: an earlier try may have reached the provider.
    """

    id: int
    key: str
    channel_id: int
    attempts: int
    unsure: bool
    created_at: datetime
    channel: str
    kind: str
    options: dict[str, Any]
    subject_template: str | None
    body_template: str | None
    failures: int
    as_of: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemRow:
    """One thing that a message says. Incident, state, pipeline: of those that it is about, else None."""

    kind: str
    at: datetime
    facts: dict[str, Any]
    monitor_id: int | None
    monitor: str
    type: str
    target: str
    tags: list[str]
    incident_id: int | None
    started_at: datetime | None
    confirmed_at: datetime | None
    ended_at: datetime | None
    closed_by: str | None
    resolved_by: str | None
    reason: str | None
    message: str | None
    region: str | None
    evidence: dict[str, Any] | None
    status: str | None
    since: datetime | None
    status_reason: str | None
    status_message: str | None
    latency_ms: float | None
    last_started_at: datetime | None
    last_ended_at: datetime | None
    pipeline_message: str | None
    pipeline_ended_at: datetime | None
    pipeline_region: str | None
    note_by: str | None
    note: str | None
    votes: list[dict[str, Any]] | None


async def claim(conn: Connection, sender: str, lease_s: float) -> Claimed | None:
    """A message to send, claimed for `lease_s` seconds: one that waits for another try, else a channel's due
    notifications; None where nothing is ready."""
    given = {"sender": sender, "lease_s": lease_s}
    for step in ("reclaim", "gather"):
        row = await (await conn.execute(_sql[step], given)).fetchone()
        if row is not None and row[0] is not None:
            async with conn.cursor(row_factory=args_row(Claimed)) as cursor:
                return await (await cursor.execute(_sql["message"], {"message": row[0]})).fetchone()
    return None


async def items(conn: Connection, message_id: int) -> list[ItemRow]:
    """What the message says, the oldest first."""
    async with conn.cursor(row_factory=class_row(ItemRow)) as cursor:
        return await (await cursor.execute(_sql["items"], {"message": message_id})).fetchall()


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """A try that ended. answer: the provider's words, scrubbed and bounded."""

    message: int
    sender: str
    answer: str
    latency_ms: float
    subject: str


async def delivered(conn: Connection, tried: Tried) -> bool:
    """False where another sender had taken it over."""
    return await _mark(conn, "delivered", tried)


async def failed(conn: Connection, tried: Tried, *, unsure: bool, again_in_s: float) -> bool:
    """To be tried again in so many seconds; given up a day after it was made."""
    return await _mark(conn, "failed", tried, unsure=unsure, again_in_s=again_in_s)


async def refused(conn: Connection, tried: Tried, *, alone: bool = False) -> bool:
    """The channel is broken; what it was to tell waits until somebody mends it.

    alone: it is this message that is refused. Then it alone has failed, unless the two before it were refused too.
    """
    async with conn.transaction():
        given = {"message": tried.message}
        await conn.execute(_sql["lock_channel"], given)
        row = await (await conn.execute(_sql["third_in_a_row"], given)).fetchone() if alone else None
        if row is not None and not row[0]:
            return await _mark(conn, "refused_alone", tried)
        mine = await _mark(conn, "refused", tried)
        if mine and alone:
            await conn.execute(_sql["wait_too"], given)
        return mine


async def _mark(conn: Connection, how: str, tried: Tried, **more: Any) -> bool:
    given = {name: getattr(tried, name) for name in tried.__dataclass_fields__} | more
    row = await (await conn.execute(_sql[how], given)).fetchone()
    return row is not None and bool(row[0])
