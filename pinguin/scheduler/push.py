"""The silence of push monitors is judged by the leader, every second."""

from __future__ import annotations

from datetime import datetime, timedelta

import structlog

from pinguin.broker import Broker
from pinguin.db import Pool, connection
from pinguin.store import push
from pinguin.store.push import Due

_log = structlog.get_logger(__name__)

JUDGE_S = 1.0
BATCH = 500
SEEN = timedelta(seconds=15)
"""Nobody has said for so long that pings can be taken: then silence says nothing."""


async def judge_pushes(broker: Broker, pool: Pool) -> None:
    """Judge what is due, and plan what was edited. Raises `Unavailable` when a service is away."""
    looked_at = BATCH
    while looked_at == BATCH:
        async with connection(pool, within_s=30) as conn:
            due = await push.due(conn)
        if not due.any:
            return
        # Asked before the rows are locked: on the embedded database nobody waits while a connection is held.
        open_since = None if await broker.pings_waiting() else _open_since(due)
        async with connection(pool, within_s=30) as conn, conn.transaction():
            looked_at, monitors = await push.judge(conn, open_since, BATCH)
        if monitors:
            _log.info("silence_judged", monitors=len(monitors))
            await broker.announce_results(monitors)


def _open_since(due: Due) -> datetime | None:
    """Since when pings can be taken; None while they cannot."""
    return due.since if due.seen_at is not None and due.now - due.seen_at <= SEEN else None
