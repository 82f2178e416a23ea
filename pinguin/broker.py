"""Everything that Pinguin says to Redis or Valkey. Key names stand here and in lua/keys.lua, nowhere else."""

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

from pinguin.model import Definition, Job
from pinguin.redis_client import away, redis_client

_log = structlog.get_logger(__name__)

_LUA = Path(__file__).parent / "lua"
_QUEUE = "pinguin:queue:"
_DEFINITIONS = "pinguin:definitions"
_COUNTERS = "pinguin:counters"
_SCHEDULE = "pinguin:schedule"
_LEASES = "pinguin:leases"
_LEADER = "pinguin:leader"
_EPOCH = "pinguin:epoch"
_EVENTS = "pinguin:events"
_SPILL = "pinguin:spill"
_DRAINER = "pinguin:drainer"
_ASIDE = "pinguin:spill:aside"
_WORKERS = "pinguin:workers"
_PINGS = "pinguin:pings"
_PINGS_DRAINER = "pinguin:pings:drainer"

COUNTERS = ("pushed", "missed", "overlapping", "stale", "superseded", "reaped", "spilled", "lost")


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


@dataclass(frozen=True, slots=True)
class Pipeline:
    """What Redis holds. queued: jobs by region; oldest_s: seconds since the slot of the one that is next there.

    workers: how many live, by region. counters: one for each of `COUNTERS`.
    """

    scheduled: int
    leased: int
    spilled: int
    queued: dict[str, int]
    oldest_s: dict[str, float]
    workers: dict[str, int]
    counters: dict[str, int]
    leader: str | None


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
    """One process' way to Redis. Every method raises `Unavailable` when Redis is away."""

    def __init__(self, client: aioredis.Redis) -> None:
        self._redis = client
        self._more = False
        keys = (_LUA / "keys.lua").read_text()
        self._scripts = {
            path.stem: client.register_script(keys + path.read_text())
            for path in _LUA.glob("*.lua")
            if path.stem != "keys"
        }

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
            texts = await self._redis.hgetall(_DEFINITIONS)
            slots = await self._redis.zrange(_SCHEDULE, 0, -1, withscores=True)
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
                popped = await self._redis.brpop([_QUEUE + region], timeout=wait_s)
            if popped is not None:
                texts = await self._run("take", region, most, str(popped[1]))
        self._more = len(texts) == most
        return [_job(text, region) for text in texts]

    async def release(self, jobs: Iterable[Job]) -> None:
        """End the leases of `jobs`: their results are committed."""
        lines = [f"{job.monitor_id}@{job.region} {_text(job)}" for job in jobs]
        if lines:
            await self._run("release", "\n".join(lines))

    async def hand_back(self, region: str, jobs: Iterable[Job]) -> int:
        """Queue jobs of `region` again that this worker will not finish; how many."""
        texts = [_text(job) for job in jobs]
        return int(await self._run("hand_back", region, *texts)) if texts else 0

    async def check_now(self, monitor_id: int) -> bool | None:
        """Queue a check outside the slots. False: one is under way. None: the monitor is not scheduled (yet)."""
        asked = await self._run("check_now", monitor_id)
        return None if asked < 0 else asked > 0

    # -- results that wait for Postgres

    async def spill(self, results: Iterable[tuple[bool, int, str]], limit: int) -> int:
        """Keep results (whether the monitor is healthy, the slot, the result as text), in the order of their slots; how
        many were lost to the limit.
        """
        flat: list[str | int] = []
        for healthy, slot, text in results:
            flat += int(healthy), slot, text
        return int(await self._run("spill", limit, *flat))

    async def look_at_spill(self) -> tuple[str, int | None]:
        """(since, slot): a word that is another one once Redis was emptied or started again, and the slot of the
        oldest result that waits, None where none does.
        """
        since, *oldest = await self._run("look_at_spill")
        return since, oldest[0] if oldest else None

    async def spilled(self) -> int:
        """How many results wait."""
        with away():
            return int(await self._redis.zcard(_SPILL))

    async def peek_spill(self, most: int) -> list[tuple[str, int]]:
        """The oldest results that wait, as (text, number)."""
        with away():
            oldest = await self._redis.zrange(_SPILL, 0, most - 1, withscores=True)
        return [(str(pair[0]), int(pair[1])) for pair in oldest]

    async def drained(self, numbers: Sequence[int]) -> int:
        """Forget results that are committed; how many still wait."""
        return int(await self._run("drained", *numbers))

    async def set_aside(self, text: str) -> None:
        """Keep a spilled result that cannot be read, for people: the last thousand."""
        with away():
            await self._redis.lpush(_ASIDE, text)
            await self._redis.ltrim(_ASIDE, 0, 999)

    async def untold_loss(self) -> int:
        """How many results were lost to the spill's limit that `tell_loss` was not told of."""
        counters = await self.counters()
        return counters.get("lost", 0) - counters.get("lost_told", 0)

    async def tell_loss(self, results: int) -> None:
        """So many of the lost results have been shown to people."""
        with away():
            await self._redis.hincrby(_COUNTERS, "lost_told", results)

    async def may_drain(self, name: str, ttl_s: float) -> bool:
        """Whether `name` writes spilled results for the next `ttl_s` seconds: one worker at a time, to keep order."""
        return await self._hold(_DRAINER, name, ttl_s)

    async def _hold(self, key: str, name: str, ttl_s: float) -> bool:
        with away():
            if await self._redis.set(key, name, nx=True, px=int(ttl_s * 1000)):
                return True
            ours = await self._redis.get(key) == name
            return bool(ours and await self._redis.pexpire(key, int(ttl_s * 1000)))

    # -- pings that wait for Postgres

    async def keep_ping(self, text: str, limit: int) -> bool:
        """Keep a ping, with the time at which it came, behind those that wait; False where the list is full."""
        return bool(await self._run("keep_ping", limit, text))

    async def pings_waiting(self) -> int:
        with away():
            return int(await self._redis.llen(_PINGS))

    async def peek_pings(self, most: int) -> list[tuple[datetime, str, str]]:
        """The oldest pings that wait: (when it came, its text, what `forget_pings` is told)."""
        with away():
            kept = await self._redis.lrange(_PINGS, 0, most - 1)
        found = []
        for entry in map(str, kept):
            micros, _, text = entry.partition(":")
            found.append((datetime.fromtimestamp(int(micros) / 1e6, UTC), text, entry))
        return found

    async def forget_pings(self, entries: Sequence[str]) -> None:
        """Take these, which are written, from the front of the list; nothing where somebody else has done so."""
        await self._run("forget_pings", *entries)

    async def may_drain_pings(self, name: str, ttl_s: float) -> bool:
        """Whether `name` writes kept pings for the next `ttl_s` seconds: one at a time, to keep order."""
        return await self._hold(_PINGS_DRAINER, name, ttl_s)

    # -- who is there

    async def present(self, region: str, name: str) -> None:
        """Say that a worker of `region` lives."""
        with away():
            seconds, _ = await self._redis.time()
            await self._redis.zadd(_WORKERS, {f"{region}/{name}": seconds})

    async def leave(self, region: str, name: str) -> None:
        with away():
            await self._redis.zrem(_WORKERS, f"{region}/{name}")

    async def workers(self, seen_within_s: float) -> dict[str, list[str]]:
        """The workers that live, by region; those not seen for longer are forgotten."""
        with away():
            seconds, _ = await self._redis.time()
            await self._redis.zremrangebyscore(_WORKERS, "-inf", seconds - 3600)
            names = await self._redis.zrangebyscore(_WORKERS, seconds - seen_within_s, "+inf")
        found: dict[str, list[str]] = {}
        for name in names:
            region, _, worker = str(name).partition("/")
            found.setdefault(region, []).append(worker)
        return found

    # -- leadership

    async def lead(self, name: str, ttl_s: float) -> str | None:
        """Become the leader: the fencing token, or None while there is another."""
        with away():
            if await self._redis.exists(_LEADER):
                return None
            token = f"{await self._redis.incr(_EPOCH)}:{name}"
            return token if await self._redis.set(_LEADER, token, nx=True, px=int(ttl_s * 1000)) else None

    async def renew(self, token: str, ttl_s: float) -> bool:
        """Stay the leader; False when the lease ran out and it is over."""
        return bool(await self._run("leader", token, int(ttl_s * 1000)))

    async def resign(self, token: str) -> None:
        await self._run("leader", token, 0)

    async def leader(self) -> str | None:
        """Who leads: `number:name`."""
        with away():
            leader = await self._redis.get(_LEADER)
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
            await self._redis.publish(_EVENTS, msgspec.json.encode(event))

    @asynccontextmanager
    async def subscribe(self) -> AsyncIterator[Subscription]:
        """A subscription to the events from the moment of entering on."""
        async with self._redis.pubsub(ignore_subscribe_messages=True) as pubsub:
            with away():
                await pubsub.subscribe(_EVENTS)
                await pubsub.get_message(timeout=5)  # the confirmation
            yield Subscription(pubsub)

    # -- what doctor and metrics show

    async def counters(self) -> dict[str, int]:
        """What dispatch has counted since Redis was empty: pushed, missed, overlapping, stale, superseded, reaped."""
        with away():
            return {str(name): int(n) for name, n in (await self._redis.hgetall(_COUNTERS)).items()}

    async def oldest_job(self, region: str) -> float | None:
        """Seconds since the slot of the job that is next in the region's queue; None while the queue is empty."""
        with away():
            text = await self._redis.lindex(_QUEUE + region, -1)
            seconds, _ = await self._redis.time()
        return None if text is None else float(seconds - _job(str(text), region).slot)

    async def look(self, seen_within_s: float) -> Pipeline:
        """Everything that metrics show, in two round trips. seen_within_s: of workers that count as living."""
        with away():
            async with self._pipe() as pipe:
                pipe.time().hvals(_DEFINITIONS).zrange(_WORKERS, 0, -1, withscores=True)
                pipe.zcard(_SCHEDULE).zcard(_LEASES).zcard(_SPILL).hgetall(_COUNTERS).get(_LEADER)
                (seconds, _), definitions, seen, scheduled, leased, spilled, counters, leader = await pipe.execute()
            living = [name.partition("/")[0] for name, at in seen if at >= seconds - seen_within_s]
            regions = {region for text in definitions for region in text.rpartition(":")[2].split(",")}
            regions |= {name.partition("/")[0] for name, _ in seen}
            async with self._pipe() as pipe:
                for region in sorted(regions):
                    pipe.llen(_QUEUE + region).lindex(_QUEUE + region, -1)
                found = await pipe.execute()
        tails = {region: tail for region, tail in zip(sorted(regions), found[1::2], strict=True) if tail is not None}
        return Pipeline(
            scheduled,
            leased,
            spilled,
            dict(zip(sorted(regions), found[::2], strict=True)),
            {region: float(seconds - _job(tail, region).slot) for region, tail in tails.items()},
            {region: living.count(region) for region in regions},
            {name: int(counters.get(name, 0)) for name in COUNTERS},
            leader,
        )

    def _pipe(self) -> Any:
        return self._redis.pipeline(transaction=False)

    async def server(self) -> dict[str, Any]:
        """What Redis says of itself (INFO server)."""
        with away():
            return dict(await self._redis.info("server"))


def _text(job: Job) -> str:
    return f"{job.monitor_id}:{job.slot}:{job.version}:{job.attempt}"


def _job(text: str, region: str) -> Job:
    monitor_id, slot, version, attempt = map(int, text.split(":"))
    return Job(monitor_id, slot, version, attempt, region)
