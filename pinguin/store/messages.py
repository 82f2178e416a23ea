"""The log of what was told: messages, their items, every attempt, and what waits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from psycopg.rows import args_row, class_row

from pinguin.db import Connection, queries

_SQL = queries("messages")
ITEMS = 60
"""How many items of one message are read; a digest may have thousands."""


@dataclass(frozen=True, slots=True)
class Item:
    """What a message is about. text: of Pinguin's own trouble, what it is."""

    message_id: int
    kind: str
    at: datetime
    monitor_id: int | None
    monitor: str | None
    archived: bool | None
    incident_id: int | None
    text: str


@dataclass(frozen=True, slots=True)
class Attempt:
    """A try to deliver a message: delivered, failed or refused, and what the provider answered."""

    message_id: int
    at: datetime
    latency_ms: float | None
    outcome: str
    answer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """items: how many there are; `listed` has the first `ITEMS` of them. due_at: of a retry, when it is tried again."""

    id: int
    channel_id: int
    channel: str
    archived: bool
    status: str
    attempts: int
    unsure: bool
    created_at: datetime
    ended_at: datetime | None
    due_at: datetime
    subject: str | None
    items: int
    listed: list[Item] = field(default_factory=list)
    tries: list[Attempt] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Waiting:
    """What is to be told and is not yet. held: why; due: its time has come. No monitor: Pinguin itself."""

    kind: str
    at: datetime
    due_at: datetime
    held: str | None
    channel_id: int
    channel: str
    monitor_id: int | None
    monitor: str | None
    due: bool


@dataclass(frozen=True, slots=True)
class Notified:
    """What became of one notification of a monitor. held: why it waits or was not told. answer: the provider's last."""

    kind: str
    at: datetime
    due_at: datetime
    status: str
    held: str | None
    told_at: datetime | None
    channel_id: int
    channel: str
    archived: bool
    answer: str | None


async def page(
    conn: Connection, channel_id: int | None, *, before: tuple[datetime, int] | None = None, most: int = 50
) -> list[Message]:
    """Newest first, of one channel or of all; `before` is the time and id of the last one seen. Three queries."""
    given = {"channel": channel_id, "before": before and before[0], "before_id": before and before[1], "most": most}
    async with conn.cursor(row_factory=class_row(Message)) as cursor:
        await cursor.execute(_SQL["messages"], given)
        found = {message.id: message for message in await cursor.fetchall()}
    async with conn.cursor(row_factory=args_row(Item)) as cursor:
        await cursor.execute(_SQL["items"], {"messages": list(found), "most": ITEMS})
        for item in await cursor.fetchall():
            found[item.message_id].listed.append(item)
    async with conn.cursor(row_factory=args_row(Attempt)) as cursor:
        await cursor.execute(_SQL["attempts"], {"messages": list(found)})
        for attempt in await cursor.fetchall():
            found[attempt.message_id].tries.append(attempt)
    return list(found.values())


async def waiting(conn: Connection, channel_id: int | None, most: int = 50) -> Sequence[Waiting]:
    """What is not told yet, the next first."""
    async with conn.cursor(row_factory=args_row(Waiting)) as cursor:
        await cursor.execute(_SQL["waiting"], {"channel": channel_id, "most": most})
        return await cursor.fetchall()


async def notified(conn: Connection, monitor_id: int, most: int = 8) -> Sequence[Notified]:
    """The newest notifications of a monitor, whatever became of them."""
    async with conn.cursor(row_factory=args_row(Notified)) as cursor:
        await cursor.execute(_SQL["notified"], {"monitor": monitor_id, "most": most})
        return await cursor.fetchall()
