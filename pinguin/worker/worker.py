"""Takes jobs, runs checks under a concurrency limit, hands the results to the recorder."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import structlog

from pinguin.broker import Broker
from pinguin.checks.contract import Resources
from pinguin.checks.runner import run
from pinguin.errors import Unavailable
from pinguin.lifecycle import Backoff, wait_or_stop
from pinguin.model import Job, Result, Status
from pinguin.worker.definitions import Definitions, Task
from pinguin.worker.recorder import Recorder

_log = structlog.get_logger(__name__)

TAKE_WAIT_S = 1.0


class Worker:
    """One worker of one region."""

    def __init__(
        self, broker: Broker, definitions: Definitions, recorder: Recorder, region: str, concurrency: int
    ) -> None:
        self._broker, self._definitions, self._recorder = broker, definitions, recorder
        self._region, self._concurrency = region, concurrency
        self._resources = Resources()
        self._running: set[asyncio.Task[None]] = set()
        self._room = asyncio.Event()

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop`; then finish the checks that run and let their results be committed."""
        backoff = Backoff()
        try:
            while not stop.is_set():
                try:
                    await self._work(stop)
                    backoff.reset()
                except Unavailable as error:
                    _log.warning("worker_waits", error=str(error))
                    await backoff.wait(stop)
            if self._running:
                await asyncio.wait(self._running)
            await self._recorder.flushed()
        finally:
            for task in self._running:
                task.cancel()
            await asyncio.gather(*self._running, return_exceptions=True)
            self._resources.close()

    async def _work(self, stop: asyncio.Event) -> None:
        free = self._concurrency - len(self._running)
        if free <= 0 or self._recorder.full:
            self._room.clear()
            await wait_or_stop(self._room, TAKE_WAIT_S)
            return
        jobs = await self._broker.take(self._region, free, TAKE_WAIT_S)
        if not jobs:
            return
        try:
            await self._definitions.fetch(jobs)
        except Unavailable as error:
            # Known monitors are checked all the same; the others come back when their leases expire.
            _log.warning("definitions_wait", error=str(error))
        for job in jobs:
            if (task := self._definitions.known(job)) is not None:
                self._start(job, task)

    def _start(self, job: Job, task: Task) -> None:
        running = asyncio.create_task(self._check(job, task))
        self._running.add(running)
        running.add_done_callback(self._ended)

    def _ended(self, running: asyncio.Task[None]) -> None:
        self._running.discard(running)
        self._room.set()
        if not running.cancelled() and (error := running.exception()) is not None:
            _log.error("check_lost", exc_info=error)

    async def _check(self, job: Job, task: Task) -> None:
        result = Result(
            job.monitor_id, job.scheduled_at, job.region, job.version, Status.UNKNOWN, started_at=datetime.now(UTC)
        )
        if task.kind is None or task.options is None:
            result.reason, result.message = "options", task.refused
        else:
            report = await run(task.kind, task.options, task.timeout_s, self._resources)
            result.status, result.reason, result.message = report.status, report.reason, report.message
            result.latency_ms, result.phases, result.evidence = report.latency_ms, report.phases, report.evidence
        self._recorder.add(job, result)
