"""An outbox to play with: results come in, time goes by, messages are gathered and marked. No sender, no network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from psycopg.types.json import Jsonb

from pinguin.db import Pool
from pinguin.model import Result, Status
from pinguin.store import alerts
from pinguin.worker.recorder import record
from tests.factory import add_monitor, fetch

LETTERS = {"u": Status.UP, "g": Status.DEGRADED, "d": Status.DOWN, "n": Status.UNKNOWN}

_TIMES = {
    "notifications": ("at", "due_at", "created_at", "told_at"),
    "messages": ("claimed_until", "due_at", "created_at", "ended_at"),
    "channels": ("tokens_at", "next_at"),
    "incidents": ("started_at", "confirmed_at", "ended_at", "snoozed_until"),
    "transitions": ("at", "confirmed_at"),
    "monitor_states": ("since", "last_slot", "streak_since"),
    "pipeline_incidents": ("started_at", "ended_at"),
    "slow_spells": ("started_at", "ended_at"),
    "maintenance_windows": ("starts_at", "ends_at"),
}


@dataclass(slots=True)
class Outbox:
    """`later` moves all that happened into the past, which for the database is the same as time going by."""

    pool: Pool
    sender: str = "sender"

    async def channel(self, name: str = "phone", *, default: bool = True, **values: Any) -> int:
        row = {
            "name": name,
            "kind": "webhook",
            "options": Jsonb({}),
            "is_default": default,
            "per_minute": 600,
            **values,
        }
        columns, places = ", ".join(row), ", ".join(["%s"] * len(row))
        statement = f"insert into channels ({columns}) values ({places}) returning id"
        return int((await fetch(self.pool, statement, *row.values()))[0][0])

    async def monitor(self, name: str = "shop", rules: dict[str, Any] | None = None, **values: Any) -> int:
        values = {"failure_threshold": 1, "alerts": Jsonb(rules or {}), **values}
        return await add_monitor(self.pool, name=name, **values)

    async def rules(self, monitor: int, **rules: Any) -> None:
        await self.run("update monitors set alerts = %s where id = %s", Jsonb(rules), monitor)

    async def run(self, statement: str, *arguments: Any) -> None:
        async with self.pool.connection() as conn:
            await conn.execute(statement, arguments)

    async def seen(self, monitors: int | Sequence[int], outcomes: str, every_s: float = 60) -> None:
        """One result a letter: u(p), g (degraded), d(own), n (unknown); time goes by after each."""
        ids = [monitors] if isinstance(monitors, int) else list(monitors)
        for letter in outcomes:
            await record(self.pool, await self.results(ids, letter))
            await self.later(every_s)

    async def outage(self, rules: dict[str, Any] | None = None) -> int:
        """A monitor that is down, told of on the one channel; its id."""
        await self.channel()
        shop = await self.monitor(rules=rules)
        await self.seen(shop, "d")
        assert await self.told() == ["phone: down shop"]
        return shop

    async def results(self, monitors: Sequence[int], letter: str) -> list[Result]:
        versions = await fetch(self.pool, "select id, version from monitors where id = any(%s) order by id", monitors)
        status, now = LETTERS[letter], datetime.now(UTC)
        reason, message = ("refused", "connection refused") if letter == "d" else (None, None)
        latency_ms = 12.5 if status.answers else None
        return [
            Result(monitor, now, "local", version, status, now, latency_ms, reason, message)
            for monitor, version in versions
        ]

    async def later(self, seconds: float) -> None:
        by = timedelta(seconds=seconds)
        async with self.pool.connection() as conn, conn.transaction():
            for table, columns in _TIMES.items():
                changes = ", ".join(f"{column} = {column} - %(by)s" for column in columns)
                await conn.execute(f"update {table} set {changes}", {"by": by})

    async def gather(self, sender: str | None = None, lease_s: float = 30) -> int | None:
        return await self._claim("gather_message", sender, lease_s)

    async def reclaim(self, sender: str | None = None, lease_s: float = 30) -> int | None:
        return await self._claim("reclaim_message", sender, lease_s)

    async def _claim(self, function: str, sender: str | None, lease_s: float) -> int | None:
        statement = f"select {function}(%s, %s * interval '1 second')"
        message: int | None = (await fetch(self.pool, statement, sender or self.sender, lease_s))[0][0]
        return message

    async def delivered(self, message: int, sender: str | None = None) -> bool:
        return await self._mark("delivered(%s, %s, 'ok', 3, 'subject')", message, sender)

    async def failed(
        self, message: int, sender: str | None = None, *, unsure: bool = False, again_s: float = 5
    ) -> bool:
        rest = f"'no answer', 3, {unsure}, interval '{again_s} seconds', 'subject'"
        return await self._mark(f"failed(%s, %s, {rest})", message, sender)

    async def refused(self, message: int, sender: str | None = None) -> bool:
        return await self._mark("refused(%s, %s, 'gone', 3, 'subject')", message, sender)

    async def _mark(self, call: str, message: int, sender: str | None) -> bool:
        return bool((await fetch(self.pool, f"select mark_{call}", message, sender or self.sender))[0][0])

    async def told(self) -> list[str]:
        """Gather and deliver all there is: each message as the news in it, in words such as `down shop`."""
        messages = []
        await self.later(5)
        while message := await self.gather():
            messages.append(await self.said(message))
            assert await self.delivered(message)
            await self.later(5)
        return messages

    async def said(self, message: int) -> str:
        """What a message says, as the sender reads it: `phone: down shop, down bar`."""
        channel = await fetch(self.pool, "select c.name from messages m join channels c on c.id = m.channel_id "
                              "where m.id = %s", message)  # fmt: skip
        async with self.pool.connection() as conn:
            items = await alerts.items(conn, message)
        return f"{channel[0][0]}: {', '.join(f'{item.kind} {item.monitor}' for item in items)}"

    async def waiting(self) -> list[tuple[str, str | None]]:
        return await fetch(self.pool, "select kind, held from notifications where status = 'waiting' order by id")

    async def ends(self) -> list[tuple[str, str, str | None]]:
        """Every notification with how it stands, and why."""
        return await fetch(self.pool, "select kind, status, held from notifications order by id")

    async def maintenance(self, *monitors: int, seconds: float, starts_in_s: float = -3600) -> None:
        """A window for these monitors that ends in so many seconds."""
        now = datetime.now(UTC)
        await self.run(
            """
            with made as (
              insert into maintenances (title, rule, zone) values ('work', '{"kind": "manual"}', 'UTC') returning id)
            insert into maintenance_windows (maintenance_id, starts_at, ends_at, counts, everything, tags, monitor_ids)
            select id, %s, %s, 'excluded', false, '{}', %s from made
            """,
            now + timedelta(seconds=starts_in_s),
            now + timedelta(seconds=seconds),
            list(monitors),
        )

    async def depends(self, monitor: int, on: int) -> None:
        await self.run("insert into monitor_dependencies values (%s, %s)", monitor, on)
