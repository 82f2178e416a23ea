"""Pings that waited in Redis go to the database; and the database is told since when pings can be taken."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from operator import attrgetter

import msgspec
import psycopg
import structlog

from pinguin.broker import Broker
from pinguin.db import Pool
from pinguin.errors import Unavailable
from pinguin.push import Ping
from pinguin.store import push
from pinguin.web.copies import Full
from pinguin.web.database import connection
from pinguin.web.intake import BATCH, PATIENCE_S, Intake

_log = structlog.get_logger(__name__)

DRAINER_TTL_S = 15.0
LOOK_S = 1.0
BEAT_S = 2.0
FIRST_BEAT_S = 3.0
"""After a start those who found the door closed come again, before anything is said of silence."""
BREAK_S = 12.0
"""A shorter break, such as a restart, is none: those who ping try again."""


async def drain_forever(intake: Intake, broker: Broker, name: str) -> None:
    """Write what waits in Redis whenever the database answers; ends by being cancelled. One web process at a time."""
    while True:
        await drain_if_any(intake, broker, name)
        try:
            async with asyncio.timeout(LOOK_S):
                await intake.kept.wait()
        except TimeoutError:
            continue
        intake.kept.clear()


async def drain_if_any(intake: Intake, broker: Broker, name: str) -> None:
    """What can be written now, unless another process is at it."""
    try:
        with suppress(Full):  # what waits is written first, so that there is room
            await intake.copies.settle()
        if await broker.backlog.pings.count() and await broker.backlog.pings.may_drain(name, DRAINER_TTL_S):
            await drain(intake, broker, name)
    except Unavailable:
        return  # the intake says so


async def drain(intake: Intake, broker: Broker, name: str) -> None:
    """Write everything that waits, in its order. Raises `Unavailable`."""
    written = 0
    while kept := await broker.backlog.pings.peek(BATCH):
        pings = [ping for at, text, _ in kept if (ping := await _read(broker, at, text)) is not None]
        once = {ping.id: ping for ping in pings}  # what was put there again may be there twice, and out of its order
        await _write(intake, broker, sorted(once.values(), key=attrgetter("at")))
        await broker.backlog.pings.forget([entry for _, _, entry in kept])
        written += len(once)
        if not await broker.backlog.pings.may_drain(name, DRAINER_TTL_S):
            break  # we were too slow, and another goes on
    _log.info("pings_drained", pings=written)


async def _read(broker: Broker, at: datetime, text: str) -> Ping | None:
    """What is no ping (of another version of Pinguin, say) is set aside, not lost."""
    try:
        ping = msgspec.json.decode(text, type=Ping)
        return ping if ping.at else msgspec.structs.replace(ping, at=at)
    except msgspec.DecodeError:
        _log.error("kept_ping_not_understood")
        await broker.backlog.set_aside(text)
        return None


async def _write(intake: Intake, broker: Broker, pings: Sequence[Ping]) -> None:
    """What the database refuses for good is set aside too."""
    try:
        await intake.write(pings)
    except (psycopg.DataError, psycopg.IntegrityError) as error:
        if len(pings) > 1:
            for ping in pings:
                await _write(intake, broker, [ping])
            return
        _log.error("ping_refused", error=type(error).__name__)
        await broker.backlog.set_aside(msgspec.json.encode(pings[0]).decode())


class Openness:
    """Since when this process has been able to take pings without a break, by the wall clock.

    That clock goes on while a machine sleeps.
    """

    def __init__(self) -> None:
        self._since: float | None = None
        self._seen = 0.0
        self._refused = 0

    def able_for(self, able: bool, refused: int, now: float) -> timedelta | None:
        """Say how it is; None while it is not able. refused: pings that could not be taken, so far."""
        stood_still = not 0 <= now - self._seen <= BREAK_S
        if not able:
            self._since = None
        elif self._since is None or stood_still or refused != self._refused:
            self._since = now
        self._seen, self._refused = now, refused
        return None if self._since is None else timedelta(seconds=now - self._since)


async def say_open_forever(intake: Intake, broker: Broker, pool: Pool) -> None:
    """Tell the database every few seconds; ends by being cancelled."""
    openness = Openness()
    openness.able_for(True, intake.refused, time.time())
    await asyncio.sleep(FIRST_BEAT_S)
    while True:
        await say_open(intake, broker, pool, openness)
        await asyncio.sleep(BEAT_S)


async def say_open(intake: Intake, broker: Broker, pool: Pool, openness: Openness) -> None:
    """While the database is away, Redis keeps pings, which is as good: once those that it lost are there again."""
    able_for = openness.able_for(True, intake.refused, time.time())
    assert able_for is not None
    try:
        await intake.copies.settle()
        async with connection(pool, PATIENCE_S) as conn:
            await push.say_open(conn, able_for, timedelta(seconds=BREAK_S))
    except (Unavailable, psycopg.Error):
        openness.able_for(await _redis_answers(broker), intake.refused, time.time())


async def _redis_answers(broker: Broker) -> bool:
    try:
        await broker.now()
    except Unavailable:
        return False
    return True
