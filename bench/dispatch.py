"""Dispatch alone: how long one tick takes, and what 100,000 monitors cost the scheduler and Valkey.

    python -m bench.dispatch [--assert]

A tick is everything that is due in one second, here 10,000 monitors, by the real Lua. Then the real scheduler
process (the leader's chores included) dispatches 100,000 monitors of one minute, while a consumer in this process takes
and releases the jobs. Of several runs the median counts; the consumer is on the same cores and not counted.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import msgspec
import psycopg
from redis.asyncio import Redis

from bench.bounds import Bound, verdict
from bench.processes import cpu_seconds
from pinguin.broker import Broker
from pinguin.embedded.stack import EmbeddedStack
from pinguin.lifecycle import configure_logs
from pinguin.model import Definition
from pinguin.settings import Settings
from pinguin.setup import prepare_database

LIMIT = 1000
INTERVAL_S = 60
PATIENCE_S = 120

# States and versions are nothing to dispatch: without their trigger it is a matter of seconds.
MONITORS = """
alter table monitors disable trigger after_write;
insert into monitors (name, type, target, options, interval_s, timeout_s)
select 'bench ' || n, 'tcp', 'nowhere', '{}', 60, 60 from generate_series(1, %s) n
"""


@dataclass(frozen=True, slots=True)
class Window:
    """Cores used, and jobs a second, over some seconds. missed: slots that passed before they were dispatched."""

    scheduler: float
    valkey: float
    pushed: float
    missed: int


class Consumer:
    """Takes jobs and releases them, until cancelled."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker

    async def run(self) -> None:
        while True:
            await self.take_some(1)

    async def take_some(self, wait_s: float) -> int:
        jobs = await self._broker.take("local", LIMIT, wait_s)
        await self._broker.release(jobs)
        return len(jobs)


async def ticks(stack: EmbeddedStack, broker: Broker, monitors: int, runs: int) -> list[float]:
    """Milliseconds that each tick took."""
    token = await broker.lead("bench", 600)
    assert token is not None
    ids = range(1, monitors + 1)
    definitions = [Definition(each, 1, 86400, each % 86400, 60, ["local"]) for each in ids]
    assert await broker.define(token, definitions, [], soon=False)
    took = []
    async with Redis.from_url(stack.redis_url, decode_responses=True) as redis:
        for _ in range(runs):
            now, _ = await redis.time()
            await redis.zadd("pinguin:schedule", {str(each): now for each in ids})
            took.append(1000 * await _one_tick(broker, monitors))
            while await Consumer(broker).take_some(0.2):
                pass
        await redis.flushall()
    return took


async def _one_tick(broker: Broker, monitors: int) -> float:
    began, pushed = time.perf_counter(), 0
    while True:
        dispatched = await broker.dispatch(LIMIT)
        pushed += dispatched.pushed
        if dispatched.due < LIMIT:
            assert pushed == monitors, f"{pushed} of {monitors} monitors were dispatched"
            return time.perf_counter() - began


async def windows(stack: EmbeddedStack, broker: Broker, monitors: int, runs: int, seconds: int) -> list[Window]:
    """What the scheduler process and Valkey used, window after window."""
    settings = msgspec.structs.replace(
        Settings(), database_url=stack.database_url, redis_url=stack.redis_url, log_level="warning"
    )
    await prepare_database(settings)
    async with await psycopg.AsyncConnection.connect(stack.database_url, autocommit=True) as conn:
        for statement in MONITORS.split(";"):
            await conn.execute(statement.encode(), (monitors,) if "%s" in statement else None)
    scheduler = await stack.supervisor.start(
        "scheduler", [sys.executable, "-m", "pinguin", "scheduler"], env=settings.environment(), grace=20
    )
    async with _consuming(Consumer(broker)):
        await _all_scheduled(broker, monitors)
        await asyncio.sleep(5)
        assert scheduler.pid is not None
        assert stack.valkey_child.pid is not None
        measured = [await _window(broker, scheduler.pid, stack.valkey_child.pid, seconds) for _ in range(runs)]
    await scheduler.stop()
    return measured


@asynccontextmanager
async def _consuming(consumer: Consumer) -> AsyncIterator[None]:
    task = asyncio.create_task(consumer.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _all_scheduled(broker: Broker, monitors: int) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while (await broker.look(60)).scheduled < monitors:
            await asyncio.sleep(0.5)


async def _window(broker: Broker, scheduler: int, valkey: int, seconds: int) -> Window:
    began = time.perf_counter()
    before, spent = await broker.counters(), (cpu_seconds(scheduler), cpu_seconds(valkey))
    await asyncio.sleep(seconds)
    after, took = await broker.counters(), time.perf_counter() - began
    return Window(
        (cpu_seconds(scheduler) - spent[0]) / took,
        (cpu_seconds(valkey) - spent[1]) / took,
        (after["pushed"] - before["pushed"]) / took,
        sum(after.get(name, 0) - before.get(name, 0) for name in ("missed", "overlapping", "stale")),
    )


async def measure(arguments: argparse.Namespace) -> Sequence[Bound]:
    with tempfile.TemporaryDirectory(prefix="pinguin-bench-") as folder:
        async with EmbeddedStack(Path(folder)) as stack, Broker.connect(stack.redis_url) as broker:
            took = await ticks(stack, broker, arguments.due, 3 * arguments.runs)
            print(f"tick of {arguments.due:,} due monitors, ms: " + ", ".join(f"{each:.0f}" for each in sorted(took)))
            measured = await windows(stack, broker, arguments.monitors, arguments.runs, arguments.seconds)
    for each in measured:
        print(
            f"{arguments.monitors:,} monitors, {arguments.seconds} s: scheduler {each.scheduler:.3f} of a core, "
            f"Valkey {each.valkey:.3f} of a core, {each.pushed:,.0f} jobs a second, {each.missed} not in time"
        )
    size = f"{arguments.monitors:,} monitors"
    return [
        Bound(f"tick of {arguments.due:,} due monitors", median(took), 100, "ms"),
        Bound(f"{size}: CPU of the scheduler", median(each.scheduler for each in measured), 0.5, "cores"),
        Bound(f"{size}: CPU of Valkey", median(each.valkey for each in measured), 0.5, "cores"),
        Bound(
            f"{size}: jobs a second",
            median(each.pushed for each in measured),
            0.97 * arguments.monitors / INTERVAL_S,
            at_least=True,
        ),
        Bound(f"{size}: slots not dispatched in time", sum(each.missed for each in measured), 0),
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--due", type=int, default=10_000, help="monitors that are due in one tick")
    parser.add_argument("--monitors", type=int, default=100_000, help="monitors of one minute")
    parser.add_argument("--seconds", type=int, default=20, help="length of each window that is measured")
    parser.add_argument("--runs", type=int, default=3, help="windows; three times as many ticks")
    parser.add_argument("--assert", action="store_true", dest="enforced", help="exit 1 where a bound is missed")
    arguments = parser.parse_args()
    configure_logs(Settings(log_level="warning"), "bench")
    bounds = asyncio.run(measure(arguments))
    print(f"\nThe machine: {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} over the last minute.")
    return verdict(bounds, enforced=arguments.enforced)


if __name__ == "__main__":
    sys.exit(main())
