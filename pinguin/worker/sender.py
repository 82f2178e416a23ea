"""Sends what is due: claims a message, sends it, marks how that went. Any number of senders side by side."""

from __future__ import annotations

import asyncio
import random
from time import monotonic

import structlog

from pinguin import cause
from pinguin.alerts.contract import Delivery, Message
from pinguin.alerts.courier import Courier
from pinguin.db import Connection, Pool, connection
from pinguin.errors import Unavailable
from pinguin.lifecycle import Backoff, cancel, wait_or_stop
from pinguin.metrics import WorkerMetrics
from pinguin.settings import Settings
from pinguin.store import alerts, causes
from pinguin.store.alerts import Claimed, Tried
from pinguin.worker.letters import letter, outages

_log = structlog.get_logger(__name__)

LOOK_S = 1.0
SOON_S = 0.2
"""How often it looks: always, and for `ALERT_S` after something happened here."""
ALERT_S = 6.0
TRY_S = 30.0
"""How long a try may take."""
LEASE_S = TRY_S + 15.0
MOST = 8
"""Messages that one worker sends at the same time, each to another channel."""
FIRST_S, LAST_S, PATIENT_S = 5.0, 900.0, 3600.0
"""Seconds to the second try, the most between two, and the most that a provider may ask for."""
DATABASE_S = 5.0
CLAIM_S = 30.0
"""To gather a thousand notifications takes a slow database seconds; one that takes longer than this is away."""


class Sender:
    """One worker's sender. `wake` says that something may be due."""

    def __init__(
        self, pool: Pool, name: str, settings: Settings, courier: Courier, metrics: WorkerMetrics | None = None
    ) -> None:
        self._pool, self._name, self._settings, self._courier = pool, name, settings, courier
        self._metrics = metrics or WorkerMetrics()
        self._woken = asyncio.Event()
        self._alert_until = 0.0
        self._sending: set[asyncio.Task[None]] = set()

    def wake(self) -> None:
        self._alert_until = monotonic() + ALERT_S
        self._woken.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Send until `stop`, then finish what is under way, for as long as a claim lasts at most."""
        backoff = Backoff()
        try:
            while not stop.is_set():
                try:
                    claimed = await self._claim() if len(self._sending) < MOST else None
                    backoff.reset()
                except Unavailable as error:
                    _log.warning("sender_waits", error=str(error))
                    await backoff.wait(stop)
                    continue
                if claimed is not None:
                    self._start(claimed)
                else:
                    await self._pause(stop)
            if self._sending:
                await asyncio.wait(self._sending, timeout=self._settings.worker_grace_s)
        finally:
            await cancel(*self._sending)
            await self._courier.close()

    async def _pause(self, stop: asyncio.Event) -> None:
        if self._woken.is_set():
            self._woken.clear()
        if monotonic() < self._alert_until:
            await wait_or_stop(stop, SOON_S)
            return
        waits = [asyncio.ensure_future(self._woken.wait()), asyncio.ensure_future(stop.wait())]
        try:
            await asyncio.wait(waits, timeout=LOOK_S * random.uniform(0.7, 1.0), return_when=asyncio.FIRST_COMPLETED)  # noqa: S311
        finally:
            await cancel(*waits)

    async def _claim(self) -> Claimed | None:
        async with connection(self._pool, within_s=CLAIM_S) as conn:
            return await alerts.claim(conn, self._name, LEASE_S)

    def _start(self, claimed: Claimed) -> None:
        sending = asyncio.create_task(self._send(claimed, monotonic() + LEASE_S))
        self._sending.add(sending)
        sending.add_done_callback(self._ended)

    def _ended(self, sending: asyncio.Task[None]) -> None:
        self._sending.discard(sending)
        self.wake()
        if not sending.cancelled() and (error := sending.exception()) is not None:
            _log.error("message_lost_its_sender", exc_info=error)  # its claim runs out, and another takes it over

    async def _send(self, claimed: Claimed, ends: float) -> None:
        message = await self._read(claimed, ends)
        if message is None:
            return
        delivery = await self._courier.deliver(
            claimed.kind,
            claimed.options,
            message,
            subject=claimed.subject_template or "",
            body=claimed.body_template or "",
            timeout=TRY_S,
        )
        outcome = delivery.outcome
        self._metrics.message("delivered" if outcome.ok else "refused" if outcome.permanent else "failed")
        await self._mark(claimed, delivery, ends)

    async def _read(self, claimed: Claimed, ends: float) -> Message | None:
        """What it says; None where the database does not tell until the claim is over."""
        backoff = Backoff()
        while monotonic() < ends - TRY_S:
            try:
                async with connection(self._pool, within_s=DATABASE_S) as conn:
                    rows = await alerts.items(conn, claimed.id)
                    together = outages(rows)
                    guess = cause.guess(await causes.facts(conn, together)) if len(together) > 1 else None
                return letter(claimed, rows, self._settings.base_url, guess)
            except Unavailable:
                await backoff.wait()
        return None

    async def _mark(self, claimed: Claimed, delivery: Delivery, ends: float) -> None:
        """Until it is written, or somebody else's."""
        backoff = Backoff()
        while monotonic() < ends:
            try:
                async with connection(self._pool, within_s=DATABASE_S) as conn:
                    await self._write(conn, claimed, delivery)
                return
            except Unavailable:
                await backoff.wait()

    async def _write(self, conn: Connection, claimed: Claimed, delivery: Delivery) -> None:
        outcome = delivery.outcome
        tried = Tried(
            message=claimed.id,
            sender=self._name,
            answer=outcome.answer,
            latency_ms=outcome.latency_ms,
            subject=delivery.subject,
        )
        if outcome.ok:
            mine = await alerts.delivered(conn, tried)
        elif outcome.permanent:
            mine = await alerts.refused(conn, tried)
        else:
            again_in_s = wait_s(claimed.failures, outcome.retry_after_s)
            mine = await alerts.failed(conn, tried, unsure=outcome.unsure, again_in_s=again_in_s)
        log = _log.info if outcome.ok else _log.warning
        log("message", channel=claimed.channel_id, delivered=outcome.ok, tries=claimed.attempts, mine=mine)


def wait_s(failures: int, asked_s: float | None) -> float:
    """Seconds to the next try, after so many failed ones before this; with jitter, so that channels do not march."""
    own = min(LAST_S, FIRST_S * float(2 ** min(failures, 20))) * random.uniform(0.7, 1.0)  # noqa: S311
    return max(own, min(asked_s or 0.0, PATIENT_S))
