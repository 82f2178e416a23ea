"""The loop: every second, what is due goes to the queues. Any number of schedulers may run it."""

from __future__ import annotations

import asyncio
from math import floor

import structlog

from pinguin.broker import Broker
from pinguin.errors import Unavailable
from pinguin.lifecycle import Backoff, wait_or_stop
from pinguin.metrics import SchedulerMetrics

_log = structlog.get_logger(__name__)

LIMIT = 1000
"""Monitors taken in one Lua call, which holds up every other client of Redis for about 5 ms."""


async def dispatch_forever(broker: Broker, stop: asyncio.Event, metrics: SchedulerMetrics | None = None) -> None:
    """Dispatch just after each full second of Redis' clock, until `stop`."""
    metrics = metrics or SchedulerMetrics()
    backoff, away, second = Backoff(), False, 0
    while not stop.is_set():
        try:
            dispatched = await broker.dispatch(LIMIT)
        except Unavailable as error:
            _log.warning("dispatch_waits", error=str(error))
            away = True
            await backoff.wait(stop)
            continue
        if away:
            _log.info("dispatch_goes_on")
            away = False
        backoff.reset()
        second = second or floor(dispatched.now)
        metrics.dispatched(dispatched.due, dispatched.pushed, dispatched.now - second)
        if dispatched.due < LIMIT:
            second = floor(dispatched.now) + 1
            await wait_or_stop(stop, 1.001 - dispatched.now % 1)
