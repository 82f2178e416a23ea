"""The Lua, against a real Valkey."""

from __future__ import annotations

import asyncio
import time
from collections import Counter

import pytest
import redis.asyncio as aioredis

from pinguin.broker import Broker, Event
from pinguin.errors import Unavailable
from pinguin.model import Definition, Job


def definition(monitor_id: int = 7, **values: object) -> Definition:
    """With a phase that has just begun, so that no slot grows too old during a test."""
    phase_s = (int(time.time()) - 5) % 60
    given = {"version": 1, "interval_s": 60, "phase_s": phase_s, "timeout_s": 50.0, "regions": ["local"], **values}
    return Definition(monitor_id, **given)  # type: ignore[arg-type]


async def schedule(broker: Broker, *definitions: Definition, due: bool = True, redis: aioredis.Redis) -> None:
    """Define monitors as a leader would, and make them due."""
    token = await broker.lead("test", 60) or await broker.leader()
    assert token
    assert await broker.define(token, definitions, [], soon=False)
    if due:
        for each in definitions:
            await redis.zadd("pinguin:schedule", {str(each.monitor_id): 0})


async def take(broker: Broker, most: int = 100) -> list[Job]:
    return await broker.take("local", most, 0.05)


async def test_a_due_monitor_is_queued_leased_and_rescheduled(broker: Broker, redis: aioredis.Redis) -> None:
    mine = definition()
    await schedule(broker, mine, redis=redis)
    dispatched = await broker.dispatch()
    assert (dispatched.due, dispatched.pushed) == (1, 1)
    (job,) = await take(broker)
    assert job.monitor_id == 7
    assert job.slot % 60 == mine.phase_s
    assert 0 <= dispatched.now - job.slot < 60
    assert await redis.zscore("pinguin:schedule", "7") == job.slot + 60
    assert await redis.zcard("pinguin:leases") == 1


async def test_nothing_is_dispatched_before_its_slot(broker: Broker, redis: aioredis.Redis) -> None:
    await schedule(
        broker,
        definition(interval_s=3600, phase_s=(int((await broker.now()).timestamp()) - 5) % 3600),
        due=False,
        redis=redis,
    )
    assert (await broker.dispatch()).due == 0


async def test_slots_have_the_phase_of_the_monitor(broker: Broker, redis: aioredis.Redis) -> None:
    phase_s = (int(time.time()) + 43_200) % 86_400  # half a day from its beginning, and from its end
    await schedule(broker, definition(interval_s=86_400, phase_s=phase_s), redis=redis)
    await broker.dispatch()
    (job,) = await take(broker)
    assert job.slot % 86_400 == phase_s


async def test_schedulers_that_race_push_a_job_once(broker: Broker, redis: aioredis.Redis) -> None:
    await schedule(broker, *[definition(n) for n in range(1, 301)], redis=redis)
    await asyncio.gather(*[broker.dispatch(50) for _ in range(20)])
    jobs = await take(broker, 1000)
    assert len(jobs) == len({job.monitor_id for job in jobs}) == 300


async def test_every_region_gets_its_own_job(broker: Broker, redis: aioredis.Redis) -> None:
    await schedule(broker, definition(regions=["local", "eu-west"]), redis=redis)
    assert (await broker.dispatch()).pushed == 2
    (here,), (there,) = await take(broker), await broker.take("eu-west", 10, 0.05)
    assert (here.slot, here.region, there.region) == (there.slot, "local", "eu-west")


async def test_a_monitor_whose_last_job_is_leased_is_not_pushed_again(broker: Broker, redis: aioredis.Redis) -> None:
    await schedule(broker, definition(), redis=redis)
    await broker.dispatch()
    (job,) = await take(broker)
    await redis.zadd("pinguin:schedule", {"7": 0})
    assert (await broker.dispatch()).pushed == 0
    assert (await broker.counters())["overlapping"] == 1
    await broker.release([job])
    await redis.zadd("pinguin:schedule", {"7": 0})
    assert (await broker.dispatch()).pushed == 1


async def test_slots_missed_in_an_outage_are_counted_and_not_run(broker: Broker, redis: aioredis.Redis) -> None:
    mine = definition()
    await schedule(broker, mine, redis=redis)
    now = int((await broker.now()).timestamp())
    slot = now - (now - mine.phase_s) % 60
    await redis.zadd("pinguin:schedule", {"7": slot - 600})
    await broker.dispatch()
    assert len(await take(broker)) == 1
    assert (await broker.counters())["missed"] == 10


