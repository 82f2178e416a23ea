"""Sends what is due: claims a message, sends it, marks how that went. Any number of senders side by side."""

from __future__ import annotations

import asyncio
import itertools
import random
import traceback
from collections.abc import Sequence
from time import monotonic

import psycopg
import structlog

from pinguin import cause
from pinguin.alerts.contract import Delivery, Outcome
from pinguin.alerts.courier import Courier
from pinguin.db import Connection, Pool, connection
from pinguin.errors import Unavailable
from pinguin.lifecycle import Backoff, cancel, wait_or_stop
from pinguin.metrics import WorkerMetrics
from pinguin.settings import Settings
from pinguin.store import alerts, causes
from pinguin.store.alerts import Claimed, ItemRow, Tried
from pinguin.worker.letters import letter, outages

_log = structlog.get_logger(__name__)

LOOK_S = 1.0
SOON_S = 0.2
"""How often it looks: always, and for `ALERT_S` after something happened here."""
ALERT_S = 6.0
TRY_S = 30.0
"""How long a try may take."""
LEASE_S = TRY_S + 15.0
MOST = 32
"""Messages that one worker sends at the same time, each to another channel: providers that stall are not to fill it."""
FIRST_S, LAST_S, PATIENT_S = 5.0, 900.0, 3600.0
"""Seconds to the second try, the most between two, and the most that a provider may ask for."""
DATABASE_S = 5.0
ITEMS_S = 10.0
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
        self._claims = itertools.count(1)
        self._unwritten: set[int] = set()

    def wake(self) -> None:
        self._alert_until = monotonic() + ALERT_S
        self._woken.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Send until `stop`, then finish what is under way, for as long as a claim lasts at most."""
        backoff = Backoff()
        try:
            while not stop.is_set():
                try:
                    claimed = await self._claim() if self._is_free() else None
                    backoff.reset()
                except Unavailable as error:
                    _log.warning("sender_waits", error=str(error))
                    await backoff.wait(stop)
                    continue
                except psycopg.Error as error:  # checks go on, whatever is wrong with alerts
                    _log.error("sender_failed", exc_info=error)
                    await backoff.wait(stop)
                    continue
                if claimed is not None:
                    self._start(*claimed)
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

    def _is_free(self) -> bool:
        """Not while it is still to be written how a try ended: that message's claim may have run out meanwhile."""
        return len(self._sending) < MOST and not self._unwritten

    async def _claim(self) -> tuple[str, Claimed] | None:
        """A name for the claim, unlike that of any other, and what is claimed."""
        name = f"{self._name}#{next(self._claims)}"
        async with connection(self._pool, within_s=CLAIM_S) as conn:
            claimed = await alerts.claim(conn, name, LEASE_S)
        return None if claimed is None else (name, claimed)

    def _start(self, name: str, claimed: Claimed) -> None:
        sending = asyncio.create_task(self._send(name, claimed, monotonic() + LEASE_S))
        self._sending.add(sending)
        sending.add_done_callback(self._ended)

    def _ended(self, sending: asyncio.Task[None]) -> None:
        self._sending.discard(sending)
        self.wake()
        if not sending.cancelled() and (error := sending.exception()) is not None:
            _log.error("message_lost_its_sender", exc_info=error)  # its claim runs out, and another takes it over

    async def _send(self, name: str, claimed: Claimed, ends: float) -> None:
        try:
            delivery = await self._tried(claimed, ends)
        except Exception as error:
            # Our own bug, with this message: it waits like any other, so that it does not hold up its channel for ever.
            # Frames and the exception's type alone: its text may hold a channel's option. TRAP 24
            frames = "".join(traceback.format_tb(error.__traceback__))
            _log.error("message_not_tried", message=claimed.id, error=type(error).__name__, frames=frames)
            words = f"not tried: Pinguin itself failed with {type(error).__name__}; the log has the details"
            delivery = Delivery(Outcome(ok=False, answer=words, latency_ms=0.0))
        if delivery is not None:
            outcome = delivery.outcome
            self._metrics.message("delivered" if outcome.ok else "refused" if outcome.permanent else "failed")
            await self._mark(name, claimed, delivery, ends)

    async def _tried(self, claimed: Claimed, ends: float) -> Delivery | None:
        """None where the database does not tell what it says until the claim is over."""
        rows = await self._read(claimed, ends)
        if rows is None:
            return None
        if not rows:
            return Delivery(Outcome(ok=True, answer="not sent: there is nothing left to tell", latency_ms=0.0))
        return await self._courier.deliver(
            claimed.kind,
            claimed.options,
            letter(claimed, rows, self._settings.base_url, await self._guess(rows)),
            subject=claimed.subject_template or "",
            body=claimed.body_template or "",
            timeout=TRY_S,
        )

    async def _read(self, claimed: Claimed, ends: float) -> list[ItemRow] | None:
        backoff = Backoff()
        while monotonic() < ends - TRY_S:
            try:
                async with connection(self._pool, within_s=ITEMS_S) as conn:
                    return await alerts.items(conn, claimed.id)
            except Unavailable:
                await backoff.wait()
        return None

    async def _guess(self, rows: Sequence[ItemRow]) -> cause.Guess | None:
        """What the outages have in common; no reason to keep anybody waiting, or without the message."""
        together = outages(rows)
        if len(together) < 2:
            return None
        try:
            async with connection(self._pool, within_s=DATABASE_S) as conn:
                facts = await causes.facts(conn, together)
            return cause.guess(facts)
        except (Unavailable, psycopg.Error, ValueError, ArithmeticError) as error:
            _log.warning("cause_not_guessed", outages=len(together), error=str(error))
            return None

    async def _mark(self, name: str, claimed: Claimed, delivery: Delivery, ends: float) -> None:
        """Until it is written, or somebody else's. While the database is away nobody can take the message over."""
        backoff = Backoff()
        try:
            while True:
                try:
                    async with connection(self._pool, within_s=DATABASE_S) as conn:
                        await self._write(conn, name, claimed, delivery)
                    return
                except Unavailable:
                    if monotonic() > ends + PATIENT_S:
                        raise
                    self._unwritten.add(claimed.id)
                    await backoff.wait()
        finally:
            self._unwritten.discard(claimed.id)

    async def _write(self, conn: Connection, name: str, claimed: Claimed, delivery: Delivery) -> None:
        outcome = delivery.outcome
        tried = Tried(
            message=claimed.id,
            sender=name,
            answer=outcome.answer,
            latency_ms=outcome.latency_ms,
            subject=delivery.subject,
        )
        if outcome.ok:
            mine = await alerts.delivered(conn, tried)
        elif outcome.permanent:
            mine = await alerts.refused(conn, tried, alone=outcome.alone)
        else:
            again_in_s = wait_s(claimed.failures, outcome.retry_after_s)
            mine = await alerts.failed(conn, tried, unsure=outcome.unsure, again_in_s=again_in_s)
        log = _log.info if outcome.ok else _log.warning
        log("message", channel=claimed.channel_id, delivered=outcome.ok, tries=claimed.attempts, mine=mine)


def wait_s(failures: int, asked_s: float | None) -> float:
    """Seconds to the next try, after so many failed ones before this; with jitter, so that channels do not march."""
    own = min(LAST_S, FIRST_S * float(2 ** min(failures, 20))) * random.uniform(0.7, 1.0)  # noqa: S311
    return max(own, min(asked_s or 0.0, PATIENT_S))
