"""Whether a worker can do its job."""

from __future__ import annotations

import asyncio

from pinguin.broker import Broker
from pinguin.db import Pool
from pinguin.health import Readiness, database_complaint, redis_complaint
from pinguin.worker.recorder import BACKLOG, Recorder
from pinguin.worker.worker import Worker

ASKED_S = 10.0


class Ready:
    """What /readyz and systemd are told."""

    def __init__(self, broker: Broker, pool: Pool, worker: Worker, recorder: Recorder, stop: asyncio.Event) -> None:
        self._broker, self._pool, self._worker, self._recorder, self._stop = broker, pool, worker, recorder, stop

    async def look(self) -> Readiness:
        """Postgres may be away: results go to the spill."""
        redis, database = await asyncio.gather(redis_complaint(self._broker), database_complaint(self._pool))
        found = Readiness(
            facts={
                "redis": redis or "ok",
                "database": database or "ok",
                "running": self._worker.running,
                "waiting": self._recorder.waiting,
            }
        )
        found.reasons += [reason for reason in (redis, *self._complaints()) if reason]
        if self._stop.is_set():
            found.reasons.append("it stops")
        if database:
            found.notes.append(f"checks go on, and their results wait in Redis: {database}")
        return found

    def status(self) -> str:
        """One line, without asking anybody."""
        running, waiting = self._worker.running, self._recorder.waiting
        working = f"{running} {'check runs' if running == 1 else 'checks run'}"
        working += f", {waiting} {'result waits' if waiting == 1 else 'results wait'}"
        return "; ".join([*self._complaints(), working])

    def _complaints(self) -> list[str]:
        complaints = []
        if self._worker.asked_age_s >= ASKED_S:
            complaints.append(f"it has not asked for jobs for {self._worker.asked_age_s:.0f} s")
        if self._recorder.full:
            complaints.append(f"{BACKLOG} results wait in memory, so it takes no jobs")
        return complaints
