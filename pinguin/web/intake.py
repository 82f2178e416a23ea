"""Pings on their way to the database: what came while one transaction ran goes into the next, in its order.

While Postgres is away they wait in Redis, with the time at which they came; one web process writes them when it is
back (kept.py), and what comes meanwhile goes behind them.
"""

from __future__ import annotations

import asyncio
import enum
from collections.abc import Callable, Iterable, Sequence
from uuid import UUID

import psycopg
import structlog

from pinguin.broker import Broker
from pinguin.db import Connection, Pool
from pinguin.errors import Unavailable
from pinguin.push import Ping
from pinguin.store import monitors, push
from pinguin.store.monitors import Draft
from pinguin.web.copies import Copies, Full
from pinguin.web.database import connection

_log = structlog.get_logger(__name__)

BATCH = 200
PATIENCE_S = 3.0
"""How long the database may take for pings before they go to Redis: those who ping give up after some ten seconds."""
MOST_MONITORS = 1000
"""So many push monitors, and no ping makes another."""


class Answer(enum.Enum):
    TAKEN = "taken"
    CREATED = "created"
    UNKNOWN = "unknown"
    AMBIGUOUS = "ambiguous"


class Intake:
    """One web process' way for pings. draft: a new monitor for a slug.

    kept: set when a ping went to Redis, where `copies` puts it. refused: how many could not be taken at all.
    """

    def __init__(self, pool: Pool, broker: Broker, draft: Callable[[str], Draft]) -> None:
        self._pool, self._broker, self._draft = pool, broker, draft
        self._waiting: list[tuple[Ping, asyncio.Future[Answer]]] = []
        self._writing: asyncio.Task[None] | None = None
        self.kept = asyncio.Event()
        self.copies = Copies(broker)
        self.refused = 0

    async def take(self, ping: Ping) -> Answer:
        """Write a ping, or keep it. Raises `Unavailable` where neither Postgres nor Redis takes it."""
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append((ping, answer))
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write_waiting())
        return await answer

    async def _write_waiting(self) -> None:
        while batch := self._waiting[:BATCH]:
            del self._waiting[:BATCH]
            try:
                answers = await self._settle([ping for ping, _ in batch])
            except Exception as error:
                self.refused += len(batch)
                for _, future in batch:
                    if not future.done():
                        future.set_exception(error)
                continue
            for (_, future), answer in zip(batch, answers, strict=True):
                if not future.done():
                    future.set_result(answer)

    async def _settle(self, pings: Sequence[Ping]) -> list[Answer]:
        """Into the database, or where it is away, or older ones wait, into Redis."""
        if not await self._must_wait():
            try:
                return await self.write(pings)
            except Unavailable as error:
                _log.warning("pings_wait", pings=len(pings), error=str(error).partition("\n")[0])
        await self.copies.put(pings)
        self.kept.set()
        return [Answer.TAKEN] * len(pings)

    async def _must_wait(self) -> bool:
        try:
            await self.copies.settle()
            return await self._broker.backlog.pings.count() > 0
        except Full:
            return True
        except Unavailable:
            return False  # without Redis nothing can be put behind anything

    async def write(self, pings: Sequence[Ping]) -> list[Answer]:
        """One transaction; where the database refuses something in it, one for each.

        Raises `Unavailable` where the database is away, `psycopg.Error` where it refuses a single ping.
        """
        try:
            return await self._write(pings)
        except (psycopg.DataError, psycopg.IntegrityError):
            if len(pings) == 1:
                raise
            return [answer for ping in pings for answer in await self.write([ping])]
        except psycopg.Error as error:
            raise Unavailable(f"the database does not take pings: {type(error).__name__}") from error

    async def _write(self, pings: Sequence[Ping]) -> list[Answer]:
        async with connection(self._pool, PATIENCE_S) as conn, conn.transaction():
            answers = await self._resolve(conn, pings)
            found = await push.receive(conn, [ping for ping in pings if answers.get(ping.id) is not Answer.AMBIGUOUS])
        await self._announce(found.values())
        for ping_id, monitor_id in found.items():
            answers.setdefault(ping_id, Answer.UNKNOWN if monitor_id is None else Answer.TAKEN)
        return [answers[ping.id] for ping in pings]

    async def _resolve(self, conn: Connection, pings: Sequence[Ping]) -> dict[UUID, Answer]:
        """Which slugs lead to several monitors; makes one for a slug without any, where that is wanted."""
        slugs = {ping.slug for ping in pings if ping.slug}
        if not slugs:
            return {}
        found, made = await push.by_slug(conn, slugs), dict[UUID, Answer]()
        if any(ping.create and ping.slug not in found for ping in pings if ping.slug):
            await push.lock_slugs(conn)
            found = await push.by_slug(conn, slugs)
            made = await self._make(conn, [ping for ping in pings if ping.create and ping.slug not in found])
        return made | {ping.id: Answer.AMBIGUOUS for ping in pings if ping.slug and found.get(ping.slug, 0) > 1}

    async def _make(self, conn: Connection, pings: Sequence[Ping]) -> dict[UUID, Answer]:
        """A monitor for each of their slugs, as long as there may be more; which pings made one."""
        made: dict[str, UUID] = {}
        room = MOST_MONITORS - await push.how_many(conn)
        for ping in pings:
            if ping.slug and ping.slug not in made and len(made) < room:
                made[ping.slug] = ping.id
                monitor_id = await monitors.create(conn, self._draft(ping.slug))
                _log.info("push_monitor_made", monitor=monitor_id)
        return dict.fromkeys(made.values(), Answer.CREATED)

    async def _announce(self, monitor_ids: Iterable[int | None]) -> None:
        ids = sorted({each for each in monitor_ids if each is not None})
        try:
            if ids:
                await self._broker.announce_results(ids)
        except Unavailable:
            return  # open pages poll
