"""Notices when this process stood still: stopped, frozen, or starved. What a check saw then is no evidence."""

from __future__ import annotations

import asyncio
from time import monotonic

BEAT_S = 0.1
STILL_S = 0.5
"""A pause that can make an answer miss the timeout of a check."""


class Pulse:
    """Beats while the event loop turns."""

    def __init__(self) -> None:
        self._beat_at = monotonic()
        self._stood_still_at: float | None = None

    async def run(self) -> None:
        """Beat until cancelled."""
        self._beat_at = monotonic()
        while True:
            await asyncio.sleep(BEAT_S)
            self._beat()

    def _beat(self) -> None:
        now = monotonic()
        if now - self._beat_at > BEAT_S + STILL_S:
            self._stood_still_at = now
        self._beat_at = now

    def stood_still(self, since: float) -> bool:
        """Whether it did at some time after `since` (of `time.monotonic`), if only until this moment."""
        self._beat()
        return self._stood_still_at is not None and self._stood_still_at >= since
