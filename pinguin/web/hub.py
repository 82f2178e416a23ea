"""One subscription to Redis for the whole process, fanned out to every open page."""

from __future__ import annotations

import asyncio
import time
import traceback
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import takewhile

import structlog

from pinguin.broker import Broker, Event
from pinguin.errors import Unavailable
from pinguin.lifecycle import Backoff

_log = structlog.get_logger(__name__)

POLL_S = 15.0
"""How often a page looks for itself while Redis is away."""
REPLAY_S = 5.0
"""A page that opens is told the results of so long ago again: they may have come after it was drawn."""
REPLAYED = 10_000
ALL = 0
"""Stands for all monitors among those that a page wants: with any event its news is `[ALL]`."""


class Page:
    """What one open page has not been told yet. Hints add up, so a slow page gets fewer and larger refreshes."""

    def __init__(self, wanted: Iterable[int], session: bytes = b"") -> None:
        self.session = session
        self._wanted = frozenset(wanted)
        self._due: set[int] = set()
        self._changed = False
        self._ended = False
        self._something = asyncio.Event()

    def offer(self, event: Event) -> None:
        if ALL in self._wanted:
            self._due.add(ALL)
            self._something.set()
            return
        mine = self._wanted.intersection(event.monitors)
        if event.kind == "changed":
            self._changed = True
        if mine or event.kind == "changed":
            self._due |= mine
            self._something.set()

    def list_changed(self) -> None:
        """Monitors were added, edited or deleted."""
        self._changed = True
        self._something.set()

    def refresh(self) -> None:
        """Everything may be new."""
        self._due |= self._wanted
        self._something.set()

    def end(self) -> None:
        self._ended = True
        self._something.set()

    @property
    def ended(self) -> bool:
        return self._ended

    async def news(self, wait_s: float) -> tuple[list[int], bool]:
        """Monitors of this page with news, and whether the list itself may have changed; empty after `wait_s`."""
        try:
            async with asyncio.timeout(wait_s):
                await self._something.wait()
        except TimeoutError:
            return [], False
        due, changed = sorted(self._due), self._changed
        self._due, self._changed = set(), False
        if not self._ended:
            self._something.clear()
        return due, changed


class Hub:
    """Listens to the broker, and comes back by itself when Redis was away."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._pages: set[Page] = set()
        self._recent: deque[tuple[float, Event]] = deque(maxlen=REPLAYED)
        self._closed = False
        self.connected = False

    @contextmanager
    def page(self, wanted: Iterable[int], session: bytes = b"") -> Iterator[Page]:
        """An open page that shows the monitors `wanted` to the one whose session has this hash."""
        page = Page(wanted, session)
        self._pages.add(page)
        oldest = time.monotonic() - REPLAY_S
        for _, event in takewhile(lambda each: each[0] > oldest, reversed(self._recent)):
            if event.kind != "changed":
                page.offer(event)
        if self._closed:
            page.end()
        try:
            yield page
        finally:
            self._pages.discard(page)

    @property
    def open_pages(self) -> int:
        return len(self._pages)

    def end_session(self, session: bytes) -> None:
        """End the pages of somebody who signed out."""
        for page in self._pages:
            if page.session == session:
                page.end()

    def close(self) -> None:
        """End every open page, so that the server can stop."""
        self._closed = True
        for page in self._pages:
            page.end()

    async def run(self) -> None:
        """Until cancelled."""
        backoff = Backoff(1.0, POLL_S)
        while True:
            try:
                async with self._broker.subscribe() as subscription:
                    self.connected = True
                    backoff.reset()
                    for page in self._pages:
                        page.refresh()
                    while True:
                        if event := await subscription.next(10):
                            self._tell(event)
            except Unavailable as error:
                _log.warning("live_waits_for_redis", error=str(error))
            except Exception as error:  # without this task no page is ever told anything again
                frames = "".join(traceback.format_tb(error.__traceback__))
                _log.error("live_failed", error=f"{type(error).__name__}: {error}", frames=frames)
            finally:
                self.connected = False
            await backoff.wait()

    def _tell(self, event: Event) -> None:
        self._recent.append((time.monotonic(), event))
        for page in self._pages:
            page.offer(event)
