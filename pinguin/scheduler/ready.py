"""Whether a scheduler can do its job."""

from __future__ import annotations

import asyncio

from pinguin.broker import Broker
from pinguin.db import Pool
from pinguin.errors import Unavailable
from pinguin.health import Readiness, database_complaint, first_line
from pinguin.metrics import SchedulerMetrics

DISPATCH_S = 5.0


class Ready:
    """What /readyz and systemd are told."""

    def __init__(self, broker: Broker, pool: Pool, metrics: SchedulerMetrics, stop: asyncio.Event) -> None:
        self._broker, self._pool, self._metrics, self._stop = broker, pool, metrics, stop

    async def look(self) -> Readiness:
        """Postgres may be away: dispatch goes on."""
        (leader, redis), database = await asyncio.gather(self._leader(), database_complaint(self._pool))
        found = Readiness(
            facts={"redis": redis or "ok", "database": database or "ok", "leader": leader, "leads": self._metrics.leads}
        )
        found.reasons += [reason for reason in (redis, self._dispatch_complaint()) if reason]
        if self._stop.is_set():
            found.reasons.append("it stops")
        if database:
            found.notes.append(f"dispatch goes on, but edits wait: {database}")
        if redis is None and leader is None:
            found.notes.append("no scheduler leads")
        return found

    def status(self) -> str:
        """One line, without asking anybody."""
        return self._dispatch_complaint() or ("dispatches and leads" if self._metrics.leads else "dispatches")

    async def _leader(self) -> tuple[str | None, str | None]:
        """(who leads, what is wrong with Redis)"""
        try:
            return await self._broker.leader(), None
        except Unavailable as error:
            return None, first_line(error)

    def _dispatch_complaint(self) -> str | None:
        age = self._metrics.dispatch_age_s()
        if age is None:
            return "nothing was dispatched yet"
        return f"the last dispatch was {age:.0f} s ago" if age >= DISPATCH_S else None
