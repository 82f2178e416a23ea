"""Push monitors, and what happens to them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from pinguin.db import Pool, connection
from pinguin.push import Ping
from pinguin.store import push
from tests.factory import add_monitor, fetch

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


async def add_push(pool: Pool, **options: Any) -> int:
    """A push monitor, made now; its id."""
    values = {"options": {"period_s": 60, "grace_s": 30, **options}, "failure_threshold": 1}
    return await add_monitor(pool, made_at=None, type="push", target="every minute", passive=True, **values)


async def token(pool: Pool, monitor_id: int) -> UUID:
    found: UUID = (await fetch(pool, "select token from push_tokens where monitor_id = %s", monitor_id))[0][0]
    return found


async def send(pool: Pool, *pings: Ping) -> dict[UUID, int | None]:
    async with connection(pool) as conn, conn.transaction():
        return await push.receive(conn, pings)


async def ping(pool: Pool, monitor_id: int, **values: Any) -> Ping:
    sent = Ping(id=uuid4(), token=await token(pool, monitor_id), **values)
    await send(pool, sent)
    return sent


async def judge(pool: Pool, open_since: datetime | None = LONG_AGO) -> list[int]:
    """open_since: since when pings could be taken, up to a second ago; None: they cannot be."""
    until = None if open_since is None else datetime.now(UTC) - push.MARGIN
    async with connection(pool) as conn, conn.transaction():
        return (await push.judge(conn, open_since, until, 500))[1]


async def age(pool: Pool, monitor_id: int, seconds: float) -> None:
    """Let everything that the monitor knows of have happened so much earlier."""
    back = timedelta(seconds=seconds)
    times = ", ".join(f"{name} = {name} - %(back)s" for name in (
        "base_at", "changed_at", "expected_at", "deadline", "started_at", "last_at", "last_ping", "last_start",
        "result_at", "look_at"))  # fmt: skip
    async with connection(pool) as conn:
        given = {"back": back, "monitor": monitor_id}
        await conn.execute(f"update push_states set {times} where monitor_id = %(monitor)s", given)
        await conn.execute(
            """update push_states set runs = coalesce((select jsonb_agg(jsonb_build_array(
                 run -> 0, (run ->> 1)::timestamptz - %(back)s, run -> 2)) from jsonb_array_elements(runs) run), '[]')
               where monitor_id = %(monitor)s""",
            given,
        )
        await conn.execute(
            "update monitor_states set since = since - %(back)s, last_slot = last_slot - %(back)s"
            " where monitor_id = %(monitor)s",
            given,
        )


async def status(pool: Pool, monitor_id: int) -> tuple[Any, ...]:
    sql = "select status::text, reason, message from monitor_states where monitor_id = %s"
    return (await fetch(pool, sql, monitor_id))[0]
