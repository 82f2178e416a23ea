"""Leadership: a key in Redis with a fencing token, renewed by compare-and-set. One leader does the chores."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from pinguin.broker import Broker
from pinguin.errors import Unavailable
from pinguin.lifecycle import cancel, wait_or_stop
from pinguin.metrics import SchedulerMetrics

_log = structlog.get_logger(__name__)

TTL_S = 6.0
RENEW_S = 2.0
FOLLOW_S = 0.5
"""How often those that do not lead look: a leader that ends by SIGTERM is succeeded as soon."""
PAUSE_S = 0.5
"""After a lost leadership: chores that always fail shall not make a busy loop."""


async def lead_forever(
    broker: Broker,
    name: str,
    chores: Callable[[str], Awaitable[None]],
    stop: asyncio.Event,
    metrics: SchedulerMetrics | None = None,
) -> None:
    """Try to lead until `stop`; run `chores(token)` for as long as the leadership lasts."""
    metrics = metrics or SchedulerMetrics()
    followed = None
    while not stop.is_set():
        token = leader = None
        try:
            token = await broker.lead(name, TTL_S)
            leader = token or await broker.leader()
        except Unavailable:
            pass  # the dispatch loop says so
        if token is None:
            if leader != followed:
                _log.info("follows", leader=leader)
                followed = leader
            await wait_or_stop(stop, FOLLOW_S)
            continue
        followed = None
        _log.info("leads", token=token)
        metrics.leads = True
        await _reign(broker, token, chores, stop)
        metrics.leads = False
        _log.info("leads_no_more", token=token)
        await wait_or_stop(stop, PAUSE_S)


async def _reign(broker: Broker, token: str, chores: Callable[[str], Awaitable[None]], stop: asyncio.Event) -> None:
    working = asyncio.ensure_future(chores(token))
    try:
        while not working.done() and not await wait_or_stop(stop, RENEW_S):
            if not await broker.renew(token, TTL_S):
                return
    except Unavailable as error:
        _log.warning("leadership_lost", error=str(error))
    finally:
        await cancel(working)
        if not working.cancelled() and (failure := working.exception()) is not None:
            _log.error("chores_failed", exc_info=failure)
        await _resign(broker, token)


async def _resign(broker: Broker, token: str) -> None:
    try:
        await broker.resign(token)
    except Unavailable:
        return  # it expires by itself
