"""Everything that Pinguin says to Redis or Valkey. Names of keys stand in keys.py and lua/keys.lua, nowhere else."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import msgspec
import redis.asyncio as aioredis
import structlog

from pinguin.broker import keys, pipeline
from pinguin.broker.backlog import Backlog
from pinguin.model import Definition, Job
from pinguin.redis_client import away, redis_client

_log = structlog.get_logger(__name__)

_LUA = Path(__file__).parent.parent / "lua"


class Event(msgspec.Struct, frozen=True):
    """A hint that something is new in Postgres. changed: definitions; result: results and states."""

    kind: Literal["changed", "result"]
    monitors: list[int]


@dataclass(frozen=True, slots=True)
class Dispatched:
    """now: Redis' clock, in seconds since 1970. due: monitors taken. pushed: jobs queued."""

    now: float
    due: int
    pushed: int


class Subscription:
    """Events as Redis delivers them."""

    def __init__(self, pubsub: Any) -> None:
        self._pubsub = pubsub

    async def next(self, timeout_s: float) -> Event | None:
        """The next event, or None when none comes in time. Raises `Unavailable`."""
        with away():
            message = await self._pubsub.get_message(timeout=timeout_s)
        try:
            return None if message is None else msgspec.json.decode(message["data"], type=Event)
        except msgspec.DecodeError as error:  # from another version of Pinguin: the reconcile knows without it
            _log.warning("event_not_understood", error=str(error))
            return None


