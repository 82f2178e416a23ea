"""Channels, who is told of a monitor, and messages as senders left them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec

from pinguin.db import Pool, connection
from pinguin.store import channels
from pinguin.store.channels import Draft
from tests.factory import fetch

DRAFT = Draft(
    name="ops", kind="webhook", options={"url": "sealed:v1:x"}, is_default=True, subject_template=None,
    body_template=None, per_minute=10, quiet_from=None, quiet_to=None, quiet_zone=None, quiet_days=range(1, 8),
)  # fmt: skip


async def add_channel(pool: Pool, **changes: Any) -> int:
    """Its id. The options are sealed in name only."""
    async with connection(pool) as conn:
        return await channels.create(conn, replace(DRAFT, **changes))


async def broken(pool: Pool, channel: int) -> None:
    """It is switched off, as a sender does when a provider is gone for good."""
    await fetch(
        pool, "update channels set broken_at = now(), broken_reason = '410 Gone' where id = %s returning 1", channel
    )


async def outage(pool: Pool, monitor: int) -> None:
    """An incident; its trigger writes who is to be told."""
    await fetch(
        pool,
        """insert into incidents (monitor_id, started_at, confirmed_at, reason, message, region)
        values (%s, now(), now(), 'refused', 'connection refused', 'local') returning 1""",
        monitor,
    )


async def set_rules(pool: Pool, monitor: int, rules: dict[str, Any]) -> None:
    text = msgspec.json.encode(rules).decode()
    await fetch(pool, "update monitors set alerts = %s::jsonb where id = %s returning 1", text, monitor)


async def message(pool: Pool, channel: int, status: str, *tries: tuple[str, str]) -> int:
    """A message and its tries, each with its outcome and what was answered; its id."""
    [(made,)] = await fetch(
        pool,
        """insert into messages (channel_id, status, subject, attempts, due_at, ended_at)
        values (%s, %s, 'shop is down', %s, now() + interval '5 min',
          case when %s not in ('retry', 'sending') then now() end)
        returning id""",
        channel, status, len(tries), status,
    )  # fmt: skip
    for outcome, answer in tries:
        insert = "insert into attempts (message_id, latency_ms, outcome, answer) values (%s, 12.5, %s, %s) returning 1"
        await fetch(pool, insert, made, outcome, answer)
    return int(made)
