"""Threads for what blocks and may hang for ever: a name server, a library without a timeout."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

T = TypeVar("T")

MOST = 200
MOST_EACH = 20
"""Threads at a time, in all and of one owner; those that hang are among them."""


class Crowded(Exception):
    """So many threads hang that no other may begin."""


class Threads:
    """A new thread for every call: one that hangs keeps no other call waiting, and no process from ending.

    A thread that nobody waits for any more cannot be killed; it counts until it ends of itself.
    """

    def __init__(self) -> None:
        self._running: Counter[str] = Counter()
        self._lock = threading.Lock()

    @property
    def running(self) -> int:
        with self._lock:
            return self._running.total()

    async def run(self, owner: str, function: Callable[..., T], *arguments: Any) -> T:
        """What `function` returns or raises. Raises `Crowded`. When it is cancelled the thread runs on, and counts."""
        self._begin(owner)
        done: Future[T] = Future()
        done.set_running_or_notify_cancel()
        target = (owner, done, function, arguments)
        threading.Thread(target=self._work, args=target, name=f"alerts: {owner}", daemon=True).start()
        return await asyncio.wrap_future(done)

    def _begin(self, owner: str) -> None:
        with self._lock:
            if self._running[owner] >= MOST_EACH or self._running.total() >= MOST:
                raise Crowded(f"{self._running[owner]} earlier tries hang")
            self._running[owner] += 1

    def _work(self, owner: str, done: Future[T], function: Callable[..., T], arguments: tuple[Any, ...]) -> None:
        try:
            result = function(*arguments)
        except BaseException as error:
            self._end(owner)
            done.set_exception(error)
        else:
            self._end(owner)
            done.set_result(result)

    def _end(self, owner: str) -> None:
        with self._lock:
            self._running[owner] -= 1
            if not self._running[owner]:
                del self._running[owner]
