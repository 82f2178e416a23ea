"""Waits until sockets are ready, with a single registration in the event loop for all of them.

A reader of the loop's own costs half a dozen system calls and some objects for each wait; this costs one call.
"""

from __future__ import annotations

import asyncio
import select
from collections.abc import Awaitable

from pinguin.checks.contract import Resources

MOST_AT_ONCE = 512
_EPOLL = hasattr(select, "epoll")


class Readiness:
    """Belongs to one event loop; shared by the checks of a worker (`Resources`). At most one waits for a socket."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._waiting: dict[int, asyncio.Future[None]] = {}
        self._epoll = select.epoll()
        self._loop.add_reader(self._epoll.fileno(), self._wake)

    def until(self, number: int, *, writable: bool = False, again: bool = False) -> Awaitable[None]:
        """Until the socket of this number can be read from, or written to, or has failed; perhaps earlier.

        again: this socket was waited for before. Once it is closed it is forgotten. Raises OSError.
        """
        wanted = (select.EPOLLOUT if writable else select.EPOLLIN) | select.EPOLLONESHOT
        if again:
            self._epoll.modify(number, wanted)
        else:
            self._epoll.register(number, wanted)
        waiter = self._waiting[number] = self._loop.create_future()
        return waiter

    def _wake(self) -> None:
        for number, _ in self._epoll.poll(0, MOST_AT_ONCE):
            waiter = self._waiting.pop(number, None)
            if waiter is not None and not waiter.done():  # it may have been cancelled
                waiter.set_result(None)

    def close(self) -> None:
        self._loop.remove_reader(self._epoll.fileno())
        self._epoll.close()


class PlainReadiness:
    """The same by the loop's own readers and writers, where there is no epoll (macOS)."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()

    async def until(self, number: int, *, writable: bool = False, again: bool = False) -> None:
        waiter: asyncio.Future[None] = self._loop.create_future()
        add = self._loop.add_writer if writable else self._loop.add_reader
        remove = self._loop.remove_writer if writable else self._loop.remove_reader
        # By number, not by object: uvloop keeps an object's socket open for as long as it is registered.
        add(number, _set, waiter)
        try:
            await waiter
        finally:
            remove(number)

    def close(self) -> None:
        pass


def _set(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():  # cancelled, or woken twice before the loop came round
        waiter.set_result(None)


def readiness(resources: Resources) -> Readiness | PlainReadiness:
    """The one of this worker."""
    return resources.get(Readiness) if _EPOLL else resources.get(PlainReadiness)