class Broker:
    """One process' way to Redis. Every method raises `Unavailable` when Redis is away.

    backlog: what waits for Postgres.
    """

    def __init__(self, client: aioredis.Redis) -> None:
        self._redis = client
        self._more = False
        names = (_LUA / "keys.lua").read_text()
        self._scripts = {
            path.stem: client.register_script(names + path.read_text())
            for path in _LUA.glob("*.lua")
            if path.stem != "keys"
        }
        self.backlog = Backlog(client, self._run)

    @classmethod
    @asynccontextmanager
    async def connect(cls, url: str) -> AsyncIterator[Broker]:
        """A broker for `url` (`redis_url.parse`). Connects at first use; nothing is retried here, the loops above
        know better. Raises `SettingsError`.
        """
        async with AsyncExitStack() as ending:
            yield cls(redis_client(url, ending))

    async def _run(self, script: str, *args: str | int) -> Any:
        with away():
            return await self._scripts[script](args=list(args))

    async def now(self) -> datetime:
        """Redis' clock."""
        with away():
            seconds, micros = await self._redis.time()
        return datetime.fromtimestamp(seconds + micros / 1e6, UTC)

    # -- dispatch

    async def dispatch(self, limit: int = 1000) -> Dispatched:
        """Queue up to `limit` due monitors, and set their next slots."""
        now_ms, due, pushed = await self._run("dispatch", limit)
        return Dispatched(now_ms / 1000, due, pushed)

    async def reap(self, limit: int = 1000) -> tuple[int, int]:
        """Bring back jobs whose lease expired: (leases looked at, jobs handed out again)."""
        expired, again = await self._run("reap", limit)
        return expired, again

    async def define(self, token: str, definitions: Iterable[Definition], removed: Iterable[int], soon: bool) -> bool:
        """Write and remove definitions as the leader that holds `token`; False when it leads no more."""
        pairs: list[str] = []
        for definition in definitions:
            pairs += str(definition.monitor_id), str(definition)
        for monitor_id in removed:
            pairs += str(monitor_id), ""
        for start in range(0, len(pairs), 2000):
            if await self._run("define", token, int(soon), *pairs[start : start + 2000]) < 0:
                return False
        return True

    async def definitions(self) -> dict[int, str]:
        """Every definition that Redis has and has scheduled, as `str(Definition)`."""
        with away():
            texts = await self._redis.hgetall(keys.DEFINITIONS)
            slots = await self._redis.zrange(keys.SCHEDULE, 0, -1, withscores=True)
            scheduled = {str(pair[0]): float(pair[1]) for pair in slots}
            now = (await self.now()).timestamp()
        # A slot further away than an interval is from before a clock was set back: as good as none.
        return {
            int(monitor_id): str(text)
            for monitor_id, text in texts.items()
            if monitor_id in scheduled and scheduled[str(monitor_id)] <= now + int(str(text).split(":")[1]) + 1
        }

    # -- jobs

    async def take(self, region: str, most: int, wait_s: float) -> list[Job]:
        """Up to `most` jobs of the region's queue, leased; waits up to `wait_s` for the first."""
        texts: list[str] = []
        if self._more:  # a call that brought all that was asked for has left some, probably: no need to wait
            texts = await self._run("take", region, most)
        if not texts:
            with away():
                popped = await self._redis.brpop([keys.QUEUE + region], timeout=wait_s)
            if popped is not None:
                texts = await self._run("take", region, most, str(popped[1]))
        self._more = len(texts) == most
        return [keys.parse_job(text, region) for text in texts]

    async def release(self, jobs: Iterable[Job]) -> None:
        """End the leases of `jobs`: their results are committed."""
        lines = [f"{job.monitor_id}@{job.region} {keys.job_text(job)}" for job in jobs]
        if lines:
            await self._run("release", "\n".join(lines))

    async def hand_back(self, region: str, jobs: Iterable[Job]) -> int:
        """Queue jobs of `region` again that this worker will not finish; how many."""
        texts = [keys.job_text(job) for job in jobs]
        return int(await self._run("hand_back", region, *texts)) if texts else 0

    async def check_now(self, monitor_id: int) -> bool | None:
        """Queue a check outside the slots. False: one is under way. None: the monitor is not scheduled (yet)."""
        asked = await self._run("check_now", monitor_id)
        return None if asked < 0 else asked > 0

    # -- who is there

    async def present(self, region: str, name: str) -> None:
        """Say that a worker of `region` lives."""
        with away():
            seconds, _ = await self._redis.time()
            await self._redis.zadd(keys.WORKERS, {f"{region}/{name}": seconds})

    async def leave(self, region: str, name: str) -> None:
        with away():
            await self._redis.zrem(keys.WORKERS, f"{region}/{name}")

    async def workers(self, seen_within_s: float) -> dict[str, list[str]]:
        """The workers that live, by region; those not seen for longer are forgotten."""
        with away():
            seconds, _ = await self._redis.time()
            await self._redis.zremrangebyscore(keys.WORKERS, "-inf", seconds - 3600)
            names = await self._redis.zrangebyscore(keys.WORKERS, seconds - seen_within_s, "+inf")
        found: dict[str, list[str]] = {}
        for name in names:
            region, _, worker = str(name).partition("/")
            found.setdefault(region, []).append(worker)
        return found

    # -- leadership

    async def lead(self, name: str, ttl_s: float) -> str | None:
        """Become the leader: the fencing token, or None while there is another."""
        with away():
            if await self._redis.exists(keys.LEADER):
                return None
            token = f"{await self._redis.incr(keys.EPOCH)}:{name}"
            return token if await self._redis.set(keys.LEADER, token, nx=True, px=int(ttl_s * 1000)) else None

    async def renew(self, token: str, ttl_s: float) -> bool:
        """Stay the leader; False when the lease ran out and it is over."""
        return bool(await self._run("leader", token, int(ttl_s * 1000)))

    async def resign(self, token: str) -> None:
        await self._run("leader", token, 0)

    async def leader(self) -> str | None:
        """Who leads: `number:name`."""
        with away():
            leader = await self._redis.get(keys.LEADER)
        return None if leader is None else str(leader)

    # -- events

    async def announce_change(self, monitor_ids: Sequence[int]) -> None:
        """Say that these monitors were created, edited, paused or deleted (after the commit)."""
        await self._publish(Event("changed", list(monitor_ids)))

    async def announce_results(self, monitor_ids: Sequence[int]) -> None:
        """Say that these monitors have new results (after the commit)."""
        await self._publish(Event("result", list(monitor_ids)))

    async def _publish(self, event: Event) -> None:
        with away():
            await self._redis.publish(keys.EVENTS, msgspec.json.encode(event))

    @asynccontextmanager
    async def subscribe(self) -> AsyncIterator[Subscription]:
        """A subscription to the events from the moment of entering on."""
        async with self._redis.pubsub(ignore_subscribe_messages=True) as pubsub:
            with away():
                await pubsub.subscribe(keys.EVENTS)
                await pubsub.get_message(timeout=5)  # the confirmation
            yield Subscription(pubsub)

    # -- what doctor and metrics show

    async def counters(self) -> dict[str, int]:
        """What was counted since Redis was empty (lua/keys.lua); what never happened is not among it."""
        with away():
            return {str(name): int(n) for name, n in (await self._redis.hgetall(keys.COUNTERS)).items()}

    async def oldest_job(self, region: str) -> float | None:
        """Seconds since the slot of the job that is next in the region's queue; None while the queue is empty."""
        with away():
            text = await self._redis.lindex(keys.QUEUE + region, -1)
            seconds, _ = await self._redis.time()
        return None if text is None else float(seconds - keys.parse_job(str(text), region).slot)

    async def look(self, seen_within_s: float) -> pipeline.Pipeline:
        """Everything that metrics show. seen_within_s: of workers that count as living."""
        return await pipeline.look(self._redis, seen_within_s)

    async def server(self) -> dict[str, Any]:
        """What Redis says of itself (INFO server)."""
        with away():
            return dict(await self._redis.info("server"))
