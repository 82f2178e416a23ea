"""How often a token may ask. Kept in memory: each web process counts for itself."""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field


@dataclass(slots=True)
class Rate:
    """A bucket a key: `burst` at once, and `per_s` a second for ever."""

    burst: int = 300
    per_s: float = 20.0
    clock: Callable[[], float] = time.monotonic
    _left: OrderedDict[Hashable, tuple[float, float]] = field(default_factory=OrderedDict)

    @property
    def words(self) -> str:
        return f"{self.per_s:g} a second"

    def wait_s(self, key: Hashable) -> int:
        """Take one: 0, or whole seconds until there is one to take."""
        now = self.clock()
        left, seen = self._left.get(key, (float(self.burst), now))
        left = min(float(self.burst), left + (now - seen) * self.per_s)
        wait = 0 if left >= 1 else math.ceil((1 - left) / self.per_s)
        self._left[key] = (left - 1 if not wait else left, now)
        self._left.move_to_end(key)
        while len(self._left) > 10_000:
            self._left.popitem(last=False)
        return wait
