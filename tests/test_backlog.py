"""What waits in Redis for Postgres: results in the order of their slots, pings in the order in which they came."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import redis.asyncio as aioredis
from prometheus_client import CollectorRegistry, generate_latest

from pinguin.broker import Broker
from pinguin.broker.backlog import KeptPings, SpilledResults
from pinguin.metrics import PipelineMetrics

Entry = tuple[bool, int, str]


def results(*slots: int, healthy: bool = True) -> list[Entry]:
    return [(healthy, slot, f"slot {slot}") for slot in slots]


async def texts(spilled: SpilledResults) -> list[str]:
    return [text for text, _ in await spilled.peek(100)]


async def test_results_wait_in_the_order_of_their_slots_and_are_forgotten_by_number(broker: Broker) -> None:
    spilled = broker.backlog.results
    assert await spilled.keep(results(180, 60, 120), 10) == 0
    assert await texts(spilled) == ["slot 60", "slot 120", "slot 180"]
    (_, first), (_, second) = await spilled.peek(2)
    assert await spilled.forget([first, second]) == 1
    assert await texts(spilled) == ["slot 180"]
    assert await spilled.forget([first]) == 1  # somebody has done so before
    assert await spilled.count() == 1


async def test_results_of_one_slot_keep_the_order_in_which_they_came_also_when_they_come_twice(broker: Broker) -> None:
    spilled = broker.backlog.results
    batch: list[Entry] = [(True, 60, text) for text in ("one", "two", "three")]
    for _ in range(2):
        assert await spilled.keep(batch, 10) == 0
    assert await texts(spilled) == ["one", "two", "three"]
    assert (await broker.counters())["spilled"] == 3


async def test_past_the_limit_healthy_ones_go_first_and_the_loss_is_told_once(broker: Broker) -> None:
    spilled = broker.backlog.results
    assert await spilled.keep(results(60, healthy=False) + results(120, 180, 240), 3) == 1
    assert await texts(spilled) == ["slot 60", "slot 180", "slot 240"]
    assert await spilled.keep(results(300, 360, 420, healthy=False), 3) == 3
    assert await texts(spilled) == ["slot 300", "slot 360", "slot 420"]
    assert await spilled.untold_loss() == 4
    await spilled.tell_loss(3)
    assert await spilled.untold_loss() == 1
    counters = await broker.counters()
    assert (counters["spilled"], counters["lost"]) == (7, 4)


async def test_the_oldest_slot_is_seen_and_an_emptied_redis_noticed(broker: Broker, redis: aioredis.Redis) -> None:
    since, oldest = await broker.backlog.look()
    assert oldest is None
    await broker.backlog.results.keep(results(120, 60), 10)
    assert await broker.backlog.look() == (since, 60)
    await redis.flushall()
    another, oldest = await broker.backlog.look()
    assert another != since
    assert oldest is None


async def test_pings_wait_in_the_order_in_which_they_came(broker: Broker) -> None:
    pings, began = broker.backlog.pings, await broker.now()
    for text in ("b", "a:c", "a"):
        assert await pings.keep(text, 3)
    assert not await pings.keep("one too many", 3)
    assert await pings.count() == 3
    kept = await pings.peek(100)
    assert [text for _, text, _ in kept] == ["b", "a:c", "a"]
    times = [at for at, _, _ in kept]
    assert times == sorted(times)
    assert began - timedelta(milliseconds=1) <= times[0]
    assert times[-1] <= await broker.now()
    assert [text for _, text, _ in await pings.peek(2)] == ["b", "a:c"]


async def test_metrics_tell_how_many_of_both_wait(broker: Broker) -> None:
    await broker.backlog.results.keep(results(60, 120), 10)
    await broker.backlog.pings.keep("one", 10)
    registry = CollectorRegistry()
    await PipelineMetrics(registry, broker).refresh()
    told = generate_latest(registry).decode().splitlines()
    assert {"pinguin_spilled_results 2.0", "pinguin_kept_pings 1.0"} <= set(told)


async def test_pings_are_forgotten_from_the_front_alone(broker: Broker) -> None:
    """Whoever was too slow takes nothing away that another has not written."""
    pings = broker.backlog.pings
    for text in ("one", "two", "three"):
        await pings.keep(text, 10)
    entries = [entry for _, _, entry in await pings.peek(3)]
    await pings.forget(entries[:1])
    await pings.forget(entries[:1])
    await pings.forget(entries[2:])
    assert [text for _, text, _ in await pings.peek(3)] == ["two", "three"]


async def test_what_nobody_can_read_is_kept_for_people_the_last_thousand_of_it(
    broker: Broker, redis: aioredis.Redis
) -> None:
    await redis.lpush("pinguin:spill:aside", *map(str, range(1000)))
    await broker.backlog.set_aside("{")
    assert await redis.llen("pinguin:spill:aside") == 1000
    assert await redis.lrange("pinguin:spill:aside", 0, 1) == ["{", "999"]


async def test_one_drains_at_a_time_and_for_as_long_as_it_likes(broker: Broker) -> None:
    """Results and pings each have their own."""
    waiting: tuple[SpilledResults, KeptPings] = broker.backlog.results, broker.backlog.pings
    for each in waiting:
        assert await each.may_drain("a", 0.5)
        assert await each.may_drain("a", 60)
    await asyncio.sleep(0.6)
    for each in waiting:
        assert not await each.may_drain("b", 60)
        assert await each.may_drain("a", 0.4)
    await asyncio.sleep(0.5)
    for each in waiting:
        assert await each.may_drain("b", 60)
