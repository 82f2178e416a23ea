"""Slows down guessing. Kept in memory: a restart forgets, and each web process counts for itself.

A caller is an address. Behind a proxy that is the proxy's, for everybody, unless PINGUIN_TRUSTED_PROXIES names it: then
the address that it says is believed, and no one else's word.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network


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


Key = tuple[Throttle, Hashable]


@dataclass(slots=True)
class Door:
    """What is counted where somebody comes in. callers: by address. guesses: by address and account (of an
    address, its `network`).

    accounts: by account, from wherever: many addresses together guess no faster. Who comes from an address that is
    signed in to the account already need not wait for what others did.
    codes: of the second step, by account, and more strictly: there are only a million.
    """

    callers: Throttle = field(default_factory=lambda: Throttle(most=40, window_s=600))
    guesses: Throttle = field(default_factory=lambda: Throttle(most=8, window_s=600))
    accounts: Throttle = field(default_factory=lambda: Throttle(most=30, window_s=600))
    codes: Throttle = field(default_factory=lambda: Throttle(most=6, window_s=1800))

    def for_password(self, caller: str, name: str) -> list[Key]:
        key, near = name.lower(), network(caller)
        return [(self.callers, near), (self.guesses, (near, key)), (self.accounts, key)]

    def for_code(self, caller: str, user_id: int) -> list[Key]:
        return [(self.callers, network(caller)), (self.codes, user_id)]

    def for_setup(self, caller: str) -> list[Key]:
        near = network(caller)
        return [(self.callers, near), (self.guesses, (near, None))]


def wait_s(keys: list[Key]) -> float:
    return max(throttle.wait_s(key) for throttle, key in keys)


@contextmanager
def counted(keys: list[Key]) -> Iterator[None]:
    """A try counts before it is decided: of a thousand that come at once, few may be looked at.

    It is taken back where it came to no decision.
    """
    for throttle, key in keys:
        throttle.failed(key)
    try:
        yield
    except BaseException:
        for throttle, key in keys:
            throttle.take_back(key)
        raise


def forgive(keys: list[Key]) -> None:
    """It was right: what was counted of the account is forgotten, of the caller this try alone.

    Else somebody with an account of their own could guess at those of others for ever.
    """
    (callers, caller), *others = keys
    callers.take_back(caller)
    for throttle, key in others:
        throttle.succeeded(key)


def network(caller: str) -> str:
    """Who it is, as far as guesses are counted: of IPv6 the network, for each customer has 2^64 addresses."""
    try:
        address = ip_address(caller)
    except ValueError:
        return caller
    if address.version == 4:
        return caller
    return str(address.ipv4_mapped or ip_network((int(address) >> 64 << 64, 64)))
