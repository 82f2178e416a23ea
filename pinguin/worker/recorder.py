"""Results into the database: one transaction a batch, leases released after the commit."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from time import monotonic

import structlog

from pinguin.broker import Broker
from pinguin.db import Pool, connection
from pinguin.errors import Unavailable
from pinguin.lifecycle import Backoff, cancel, together
from pinguin.metrics import WorkerMetrics
from pinguin.model import Job, Result
from pinguin.store import recording
from pinguin.store.expiries import Expiries
from pinguin.worker.spill import Spill, record_each

_log = structlog.get_logger(__name__)

WINDOW_S = 0.1
"""How long a batch waits for company. Together with the commit it stays well under 250 ms."""
BATCH = 500
BACKLOG = 20_000
"""Results that may wait in memory; a worker with more of them takes no new jobs."""
CONNECT_S = 2.0
PATIENCE_S = 0.7
"""How long a batch waits for its commit before it goes to the spill too: its monitors are not checked meanwhile."""
COMMIT_S = 5.0
"""A database that takes longer for a batch is away."""

Finished = tuple[Job, Result]


class Recorder:
    """Collects the results of one worker and writes them: to Postgres, or while it is away to the spill in Redis."""

    def __init__(
        self,
        pool: Pool,
        broker: Broker,
        spill: Spill,
        metrics: WorkerMetrics | None = None,
        on_transition: Callable[[], None] | None = None,
    ) -> None:
        """on_transition: called after the commit of one, so that whom it concerns can be told at once."""
        self._pool, self._broker, self._spill = pool, broker, spill
        self._on_transition = on_transition
        self._waiting: list[Finished] = []
        self._some = asyncio.Event()
        self._expiries = Expiries()
        self._unwritten = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._late: set[asyncio.Task[None]] = set()
        self._metrics = metrics or WorkerMetrics()
        self._metrics.waiting.set_function(lambda: self._unwritten)

    @property
    def waiting(self) -> int:
        """Results in memory."""
        return self._unwritten

    @property
    def full(self) -> bool:
        """With neither Postgres nor Redis, results stay in memory: up to a bound."""
        return self._unwritten >= BACKLOG

    def add(self, job: Job, result: Result) -> None:
        self._unwritten += 1
        self._waiting.append((job, result))
        if not self._some.is_set():
            self._some.set()
            self._idle.clear()

    async def flushed(self) -> None:
        """Wait until everything added so far is kept."""
        await self._idle.wait()

    async def run(self) -> None:
        """Write batches, and drain the spill, until cancelled."""
        try:
            await together(self._spill.drain_forever(self._record_each), self._write_forever())
        finally:
            await cancel(*self._late)

    async def _write_forever(self) -> None:
        while True:
            await self._some.wait()
            await asyncio.sleep(WINDOW_S)
            batch, self._waiting = self._waiting[:BATCH], self._waiting[BATCH:]
            if not self._waiting:
                self._some.clear()
            await self._keep(batch)
            self._unwritten -= len(batch)
            if self._unwritten == 0:
                self._idle.set()

    async def _keep(self, batch: Sequence[Finished]) -> None:
        """See that a batch is in Postgres or in the spill, however long both are away."""
        backoff = Backoff()
        results = [result for _, result in batch]
        while True:
            try:
                if not await self._written(results):
                    await self._spill.put(results)
                    self._metrics.spilled(len(results))
                break
            except Unavailable as error:
                _log.warning("results_wait", results=self._unwritten, error=str(error))
                await backoff.wait()
        await self._acknowledge([job for job, _ in batch])

    async def _written(self, results: Sequence[Result]) -> bool:
        """Write to Postgres; False where they must go to the spill: it is away, or older ones wait there."""
        patience_s: float | None = PATIENCE_S
        try:
            if not await self._spill.is_empty():
                return False
        except Unavailable:
            patience_s = None  # without Redis nothing can be put behind anything
        writing = asyncio.create_task(self._record_each(results))
        self._late.add(writing)
        writing.add_done_callback(self._no_longer_late)
        done, _ = await asyncio.wait([writing], timeout=patience_s)
        if not done:
            # It may commit yet: what is written twice counts once.
            _log.warning("results_spilled", results=len(results), error=f"no commit within {PATIENCE_S:g} s")
            return False
        if isinstance(error := writing.exception(), Unavailable):
            _log.warning("results_spilled", results=len(results), error=str(error))
            return False
        writing.result()
        return True

    def _no_longer_late(self, writing: asyncio.Task[None]) -> None:
        self._late.discard(writing)
        if not writing.cancelled():
            writing.exception()  # whoever still waits for it has it too

    async def _record_each(self, results: Sequence[Result]) -> None:
        self._metrics.refused(await record_each(self._write, results))

    async def _write(self, results: Sequence[Result]) -> None:
        began = monotonic()
        try:
            async with asyncio.timeout(COMMIT_S):
                transition = await record(self._pool, results, self._expiries)
            if transition and self._on_transition:
                self._on_transition()
            self._metrics.committed(len(results), monotonic() - began)
        except TimeoutError:
            raise Unavailable(f"the database did not commit within {COMMIT_S:g} s") from None

    async def _acknowledge(self, jobs: Sequence[Job]) -> None:
        try:
            await self._broker.release(jobs)
            await self._broker.announce_results(sorted({job.monitor_id for job in jobs}))
        except Unavailable as error:
            _log.warning("leases_left_to_expire", jobs=len(jobs), error=str(error))


async def record(pool: Pool, results: Sequence[Result], expiries: Expiries | None = None) -> bool:
    """Write results and everything that follows from them, in one transaction. Doing it twice changes nothing.

    expiries: what this process wrote of them lately.
    Whether there was a transition. Raises `Unavailable` when the database is away, `psycopg.Error` when it refuses.
    """
    async with connection(pool, CONNECT_S) as conn, conn.transaction():
        return await recording.record(conn, results, expiries)
