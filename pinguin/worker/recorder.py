"""Results into the database: one transaction a batch, leases released after the commit."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace

import psycopg
import structlog

from pinguin.broker import Broker
from pinguin.db import Connection, Pool, connection
from pinguin.errors import Unavailable
from pinguin.lifecycle import Backoff
from pinguin.model import Job, Result, Status, advance
from pinguin.store import recording
from pinguin.store.recording import Standing

_log = structlog.get_logger(__name__)

WINDOW_S = 0.05
"""How long a batch waits for company. Together with the commit it stays well under 250 ms."""
BATCH = 500
BACKLOG = 20_000
"""Results that may wait for the database; a worker with more of them takes no new jobs."""

Finished = tuple[Job, Result]


class Recorder:
    """Collects the results of one worker and writes them, in order, however long the database is away."""

    def __init__(self, pool: Pool, broker: Broker) -> None:
        self._pool, self._broker = pool, broker
        self._waiting: asyncio.Queue[Finished] = asyncio.Queue()
        self._unwritten = 0
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def full(self) -> bool:
        return self._unwritten >= BACKLOG

    def add(self, job: Job, result: Result) -> None:
        self._unwritten += 1
        self._idle.clear()
        self._waiting.put_nowait((job, result))

    async def flushed(self) -> None:
        """Wait until everything added so far is committed."""
        await self._idle.wait()

    async def run(self) -> None:
        """Write batches until cancelled."""
        while True:
            batch = [await self._waiting.get()]
            await asyncio.sleep(WINDOW_S)
            while len(batch) < BATCH and not self._waiting.empty():
                batch.append(self._waiting.get_nowait())
            await self._commit(batch)
            self._unwritten -= len(batch)
            if self._unwritten == 0:
                self._idle.set()

    async def _commit(self, batch: Sequence[Finished]) -> None:
        """Write a batch; wait for an absent database; leave out what it refuses for good."""
        backoff = Backoff()
        while True:
            try:
                await record(self._pool, [result for _, result in batch])
                break
            except Unavailable as error:
                _log.warning("results_wait", results=self._unwritten, error=str(error))
                await backoff.wait()
            except psycopg.Error as error:
                if len(batch) == 1:
                    _log.error("result_refused", monitor=batch[0][0].monitor_id, error=str(error))
                    break
                middle = len(batch) // 2
                await self._commit(batch[:middle])
                await self._commit(batch[middle:])
                return
        await self._acknowledge([job for job, _ in batch])

    async def _acknowledge(self, jobs: Sequence[Job]) -> None:
        try:
            await self._broker.release(jobs)
            await self._broker.announce_results(sorted({job.monitor_id for job in jobs}))
        except Unavailable as error:
            _log.warning("leases_left_to_expire", jobs=len(jobs), error=str(error))


async def record(pool: Pool, results: Sequence[Result]) -> None:
    """Write results and everything that follows from them, in one transaction. Doing it twice changes nothing.

    Raises `Unavailable` when the database is away, `psycopg.Error` when it refuses.
    """
    async with connection(pool) as conn, conn.transaction():
        before = await recording.lock_states(conn, {result.monitor_id for result in results})
        written = await recording.insert_results(conn, results)
        after = dict(before)
        for result in sorted(results, key=lambda result: result.scheduled_at):
            if result.monitor_id in after and _key(result) in written:
                after[result.monitor_id] = await _advanced(conn, after[result.monitor_id], result)
        await recording.write_states(conn, _changed(before, after))


def _key(result: Result) -> recording.ResultKey:
    return result.monitor_id, result.scheduled_at, result.region


async def _advanced(conn: Connection, standing: Standing, result: Result) -> Standing:
    state, transitions = advance(standing.state, result, standing.policy)
    for transition in transitions:
        incident_id = await recording.record_transition(conn, standing, result, transition)
        standing = replace(standing, incident_id=incident_id)
        log = _log.warning if transition.to_status is Status.DOWN else _log.info
        log(
            "transition",
            monitor=result.monitor_id,
            before=transition.from_status.value,
            after=transition.to_status.value,
            reason=transition.reason,
        )
    return replace(standing, state=state)


def _changed(before: Mapping[int, Standing], after: Mapping[int, Standing]) -> dict[int, Standing]:
    return {monitor_id: standing for monitor_id, standing in after.items() if standing is not before[monitor_id]}
