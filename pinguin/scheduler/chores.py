"""What the leader alone does."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import psycopg
import structlog

from pinguin.broker import Broker
from pinguin.db import Pool, connection
from pinguin.errors import Unavailable
from pinguin.lifecycle import Backoff, together
from pinguin.scheduler import alerts, maintenance
from pinguin.scheduler.maintenance import MAINTENANCE_S, keep_windows
from pinguin.scheduler.push import JUDGE_S, judge_pushes
from pinguin.scheduler.reconcile import follow
from pinguin.scheduler.watch import Memory, watch
from pinguin.store import audit, upkeep

_log = structlog.get_logger(__name__)

REAP_S = 1.0
REAP_LIMIT = 1000
JOBS_S = 15.0
VACUUM_S = 600.0
SESSIONS_S = 3600.0


async def do_chores(broker: Broker, pool: Pool, token: str, audit_days: int = 730) -> None:
    """Every chore side by side, each by its own clock; ends only by being cancelled or fenced out."""
    memory, windows = Memory(), maintenance.Memory()
    await together(
        _again_and_again("follow", 0, lambda: follow(broker, pool, token)),
        _again_and_again("reap", REAP_S, lambda: _reap(broker)),
        _again_and_again("watch", 0, lambda: watch(broker, pool, token, memory)),
        _again_and_again("maintenance", MAINTENANCE_S, lambda: keep_windows(broker, pool, windows)),
        _again_and_again("push", JUDGE_S, lambda: judge_pushes(broker, pool)),
        _again_and_again("expiries", alerts.EXPIRIES_S, lambda: alerts.tell_expiries(pool)),
        _again_and_again("slow", alerts.SLOW_S, lambda: alerts.keep_slow_spells(pool)),
        _again_and_again("channels", alerts.SETTLE_S, lambda: alerts.settle_channels(pool)),
        _again_and_again("tidy", alerts.TIDY_S, lambda: alerts.tidy(pool)),
        _again_and_again("jobs", JOBS_S, lambda: _run_due_jobs(pool)),
        _again_and_again("vacuum", VACUUM_S, lambda: _vacuum(pool)),
        _again_and_again("sessions", SESSIONS_S, lambda: _forget(pool, audit_days)),
    )


async def _again_and_again(chore: str, pause_s: float, do: Callable[[], Awaitable[None]]) -> None:
    """Do it, pause, do it again; wait out an absent service."""
    backoff = Backoff()
    while True:
        try:
            await do()
            backoff.reset()
            await asyncio.sleep(pause_s)
        except Unavailable as error:
            _log.warning("chore_waits", chore=chore, error=str(error))
            await backoff.wait()
        except psycopg.Error as error:  # what one chore stumbles over must not end the others
            _log.error("chore_failed", chore=chore, exc_info=error)
            await backoff.wait()


async def _reap(broker: Broker) -> None:
    looked_at = REAP_LIMIT
    while looked_at == REAP_LIMIT:
        looked_at, again = await broker.reap(REAP_LIMIT)
        if again:
            _log.warning("reaped", jobs=again)


async def _run_due_jobs(pool: Pool) -> None:
    """TimescaleDB's own jobs, where no background worker runs them."""
    async with connection(pool) as conn:
        if await upkeep.has_background_workers(conn):
            return
        for job_id, procedure, relation in await upkeep.due_jobs(conn):
            error = await upkeep.run_job(conn, job_id)
            if error:
                _log.error("job_failed", job=job_id, procedure=procedure, relation=relation, error=error)


async def _vacuum(pool: Pool) -> None:
    """What autovacuum does on a server."""
    async with connection(pool) as conn:
        if not await upkeep.has_background_workers(conn):
            await upkeep.vacuum(conn)


async def _forget(pool: Pool, audit_days: int) -> None:
    """Sessions, links and sign-ins that are over, and what the audit log need not keep."""
    async with connection(pool) as conn:
        await upkeep.forget_sessions(conn)
        await audit.forget(conn, audit_days)
