"""Slows down guessing of passwords. Kept in memory: a restart forgets, and each web process counts for itself.

A caller is an address. Behind a proxy that is the proxy's, for everybody, unless FORWARDED_ALLOW_IPS (uvicorn's; the
default is 127.0.0.1) names the proxy, whose X-Forwarded-For is then believed.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable


class Throttle:
    """At most `most` failures of one key within `window_s` seconds."""

    def __init__(self, most: int, window_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._window_s = window_s
        self._clock = clock
        self._failures: OrderedDict[Hashable, list[float]] = OrderedDict()

    def wait_s(self, key: Hashable) -> float:
        """Seconds until the next try is allowed; 0 when it is now."""
        recent = self._recent(key)
        return recent[-self._most] + self._window_s - self._clock() if len(recent) >= self._most else 0.0

    def failed(self, key: Hashable) -> None:
        self._failures[key] = [*self._recent(key), self._clock()]
        self._failures.move_to_end(key)
        while len(self._failures) > 10_000:
            self._failures.popitem(last=False)

    def take_back(self, key: Hashable) -> None:
        """The last try was none: it was never decided."""
        if recent := self._recent(key)[:-1]:
            self._failures[key] = recent
        else:
            self._failures.pop(key, None)

    def succeeded(self, key: Hashable) -> None:
        self._failures.pop(key, None)

    def _recent(self, key: Hashable) -> list[float]:
        edge = self._clock() - self._window_s
        return [moment for moment in self._failures.get(key, ()) if moment > edge]
