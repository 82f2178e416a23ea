"""What many open pages want at the same time is made once for all of them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Iterable, Mapping
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class Together(Generic[Key, Value]):
    """Gathers the keys that are asked for, and makes their values at most once every `every_s` seconds.

    Values are never older than the question: what is being made when somebody asks is not for them.
    """

    def __init__(self, make: Callable[[frozenset[Key]], Awaitable[Mapping[Key, Value]]], every_s: float) -> None:
        self._make, self._every_s = make, every_s
        self._wanted: set[Key] = set()
        self._next: asyncio.Task[Mapping[Key, Value]] | None = None
        self._last = float("-inf")

    async def get(self, keys: Iterable[Key]) -> dict[Key, Value]:
        """Those of `keys` that there are. Raises what `make` raises."""
        asked = list(keys)
        self._wanted.update(asked)
        if self._next is None:
            self._next = asyncio.create_task(self._round())
            self._next.add_done_callback(_look)
        found = await asyncio.shield(self._next)
        return {key: found[key] for key in asked if key in found}

    async def _round(self) -> Mapping[Key, Value]:
        now = asyncio.get_running_loop().time
        await asyncio.sleep(self._last + self._every_s - now())
        self._last, self._next = now(), None
        wanted, self._wanted = frozenset(self._wanted), set()
        return await self._make(wanted)


def _look(task: asyncio.Task[object]) -> None:
    """Whoever asked may have gone: then nobody else looks at what went wrong."""
    if not task.cancelled():
        task.exception()
