"""End to end, from slot to committed row: the real scheduler and worker on the embedded stack, against a local server.

    python -m bench.pipeline --monitors 1000 10000 --seconds 30 [--assert]

After a warm-up, a window of slots is measured: how many rows it got, how late, and what CPU time and memory each
process took. The server that is checked, and the bench itself, are on the same cores and not counted.
"""

from __future__ import annotations

import argparse
import asyncio
import math
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import psycopg

from bench.bounds import Bound, verdict
from bench.processes import cpu_seconds, memory_mb
from bench.target import ADDRESSES, Target, target
from pinguin.embedded.stack import EmbeddedStack
from pinguin.embedded.supervisor import Child
from pinguin.lifecycle import configure_logs
from pinguin.settings import Settings
from pinguin.setup import prepare_database

MOST_A_SECOND = 500
SHORTEST_INTERVAL_S = 5
PATIENCE_S = 30

MONITORS = """
insert into monitors (name, type, target, options, interval_s, timeout_s)
select 'bench ' || n, 'http', url, jsonb_build_object('url', url), %(interval)s::int, 5
from generate_series(0, %(monitors)s::int - 1) n
cross join lateral (
  select format('http://%%s:%%s/', (%(addresses)s::text[])[1 + n %% %(hosts)s::int], %(port)s::int)) t (url)
"""
WINDOW = """
with expected as materialized (
  select monitor_id, region, scheduled_at from expected_slots(%(start)s, %(end)s)
), found as (
  select e.monitor_id, r.status,
    extract(epoch from r.started_at - r.scheduled_at) * 1000 as started_ms,
    extract(epoch from r.recorded_at - r.scheduled_at) * 1000 as recorded_ms
  from expected e left join results r using (monitor_id, region, scheduled_at)
)
select count(*), count(status), count(*) filter (where status <> 'up'),
  percentile_cont(array[0.5, 0.99, 1]) within group (order by started_ms),
  percentile_cont(array[0.5, 0.99, 1]) within group (order by recorded_ms)
from found
"""


@dataclass(frozen=True, slots=True)
class Lateness:
    """Milliseconds after the slot."""

    p50: float
    p99: float
    worst: float


@dataclass(frozen=True, slots=True)
class Figures:
    """What one window showed. cpu_us is microseconds a check, memory_mb resident memory at the end, by process."""

    monitors: int
    interval_s: int
    seconds: int
    expected: int
    recorded: int
    not_up: int
    doubled: int
    started: Lateness
    committed: Lateness
    cpu_us: Mapping[str, float]
    memory_mb: Mapping[str, float]

    @property
    def missed(self) -> int:
        return self.expected - self.recorded

    @property
    def rate(self) -> float:
        return self.recorded / self.seconds


class Bench:
    """A stack with its monitors, scheduler and worker."""

    def __init__(self, stack: EmbeddedStack, aim: Target, monitors: int) -> None:
        self._stack, self._aim, self.monitors = stack, aim, monitors
        self._children: list[Child] = []
        self.interval_s = max(SHORTEST_INTERVAL_S, math.ceil(monitors / MOST_A_SECOND))
        self._settings = msgspec.structs.replace(
            Settings(), database_url=stack.database_url, redis_url=stack.redis_url, log_level="warning"
        )

    async def run(self, seconds: int) -> Figures:
        await prepare_database(self._settings)
        await self._define_monitors()
        pids = {"database": self._stack.database_child.pid, "redis": self._stack.valkey_child.pid}
        for name in ("scheduler", "worker"):
            child = await self._stack.supervisor.start(
                name, [sys.executable, "-m", "pinguin", name], env=self._settings.environment(), grace=20
            )
            self._children.append(child)
            pids[name] = child.pid
        alive = {name: pid for name, pid in pids.items() if pid is not None}
        await self._warm_up()
        start = await _next_second()
        before = {name: cpu_seconds(pid) for name, pid in alive.items()}
        await asyncio.sleep(start + seconds - time.time())
        spent = {name: cpu_seconds(pid) - before[name] for name, pid in alive.items()}
        memory = {name: memory_mb(pid) for name, pid in alive.items()}
        return await self._figures(start, seconds, spent, memory)

    async def _connect(self) -> psycopg.AsyncConnection:
        return await psycopg.AsyncConnection.connect(self._stack.database_url, autocommit=True)

    async def _define_monitors(self) -> None:
        async with await self._connect() as conn:
            await conn.execute(
                MONITORS,
                {
                    "monitors": self.monitors,
                    "interval": self.interval_s,
                    "addresses": ADDRESSES,
                    "hosts": len(ADDRESSES),
                    "port": self._aim.port,
                },
            )

    async def _warm_up(self) -> None:
        """Every monitor once (so every definition is known), and then two seconds more."""
        deadline = time.monotonic() + 2 * self.interval_s + PATIENCE_S
        while self._aim.served < self.monitors:
            if time.monotonic() > deadline:
                raise SystemExit(f"only {self._aim.served} of {self.monitors} monitors were checked in the warm-up")
            await asyncio.sleep(0.2)
        await asyncio.sleep(2)

    async def _figures(
        self, start: int, seconds: int, spent: Mapping[str, float], memory: Mapping[str, float]
    ) -> Figures:
        await asyncio.sleep(3)  # the last slots of the window come in
        await self._stop_processes()
        async with await self._connect() as conn:
            window = {"start": _timestamp(start), "end": _timestamp(start + seconds)}
            row = await (await conn.execute(WINDOW, window)).fetchone()
            rows = await (await conn.execute("select count(*) from results")).fetchone()
        assert row is not None
        assert rows is not None
        expected, recorded, not_up, started, committed = row
        return Figures(
            monitors=self.monitors,
            interval_s=self.interval_s,
            seconds=seconds,
            expected=expected,
            recorded=recorded,
            not_up=not_up,
            doubled=self._aim.served - rows[0],
            started=Lateness(*map(float, started)),
            committed=Lateness(*map(float, committed)),
            cpu_us={name: 1e6 * cpu / recorded for name, cpu in spent.items()},
            memory_mb=memory,
        )

    async def _stop_processes(self) -> None:
        """So that every check that was asked for is recorded, and rows can be held against requests."""
        for child in self._children:
            await child.stop()


