"""One timer of the event loop for all checks that must end at about the same time.

A timer of the loop costs more than what a check does in Python before its first packet, and nearly none ever fires.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

GRAIN_S = 0.01
"""A deadline may be later by so much, and never is earlier."""


class Deadlines:
    """Belongs to one event loop; shared by the checks of a worker (`Resources`)."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._due: dict[int, tuple[asyncio.TimerHandle, set[Deadline]]] = {}

    def call_later(self, seconds: float, callback: Callable[[], object]) -> Deadline:
        """As the loop's own: `callback()` in `seconds`, unless it is cancelled before."""
        number = int((self._loop.time() + seconds) / GRAIN_S) + 1
        due = self._due.get(number)
        if due is None:
            due = self._due[number] = self._loop.call_at(number * GRAIN_S, self._end, number), set()
        deadline = Deadline(due[1], callback)
        due[1].add(deadline)
        return deadline

    def _end(self, number: int) -> None:
        _, ending = self._due.pop(number)
        while ending:
            ending.pop().callback()

    def close(self) -> None:
        while self._due:
            self._due.popitem()[1][0].cancel()


class Deadline:
    """What `call_later` gives."""

    __slots__ = ("_among", "callback")

    def __init__(self, among: set[Deadline], callback: Callable[[], object]) -> None:
        self._among, self.callback = among, callback

    def cancel(self) -> None:
        self._among.discard(self)
