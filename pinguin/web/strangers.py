"""Slows down guessing of ping addresses, without a look at the database and without harm to those who ping rightly."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable

from pinguin.web.throttle import Throttle

KNOWN = 20_000


class Strangers:
    """Targets that were found lately are never held up; others are, for callers that often asked for what is not."""

    def __init__(self, throttle: Throttle | None = None) -> None:
        self._throttle = throttle or Throttle(most=60, window_s=60)
        self._known: OrderedDict[Hashable, None] = OrderedDict()

    def wait_s(self, target: Hashable, caller: Hashable) -> float:
        """Seconds until the next try is allowed; 0 when it is now."""
        return 0.0 if target in self._known else self._throttle.wait_s(caller)

    def note(self, target: Hashable, caller: Hashable, *, known: bool) -> None:
        if not known:
            self._known.pop(target, None)
            self._throttle.failed(caller)
            return
        self._known[target] = None
        self._known.move_to_end(target)
        while len(self._known) > KNOWN:
            self._known.popitem(last=False)
