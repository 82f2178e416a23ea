"""What waits in Redis for Postgres: results that workers spilled, and pings that web processes kept."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import redis.asyncio as aioredis

from pinguin.broker import keys
from pinguin.redis_client import away

Run = Callable[..., Awaitable[Any]]
"""Runs a script of lua/ by its name, with its arguments."""


class Backlog:
    """Both lists, and what is asked of them together. Every method raises `Unavailable` when Redis is away."""

    def __init__(self, client: aioredis.Redis, run: Run) -> None:
        self._redis, self._run = client, run
        self.results = SpilledResults(client, run)
        self.pings = KeptPings(client, run)

    async def look(self) -> tuple[str, int | None]:
        """(since, slot): a word that is another one once Redis was emptied or started again, and the slot of the
        oldest result that waits, None where none does.
        """
        since, *oldest = await self._run("look_at_spill")
        return since, oldest[0] if oldest else None

    async def set_aside(self, text: str) -> None:
        """Keep a result or a ping that cannot be read or written, for people: the last thousand."""
        with away():
            await self._redis.lpush(keys.ASIDE, text)
            await self._redis.ltrim(keys.ASIDE, 0, 999)


class SpilledResults:
    """Results that wait, in the order of their slots. Each has a number, by which it is forgotten."""

    def __init__(self, client: aioredis.Redis, run: Run) -> None:
        self._redis, self._run = client, run

    async def keep(self, results: Iterable[tuple[bool, int, str]], limit: int) -> int:
        """Keep results (whether the monitor is healthy, the slot, the result as text); how many were lost to the
        limit.
        """
        flat: list[str | int] = []
        for healthy, slot, text in results:
            flat += int(healthy), slot, text
        return int(await self._run("spill", limit, *flat))

    async def count(self) -> int:
        with away():
            return int(await self._redis.zcard(keys.SPILL))

    async def peek(self, most: int) -> list[tuple[str, int]]:
        """The oldest, as (text, number)."""
        with away():
            oldest = await self._redis.zrange(keys.SPILL, 0, most - 1, withscores=True)
        return [(str(pair[0]), int(pair[1])) for pair in oldest]

    async def forget(self, numbers: Sequence[int]) -> int:
        """Take out these, which are committed; how many still wait."""
        return int(await self._run("drained", *numbers))

    async def may_drain(self, name: str, ttl_s: float) -> bool:
        """Whether `name` writes them for the next `ttl_s` seconds: one worker at a time, to keep order."""
        return await _hold(self._redis, keys.DRAINER, name, ttl_s)

    async def untold_loss(self) -> int:
        """How many were lost to the limit that `tell_loss` was not told of."""
        with away():
            lost, told = await self._redis.hmget(keys.COUNTERS, ["lost", "lost_told"])
        return int(lost or 0) - int(told or 0)

    async def tell_loss(self, results: int) -> None:
        """So many of the lost ones have been shown to people."""
        with away():
            await self._redis.hincrby(keys.COUNTERS, "lost_told", results)


class KeptPings:
    """Pings that wait, in the order in which they came."""

    def __init__(self, client: aioredis.Redis, run: Run) -> None:
        self._redis, self._run = client, run

    async def keep(self, text: str, limit: int) -> bool:
        """Keep a ping, with the time at which it came, behind those that wait; False where `limit` wait already."""
        return bool(await self._run("keep_ping", limit, text))

    async def count(self) -> int:
        with away():
            return int(await self._redis.llen(keys.PINGS))

    async def peek(self, most: int) -> list[tuple[datetime, str, str]]:
        """The oldest: (when it came, its text, the entry that `forget` is told)."""
        with away():
            kept = await self._redis.lrange(keys.PINGS, 0, most - 1)
        found = []
        for entry in map(str, kept):
            micros, _, text = entry.partition(":")
            found.append((datetime.fromtimestamp(int(micros) / 1e6, UTC), text, entry))
        return found

    async def forget(self, entries: Sequence[str]) -> None:
        """Take these, which are written, from the front of the list; nothing where somebody else has done so."""
        await self._run("forget_pings", *entries)

    async def may_drain(self, name: str, ttl_s: float) -> bool:
        """Whether `name` writes them for the next `ttl_s` seconds: one web process at a time, to keep order."""
        return await _hold(self._redis, keys.PINGS_DRAINER, name, ttl_s)


async def _hold(client: aioredis.Redis, key: str, name: str, ttl_s: float) -> bool:
    """Take what one process may have at a time, or keep it for longer."""
    with away():
        if await client.set(key, name, nx=True, px=int(ttl_s * 1000)):
            return True
        ours = await client.get(key) == name
        return bool(ours and await client.pexpire(key, int(ttl_s * 1000)))