async def test_a_job_older_than_its_interval_is_dropped_and_counted(broker: Broker, redis: aioredis.Redis) -> None:
    await schedule(broker, definition(interval_s=1), redis=redis)
    await broker.dispatch()
    await asyncio.sleep(2.05)
    assert await take(broker) == []
    assert (await broker.counters())["stale"] == 1
    assert await redis.zcard("pinguin:leases") == 0


async def test_a_killed_workers_job_comes_back_once_its_lease_expired(broker: Broker, redis: aioredis.Redis) -> None:
    await schedule(broker, definition(), redis=redis)
    await broker.dispatch()
    (job,) = await take(broker)
    assert await broker.reap() == (0, 0)
    await redis.zadd("pinguin:leases", {"7@local": 1})
    assert await broker.reap() == (1, 1)
    (again,) = await take(broker)
    assert (again.slot, again.attempt) == (job.slot, 2)


async def test_a_worker_that_was_only_slow_does_not_end_the_new_lease(broker: Broker, redis: aioredis.Redis) -> None:
    await schedule(broker, definition(), redis=redis)
    await broker.dispatch()
    (slow,) = await take(broker)
    await redis.zadd("pinguin:leases", {"7@local": 1})
    await broker.reap()
    (again,) = await take(broker)
    await broker.release([slow])
    assert await redis.zcard("pinguin:leases") == 1
    await broker.release([again])
    assert await redis.zcard("pinguin:leases") == 0


async def test_a_job_lost_between_brpop_and_take_comes_back(broker: Broker, redis: aioredis.Redis) -> None:
    await schedule(broker, definition(), redis=redis)
    await broker.dispatch()
    assert await redis.brpop(["pinguin:queue:local"], timeout=1)  # and the worker dies
    await redis.zadd("pinguin:leases", {"7@local": 1})
    assert await broker.reap() == (1, 1)
    assert len(await take(broker)) == 1


async def test_a_queue_without_workers_does_not_grow(broker: Broker, redis: aioredis.Redis) -> None:
    await schedule(broker, definition(), redis=redis)
    for _ in range(5):
        await redis.zadd("pinguin:schedule", {"7": 0})
        await broker.dispatch()
        await redis.zadd("pinguin:leases", {"7@local": 1})
        await broker.reap()
    assert await redis.llen("pinguin:queue:local") == 1


async def test_a_job_of_an_older_version_is_not_run(broker: Broker, redis: aioredis.Redis) -> None:
    """TRAP 8."""
    await schedule(broker, definition(), redis=redis)
    await broker.dispatch()
    await schedule(broker, definition(version=2), due=False, redis=redis)
    assert await take(broker) == []
    assert await redis.zcard("pinguin:leases") == 0


async def test_a_monitor_deleted_in_mid_dispatch_leaves_no_key_and_stays_deleted(
    broker: Broker, redis: aioredis.Redis
) -> None:
    """TRAP 17."""
    await schedule(broker, definition(), redis=redis)
    await broker.dispatch()
    token = await broker.leader()
    assert token
    await broker.define(token, [], [7], soon=True)
    await redis.zadd("pinguin:schedule", {"7": 0})  # a dispatch that lost the race
    await broker.dispatch()
    assert await take(broker) == []
    await redis.zadd("pinguin:leases", {"7@local": 1})
    await broker.reap()
    left = set(await redis.keys()) - {"pinguin:leader", "pinguin:epoch", "pinguin:counters"}
    assert left == set()


async def test_a_former_leader_writes_nothing(broker: Broker, redis: aioredis.Redis) -> None:
    first = await broker.lead("first", 60)
    assert first
    assert await broker.lead("second", 60) is None
    await broker.resign(first)
    second = await broker.lead("second", 60)
    assert second
    assert int(second.split(":")[0]) > int(first.split(":")[0])
    assert not await broker.define(first, [definition()], [], soon=False)
    assert not await broker.renew(first, 60)
    assert await broker.definitions() == {}
    await broker.resign(first)
    assert await broker.leader() == second


