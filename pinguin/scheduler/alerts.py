"""What the leader does about alerts: it looks for what no check reports, and clears away what is old."""

from __future__ import annotations

from datetime import timedelta

import structlog

from pinguin.db import Pool, connection
from pinguin.store import alert_chores

_log = structlog.get_logger(__name__)

EXPIRIES_S = 300.0
SLOW_S = 60.0
SETTLE_S = 15.0
TIDY_S = 3600.0
KEPT = timedelta(days=400)
"""How long it can be seen who was told what."""
BATCH = 1000


async def tell_expiries(pool: Pool) -> None:
    """Certificates and registrations that end soon."""
    async with connection(pool, within_s=60) as conn:
        if told := await alert_chores.tell_expiries(conn):
            _log.info("expiries", notifications=told)


async def keep_slow_spells(pool: Pool) -> None:
    """Monitors whose percentile is above its limit, or below it again."""
    async with connection(pool, within_s=60) as conn:
        begun, ended = await alert_chores.keep_slow_spells(conn)
    if begun or ended:
        _log.info("slow_spells", begun=begun, ended=ended)


async def settle_channels(pool: Pool) -> None:
    """Channels that are well again."""
    async with connection(pool, within_s=60) as conn:
        await alert_chores.settle_channels(conn)


async def tidy(pool: Pool) -> None:
    """What nobody can be told any more, and what is too old; in small pieces, so that nothing waits for it."""
    gone = BATCH
    while gone == BATCH:
        async with connection(pool, within_s=60) as conn:
            gone = await alert_chores.give_up(conn, BATCH)
    gone = BATCH
    while gone == BATCH:
        async with connection(pool, within_s=60) as conn:
            gone = await alert_chores.forget(conn, KEPT, BATCH)
