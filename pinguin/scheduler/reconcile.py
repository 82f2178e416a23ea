"""Definitions from Postgres to Redis: at each hint, and all of them now and then."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import structlog

from pinguin.broker import Broker
from pinguin.db import Pool, connection
from pinguin.errors import PinguinError
from pinguin.store import dispatch

_log = structlog.get_logger(__name__)

RECONCILE_S = 30.0


class FencedOut(PinguinError):
    """Another scheduler leads by now."""


async def follow(broker: Broker, pool: Pool, token: str) -> None:
    """Reconcile, then apply hints within a moment, and reconcile every 30 s in case one was missed.

    One task does all of it, so that what was read before an edit is never written after it.
    Raises `Unavailable` when Redis or Postgres is away, `FencedOut` when the leadership is over.
    """
    loop = asyncio.get_running_loop()
    async with broker.subscribe() as events:
        while True:
            await reconcile(broker, pool, token)
            until = loop.time() + RECONCILE_S
            while (left := until - loop.time()) > 0:
                event = await events.next(left)
                if event is not None and event.kind == "changed":
                    await apply(broker, pool, token, event.monitors)


async def reconcile(broker: Broker, pool: Pool, token: str) -> None:
    """Make Redis hold exactly the monitors that are to be scheduled."""
    async with connection(pool, within_s=30) as conn:
        wanted = {definition.monitor_id: definition for definition in await dispatch.all_active(conn)}
    there = await broker.definitions()
    changed = [definition for monitor_id, definition in wanted.items() if there.get(monitor_id) != str(definition)]
    removed = there.keys() - wanted.keys()
    if changed or removed:
        if not await broker.define(token, changed, removed, soon=False):
            raise FencedOut("the schedule belongs to a newer leader")
        _log.info("reconciled", changed=len(changed), removed=len(removed), monitors=len(wanted))


async def apply(broker: Broker, pool: Pool, token: str, monitor_ids: Sequence[int]) -> None:
    """Bring these monitors to Redis as they are in Postgres now, and check what changed at once."""
    async with connection(pool, within_s=30) as conn:
        definitions = await dispatch.active(conn, monitor_ids)
    removed = set(monitor_ids) - {definition.monitor_id for definition in definitions}
    if not await broker.define(token, definitions, removed, soon=True):
        raise FencedOut("the schedule belongs to a newer leader")
