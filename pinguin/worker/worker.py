"""Takes jobs, runs checks under a concurrency limit, hands the results to the recorder."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from datetime import UTC, datetime
from time import monotonic, time

import structlog

from pinguin.broker import Broker
from pinguin.checks.contract import Resources
from pinguin.checks.runner import Report, run
from pinguin.errors import Unavailable
from pinguin.guard import Guard
from pinguin.lifecycle import Backoff, cancel, wait_or_stop
from pinguin.metrics import WorkerMetrics
from pinguin.model import Job, Result, Status
from pinguin.worker.canaries import Canaries
from pinguin.worker.definitions import Definitions, Prepared
from pinguin.worker.pulse import Pulse
from pinguin.worker.recorder import Recorder

_log = structlog.get_logger(__name__)

TAKE_WAIT_S = 1.0
LEARN_S = 3.0
"""For the definitions of unknown monitors; well within the lease of their jobs."""
NETWORK = {"timeout", "dns", "refused", "unreachable", "reset"}
"""Reasons that the loss of our own network would give."""


class Worker:
    """One worker of one region."""

    def __init__(
        self,
        broker: Broker,
        definitions: Definitions,
        recorder: Recorder,
        canaries: Canaries,
        region: str,
        concurrency: int,
        grace_s: float,
        metrics: WorkerMetrics | None = None,
        guard: Guard | None = None,
    ) -> None:
        self._broker, self._definitions, self._recorder, self._canaries = broker, definitions, recorder, canaries
        self._region, self._concurrency, self._grace_s = region, concurrency, grace_s
        self._resources = Resources(guard)
        self._running: dict[asyncio.Task[None], Job] = {}
        self._room = asyncio.Event()
        self._pulse = Pulse()
        self._metrics = metrics or WorkerMetrics()
        self._metrics.running.set_function(lambda: self.running)
        self._asked_at = monotonic()

    @property
    def running(self) -> int:
        """How many checks run."""
        return len(self._running)

    @property
    def asked_age_s(self) -> float:
        """Seconds since it last took jobs, or waited for some or for room."""
        return monotonic() - self._asked_at

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop`; then finish or hand back what runs, and see results committed, within the grace time."""
        backoff = Backoff()
        beating = asyncio.create_task(self._pulse.run())
        try:
            while not stop.is_set():
                try:
                    await self._work(stop)
                    backoff.reset()
                except Unavailable as error:
                    _log.warning("worker_waits", error=str(error))
                    await backoff.wait(stop)
            if self._running:
                await asyncio.wait(self._running, timeout=self._grace_s)
            await self._hand_back()
            await self._flush()
        finally:
            await cancel(beating, *self._running)
            self._resources.close()

    async def _hand_back(self) -> None:
        """What did not end in time is for another worker."""
        jobs = list(self._running.values())
        await cancel(*self._running)
        try:
            back = await self._broker.hand_back(self._region, jobs)
        except Unavailable:
            return  # the leases expire by themselves
        if jobs:
            _log.info("handed_back", jobs=back, running=len(jobs))

    async def _flush(self) -> None:
        try:
            async with asyncio.timeout(self._grace_s):
                await self._recorder.flushed()
        except TimeoutError:
            _log.error("results_not_kept", error="neither Postgres nor Redis took them; their leases expire")

    async def _work(self, stop: asyncio.Event) -> None:
        free = self._concurrency - len(self._running)
        if free <= 0 or self._recorder.full:
            self._room.clear()
            await wait_or_stop(self._room, TAKE_WAIT_S)
            self._asked_at = monotonic()
            return
        jobs = await self._broker.take(self._region, free, TAKE_WAIT_S)
        self._asked_at = monotonic()
        if not jobs:
            return
        unknown = []
        for job in jobs:
            if (task := self._definitions.known(job)) is not None:
                self._start(job, self._check(job, task))
            else:
                unknown.append(job)
        if unknown:
            # Apart: a database that does not answer shall not hold up the monitors that are known.
            learning = asyncio.create_task(self._learn(unknown))
            for job in unknown:
                self._start(job, self._check_after(learning, job))

    def _start(self, job: Job, check: Coroutine[None, None, None]) -> None:
        running = asyncio.create_task(check)
        self._running[running] = job
        running.add_done_callback(self._ended)

    async def _learn(self, jobs: Sequence[Job]) -> None:
        try:
            async with asyncio.timeout(LEARN_S):
                await self._definitions.fetch(jobs)
        except (Unavailable, TimeoutError) as error:
            _log.warning("definitions_wait", error=str(error) or f"no answer within {LEARN_S:g} s")

    async def _check_after(self, learning: asyncio.Task[None], job: Job) -> None:
        """Check a monitor that is not known yet; if it stays so, its job comes back when the lease expires."""
        await asyncio.shield(learning)
        if (task := self._definitions.known(job)) is not None:
            await self._check(job, task)

    def _ended(self, running: asyncio.Task[None]) -> None:
        self._running.pop(running, None)
        self._room.set()
        if not running.cancelled() and (error := running.exception()) is not None:
            _log.error("check_lost", exc_info=error)

    async def _check(self, job: Job, task: Prepared) -> None:
        started_at = time()
        self._metrics.started(started_at - job.slot)
        if task.kind is None or task.options is None:
            report = Report(Status.UNKNOWN, task.reason, task.refused)
        else:
            began = monotonic()
            report = await run(task.kind, task.options, task.timeout_s, self._resources)
            if not report.status.answers:
                if self._pulse.stood_still(began):
                    _log.warning("check_repeated", monitor=job.monitor_id, reason=report.reason)
                    started_at = time()
                    report = await run(task.kind, task.options, task.timeout_s, self._resources)
                await self._blame_network(report)
        self._metrics.checked(report.status.value, report.reason)
        self._recorder.add(job, _result(job, report, started_at))

    async def _blame_network(self, report: Report) -> None:
        """A failure that our own network explains is none of the target's."""
        if report.status is Status.DOWN and report.reason in NETWORK and await self._canaries.all_fail():
            report.evidence = {**report.evidence, "seen": report.message}
            report.status, report.reason, report.message = Status.UNKNOWN, "offline", self._canaries.complaint


def _result(job: Job, report: Report, started_at: float) -> Result:
    """started_at: seconds since 1970."""
    return Result(
        job.monitor_id,
        job.scheduled_at,
        job.region,
        job.version,
        report.status,
        datetime.fromtimestamp(started_at, UTC),
        report.latency_ms,
        report.reason,
        report.message,
        report.phases,
        report.evidence,
    )