async def _next_second() -> int:
    now = time.time()
    start = math.ceil(now)
    await asyncio.sleep(start - now)
    return start


def _timestamp(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


async def measure(monitors: int, seconds: int) -> Figures:
    """One size, on a fresh stack."""
    with tempfile.TemporaryDirectory(prefix="pinguin-bench-") as folder, target() as aim:
        async with EmbeddedStack(Path(folder)) as stack:
            return await Bench(stack, aim, monitors).run(seconds)


def rows(figures: Figures) -> Iterator[tuple[str, str]]:
    """What the table says, line by line."""
    yield "monitors", f"{figures.monitors:,}"
    yield "interval, s", f"{figures.interval_s}"
    yield "checks a second", f"{figures.rate:.1f}"
    yield "slots missed", f"{figures.missed:,} of {figures.expected:,}"
    yield "checks run twice", f"{figures.doubled:,}"
    yield "results not up", f"{figures.not_up:,}"
    for name, lateness in (("check began", figures.started), ("row written", figures.committed)):
        values = f"{lateness.p50:.0f} / {lateness.p99:.0f} / {lateness.worst:.0f}"
        yield f"{name} after its slot, ms (p50 / p99 / worst)", values
    for name, micros in figures.cpu_us.items():
        yield f"CPU of {name}, µs a check", f"{micros:.0f}"
    yield "CPU of all, µs a check", f"{sum(figures.cpu_us.values()):.0f}"
    for name, megabytes in figures.memory_mb.items():
        yield f"memory of {name}, MB", f"{megabytes:.0f}"


def show(measured: Sequence[Figures]) -> None:
    """One table, a column a size."""
    columns = [list(rows(figures)) for figures in measured]
    print()
    for line in zip(*columns, strict=True):
        print(f"{line[0][0]:<52}" + "".join(f"{value:>20}" for _, value in line))


def bounds(figures: Figures) -> list[Bound]:
    """About twice what two cores show when they have nothing else to do; lateness has more room, for when they have."""
    size = f"{figures.monitors:,} monitors"
    memory = {"worker": 200, "scheduler": 100, "database": 700}
    return [
        Bound(f"{size}: slots missed", figures.missed, 0),
        Bound(f"{size}: checks run twice", figures.doubled, 0),
        Bound(f"{size}: results not up", figures.not_up, 0),
        Bound(f"{size}: check began after its slot, p99", figures.started.p99, 2000, "ms"),
        Bound(f"{size}: row written after its slot, p99", figures.committed.p99, 3000, "ms"),
        Bound(f"{size}: CPU of all a check", sum(figures.cpu_us.values()), 1000, "µs"),
        *(Bound(f"{size}: memory of {name}", figures.memory_mb[name], most, "MB") for name, most in memory.items()),
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--monitors", type=int, nargs="+", default=[1000, 10000], help="how many, for each run")
    parser.add_argument("--seconds", type=int, default=30, help="length of the window that is measured")
    parser.add_argument("--assert", action="store_true", dest="enforced", help="exit 1 where a bound is missed")
    arguments = parser.parse_args()
    configure_logs(Settings(log_level="warning"), "bench")
    measured = []
    for monitors in arguments.monitors:
        print(f"Measuring {monitors:,} monitors …", file=sys.stderr, flush=True)
        measured.append(asyncio.run(measure(monitors, arguments.seconds)))
    show(measured)
    print(f"\nThe machine: {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} over the last minute.")
    return verdict([bound for figures in measured for bound in bounds(figures)], enforced=arguments.enforced)


if __name__ == "__main__":
    sys.exit(main())
