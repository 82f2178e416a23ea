"""Whether this machine let the event loop turn: what was seen of a short timeout while it did not is no evidence."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from time import monotonic
from typing import TypeVar

from pinguin.lifecycle import cancel

T = TypeVar("T")

TURN_S = 0.01
LATE_S = 0.03
"""A turn that comes so late was held up by something else."""
SHARE = 1 / 3
"""So much of its timeout may be lost to something else before a try says nothing."""
TRIES = 10


class Turns:
    """Looks how late each turn of the loop comes."""

    def __init__(self) -> None:
        self._at = monotonic()
        self._lost: deque[tuple[float, float]] = deque(maxlen=1000)

    async def watch(self) -> None:
        """Until cancelled."""
        self._at = monotonic()
        while True:
            await asyncio.sleep(TURN_S)
            self._turn()

    def _turn(self) -> None:
        now = monotonic()
        if now - self._at > LATE_S:
            self._lost.append((now, now - self._at))
        self._at = now

    def lost_s(self, since: float) -> float:
        """Seconds in which the loop did not turn after `since` (of `time.monotonic`), up to this moment."""
        self._turn()
        return sum(min(length, at - since) for at, length in self._lost if at >= since)

    async def undisturbed(self, attempt: Callable[[], Awaitable[T]], timeout: float) -> T:
        """What `attempt` gives: that of a time in which most of its timeout (seconds) was its own, where there is one.

        A loop that the attempt itself holds up comes to an end too: the last one counts in any case.
        """
        for _ in range(TRIES):
            began = monotonic()
            found = await attempt()
            if self.lost_s(began) < timeout * SHARE:
                break
        return found


@asynccontextmanager
async def turning() -> AsyncIterator[Turns]:
    """The turns of the running loop, for as long as the block lasts."""
    turns = Turns()
    watching = asyncio.create_task(turns.watch())
    try:
        yield turns
    finally:
        await cancel(watching)
