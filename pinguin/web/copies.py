"""Pings that this process put into Redis: remembered until they are written, and put there again where Redis was
emptied meanwhile.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from itertools import islice

import msgspec
import structlog

from pinguin.broker import Broker
from pinguin.errors import Unavailable
from pinguin.push import Ping

_log = structlog.get_logger(__name__)

LIMIT = 20_000
"""Pings that Redis keeps; more are refused, so that the job tries again."""
COPIES = 10_000
"""Pings of its own that a process remembers: 25 MB at the most, or 90 MB where bodies are in scripts beyond Latin-1."""
KEPT_BODY = 2000
"""Characters of a body that are kept."""


class Full(Unavailable):
    """As many pings wait in Redis as may."""


class Copies:
    """One web process' way to the pings that wait in Redis. What is there twice is written once: it has an id."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._texts: deque[str] = deque(maxlen=COPIES)
        self._missing = 0  # so many of the newest are to be put there again
        self._since: str | None = None
        self._lock = asyncio.Lock()

    async def put(self, pings: Sequence[Ping]) -> None:
        """Keep pings, as of now. Raises `Unavailable` when Redis is away too, `Full`."""
        async with self._lock:
            await self._look()
            now = await self._broker.now()
            for ping in pings:
                text = msgspec.json.encode(msgspec.structs.replace(ping, body=ping.body[:KEPT_BODY], at=now)).decode()
                await self._put(text)
                self._texts.append(text)

    async def settle(self) -> None:
        """Forget what is written; put the rest there again where Redis was emptied. Raises `Unavailable`, `Full`."""
        async with self._lock:
            if self._texts:
                await self._look()

    async def _look(self) -> None:
        # In this order: that it was emptied in between is noticed, now or the next time.
        waiting = await self._broker.backlog.pings.count()
        since, _ = await self._broker.backlog.look()
        if self._since not in (None, since):
            self._missing = len(self._texts)
            if self._texts:
                _log.warning("pings_were_emptied", pings=self._missing)
        elif not waiting and not self._missing:
            self._texts.clear()
        self._since = since
        await self._put_again()

    async def _put_again(self) -> None:
        """As many as there is room for: the others follow when there is more."""
        for text in islice(self._texts, len(self._texts) - self._missing, None):
            await self._put(text)
            self._missing -= 1

    async def _put(self, text: str) -> None:
        if not await self._broker.backlog.pings.keep(text, LIMIT):
            raise Full(f"{LIMIT} pings wait already")
