"""What Redis holds of the pipeline at a moment, for metrics."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import redis.asyncio as aioredis

from pinguin.broker import keys
from pinguin.redis_client import away

COUNTED = ("pushed", "missed", "overlapping", "stale", "superseded", "reaped", "spilled", "lost")


@dataclass(frozen=True, slots=True)
class Pipeline:
    """spilled: results, and pings, that wait for Postgres. queued: jobs by region; oldest_s: seconds since the slot of
    the one that is next there.

    workers: how many live, by region. counters: one for each of `COUNTED`.
    """

    scheduled: int
    leased: int
    spilled: int
    pings: int
    queued: dict[str, int]
    oldest_s: dict[str, float]
    workers: dict[str, int]
    counters: dict[str, int]
    leader: str | None


async def look(client: aioredis.Redis, seen_within_s: float) -> Pipeline:
    """All of it in two round trips. seen_within_s: of workers that count as living."""
    with away():
        async with _pipe(client) as pipe:
            pipe.time().hvals(keys.DEFINITIONS).zrange(keys.WORKERS, 0, -1, withscores=True)
            pipe.zcard(keys.SCHEDULE).zcard(keys.LEASES).zcard(keys.SPILL).llen(keys.PINGS)
            pipe.hgetall(keys.COUNTERS).get(keys.LEADER)
            (seconds, _), definitions, seen, scheduled, leased, spilled, pings, counters, leader = await pipe.execute()
        living = [name.partition("/")[0] for name, at in seen if at >= seconds - seen_within_s]
        regions = {region for text in definitions for region in text.rpartition(":")[2].split(",")}
        regions |= {name.partition("/")[0] for name, _ in seen}
        async with _pipe(client) as pipe:
            for region in sorted(regions):
                pipe.llen(keys.QUEUE + region).lindex(keys.QUEUE + region, -1)
            found = await pipe.execute()
    tails = {region: tail for region, tail in zip(sorted(regions), found[1::2], strict=True) if tail is not None}
    return Pipeline(
        scheduled,
        leased,
        spilled,
        pings,
        dict(zip(sorted(regions), found[::2], strict=True)),
        {region: float(seconds - keys.parse_job(tail, region).slot) for region, tail in tails.items()},
        {region: living.count(region) for region in regions},
        {name: int(counters.get(name, 0)) for name in COUNTED},
        leader,
    )


def _pipe(client: aioredis.Redis) -> Any:
    return client.pipeline(transaction=False)
