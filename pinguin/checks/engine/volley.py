"""The echo requests of one check: what came of them, and the wait for it."""

from __future__ import annotations

import asyncio
from time import perf_counter

from pinguin.checks.engine.deadlines import Deadlines
from pinguin.errors import CheckFailed


class Volley:
    """trips: milliseconds, of those that their target answered. under_way: the numbers of those that are still out."""

    __slots__ = ("_failures", "_woken", "trips", "under_way")

    def __init__(self) -> None:
        self.trips: list[float] = []
        self.under_way: set[int] = set()
        self._failures: list[CheckFailed] = []
        self._woken: asyncio.Future[None] | None = None

    def answered(self, number: int, milliseconds: float) -> None:
        self.under_way.discard(number)
        self.trips.append(milliseconds)
        if not self.under_way:
            self._wake()

    def refused(self, number: int, failure: CheckFailed) -> None:
        """A router says that there is no way."""
        self.under_way.discard(number)
        self._failures.append(failure)
        self._wake()

    async def settled(self, seconds: float, timers: asyncio.AbstractEventLoop | Deadlines) -> None:
        """Wait until all have ended, but no longer than `seconds`. Raises what a router said, unless one was answered.

        asyncio.wait, for any number of anything, costs as much as the ping.
        """
        until = perf_counter() + seconds
        while self.under_way and not self._hopeless() and seconds > 0:
            self._woken = asyncio.get_running_loop().create_future()
            timer = timers.call_later(seconds, self._wake)
            try:
                await self._woken
            finally:
                timer.cancel()
            seconds = until - perf_counter()
        if self._hopeless():
            raise self._failures.pop()  # kept here it would be a cycle, for its traceback leads here

    def _hopeless(self) -> bool:
        return bool(self._failures) and not self.trips

    def _wake(self) -> None:
        if self._woken and not self._woken.done():
            self._woken.set_result(None)