async def test_a_changed_monitor_is_checked_at_once(broker: Broker, redis: aioredis.Redis) -> None:
    token = await broker.lead("test", 60)
    assert token
    mine = definition(interval_s=3600)
    before = int((await broker.now()).timestamp())
    await broker.define(token, [mine], [], soon=True)
    after = int((await broker.now()).timestamp())
    (job,) = await take(broker)
    assert before < job.slot <= after + 1
    await broker.define(token, [mine], [], soon=True)
    assert await take(broker) == []  # nothing changed


async def test_check_now_asks_once(broker: Broker, redis: aioredis.Redis) -> None:
    assert await broker.check_now(7) is None
    await schedule(broker, definition(), due=False, redis=redis)
    assert await broker.check_now(7) is True
    assert await broker.check_now(7) is False
    assert len(await take(broker)) == 1


async def test_ten_thousand_due_monitors_are_all_pushed(broker: Broker, redis: aioredis.Redis) -> None:
    await schedule(broker, *[definition(n) for n in range(1, 10_001)], redis=redis)
    pushed = 0
    while (dispatched := await broker.dispatch(1000)).due:
        pushed += dispatched.pushed
    assert pushed == 10_000


async def test_equal_intervals_make_a_flat_load() -> None:
    """TRAP 13: the phases that SQL computes are tested in tests/store; this is the same arithmetic."""
    phases = Counter((((n * 2654435761) % 2**32) * 60) >> 32 for n in range(1, 1001))
    assert max(phases.values()) / (1000 / 60) <= 1.3


async def test_events_reach_a_subscriber(broker: Broker) -> None:
    async with broker.subscribe() as events:
        await broker.announce_change([1, 2])
        assert await events.next(60) == Event("changed", [1, 2])
        await broker.announce_results([3])
        assert await events.next(60) == Event("result", [3])
        assert await events.next(0.05) is None


async def test_a_check_out_of_turn_has_a_slot_that_no_result_can_have_yet(
    broker: Broker, redis: aioredis.Redis
) -> None:
    """Also where the next second is a regular slot: whatever the phase, each is asked at once."""
    token = await broker.lead("test", 60)
    assert token
    before = int((await broker.now()).timestamp())
    await broker.define(token, [definition(n, phase_s=n - 1) for n in range(1, 61)], [], soon=True)
    jobs = await take(broker, 100)
    after = int((await broker.now()).timestamp())
    assert len(jobs) == 60
    assert all(before < job.slot <= after + 1 for job in jobs)


async def test_a_clock_that_is_set_back_silences_nobody(broker: Broker, redis: aioredis.Redis) -> None:
    await schedule(broker, definition(), redis=redis)
    await broker.dispatch()
    ahead = (await broker.now()).timestamp() + 3600
    await redis.zadd("pinguin:schedule", {"7": ahead})
    await redis.zadd("pinguin:leases", {"7@local": ahead * 1000})
    assert await broker.definitions() == {}
    await schedule(broker, definition(), due=False, redis=redis)
    assert (await redis.zscore("pinguin:schedule", "7") or 0) <= ahead - 3600 + 61
    await broker.reap()
    await asyncio.sleep(0.01)
    await broker.reap()
    assert (await redis.zscore("pinguin:leases", "7@local") or 0) < ahead * 1000 - 3_000_000


async def test_an_event_that_is_not_understood_is_passed_over(broker: Broker, redis: aioredis.Redis) -> None:
    async with broker.subscribe() as events:
        await redis.publish("pinguin:events", '{"kind": "later", "planets": [1]}')
        assert await events.next(60) is None
        await broker.announce_change([1])
        assert await events.next(60) == Event("changed", [1])


async def test_a_redis_that_refuses_is_unavailable(broker: Broker, redis: aioredis.Redis) -> None:
    """Full, read-only, or loading: it is waited out like one that is away."""
    before = str((await redis.config_get("maxmemory"))["maxmemory"])
    await redis.config_set("maxmemory", "1")
    try:
        with pytest.raises(Unavailable, match="Redis refuses"):
            await broker.backlog.results.keep([(True, 0, "x" * 1000)], 1000)
    finally:
        await redis.config_set("maxmemory", before)
    assert await broker.backlog.results.count() == 0


async def test_an_absent_redis_is_unavailable() -> None:
    async with Broker.connect("redis://127.0.0.1:1/0") as absent:
        with pytest.raises(Unavailable):
            await absent.dispatch()
        with pytest.raises(Unavailable):
            async with absent.subscribe():
                pass
