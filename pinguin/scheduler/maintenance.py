"""Maintenance windows: written ahead, settled when they are over, and told to open pages when they begin and end."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import structlog

from pinguin.broker import Broker
from pinguin.db import Pool, connection
from pinguin.errors import InvalidInput
from pinguin.store import maintenance_windows

_log = structlog.get_logger(__name__)

MAINTENANCE_S = 3.0


@dataclass(slots=True)
class Memory:
    """looked_at: when windows that began or ended were last looked for, by the database's clock."""

    looked_at: datetime | None = None


async def keep_windows(broker: Broker, pool: Pool, memory: Memory) -> None:
    """One round. Raises `Unavailable`; what was not told then is told in the next round."""
    async with connection(pool, within_s=30) as conn:
        for maintenance_id in await maintenance_windows.due(conn):
            try:
                await maintenance_windows.plan(conn, maintenance_id)
            except InvalidInput as error:
                _log.error("maintenance_not_planned", maintenance=maintenance_id, error=str(error))
        await maintenance_windows.settle(conn)
        now, turned = await maintenance_windows.turned(conn, memory.looked_at)
    if turned:
        await broker.announce_change([])  # no monitor was edited, but lists show another status
    memory.looked_at = now
