"""The silence of push monitors is judged by the leader, every second."""

from __future__ import annotations

from datetime import timedelta

import structlog

from pinguin.broker import Broker
from pinguin.db import Pool, connection
from pinguin.store import push

_log = structlog.get_logger(__name__)

JUDGE_S = 1.0
BATCH = 500
SEEN = timedelta(seconds=20)
"""Nobody has said for so long that pings can be taken: that is a problem of ours."""


async def judge_pushes(broker: Broker, pool: Pool) -> None:
    """Judge what is due, and plan what was edited. Raises `Unavailable` when a service is away.

    Silence says nothing of a time in which nobody took pings, and nothing while pings wait to be written.
    """
    looked_at = BATCH
    while looked_at == BATCH:
        async with connection(pool, within_s=30) as conn:
            due = await push.due(conn)
        if not due.any:
            return
        since, until = (None, None) if await broker.backlog.pings.count() else (due.since, due.until)
        async with connection(pool, within_s=30) as conn, conn.transaction():
            looked_at, monitors = await push.judge(conn, since, until, BATCH)
        if monitors:
            _log.info("silence_judged", monitors=len(monitors))
            await broker.announce_results(monitors)
