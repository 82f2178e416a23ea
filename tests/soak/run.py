"""A real worker at full rate for a long time, one target in twenty hostile: its memory and its files must stay flat."""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import psycopg

from bench.processes import cpu_seconds, memory_mb
from bench.target import ADDRESSES, Target, target
from pinguin.broker import Broker
from pinguin.embedded.stack import EmbeddedStack
from pinguin.settings import Settings
from pinguin.setup import prepare_database

INTERVAL_S, TIMEOUT_S = 5, 2
HOSTILE_SHARE = 0.05
WARM_UP = 0.25
PATIENCE_S = 90
FEW_FILES = 40
"""Its connections to the database and to Redis, the loop's own, and the like."""
ADD = """
insert into monitors (name, type, target, options, interval_s, timeout_s)
select name, type, 'soak', options, %s, %s
from jsonb_to_recordset(%s::jsonb) as m (name text, type text, options jsonb)
returning id
"""
SEEN = """
select m.name, r.status, coalesce(r.reason, ''), count(*) from results r join monitors m on m.id = r.monitor_id
where r.scheduled_at >= to_timestamp(%s) and r.scheduled_at < to_timestamp(%s) group by 1, 2, 3
"""
EXPECTED = "select count(*) from expected_slots(to_timestamp(%s), to_timestamp(%s))"


@dataclass
class Figures:
    """memory_mb, files: of the worker, a sample a second after the warm-up; at rest: when nothing is checked.

    seen: results by (name, status, reason).
    """

    hostile: set[str]
    seconds: float = 0.0
    expected: int = 0
    seen: dict[tuple[str, str, str], int] = field(default_factory=dict)
    memory_mb: list[float] = field(default_factory=list)
    files: list[int] = field(default_factory=list)
    files_at_rest: int = 0
    cpu_us: float = 0.0

    @property
    def recorded(self) -> int:
        return sum(self.seen.values())

    def results(self, *, hostile: bool, up: bool) -> int:
        """How many of those there were."""
        return sum(
            count
            for (name, status, _), count in self.seen.items()
            if (name in self.hostile) is hostile and (status in ("up", "degraded")) is up
        )


def grown(samples: Sequence[float], of: Callable[[Sequence[float]], float] = statistics.median) -> float:
    """How much more the last third has than the first one, by their medians: single peaks are no growth."""
    third = max(len(samples) // 3, 1)
    return of(samples[-third:]) - of(samples[:third])


async def soak(folder: Path, seconds: float, rate: int, say: Callable[[str], None]) -> Figures:
    """Check for so long, about `rate` times a second."""
    with target() as honest:
        async with _hostile() as monitors, EmbeddedStack(folder) as stack:
            settings = msgspec.structs.replace(
                Settings(), database_url=stack.database_url, redis_url=stack.redis_url, log_level="error"
            )
            await prepare_database(settings)
            await _ask(stack, ADD, INTERVAL_S, TIMEOUT_S, json.dumps(_monitors(monitors, honest, rate * INTERVAL_S)))
            pid = 0
            for name in ("scheduler", "worker"):
                child = await stack.supervisor.start(
                    name, [sys.executable, "-m", "pinguin", name], env=settings.environment(), grace=20
                )
                pid = child.pid or 0
            figures = Figures({str(name) for name, hostile, _, _ in monitors if hostile})
            await _until_all_are_checked(stack)
            await _sample(stack, pid, figures, seconds, say)
            figures.files_at_rest = await _at_rest(stack, settings, pid)
            return figures


@asynccontextmanager
async def _hostile() -> AsyncIterator[list[list[Any]]]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.soak.hostile", stdout=asyncio.subprocess.PIPE, limit=1 << 20
    )
    try:
        assert process.stdout
        yield json.loads(await process.stdout.readline())
    finally:
        process.kill()
        await process.wait()


def _monitors(kinds: list[list[Any]], honest: Target, count: int) -> list[dict[str, Any]]:
    """The hostile ones, in turn, are one in twenty; a few of each honest kind; the others are plain pages."""
    hostile = [kind for kind in kinds if kind[1]]
    chosen = [hostile[number % len(hostile)] for number in range(max(int(count * HOSTILE_SHARE), 1))]
    chosen += [kind for kind in kinds if not kind[1]] * (1 + count // 100)
    plain = count - len(chosen)
    pages = [
        ["honest http", False, "http", {"url": f"http://{ADDRESSES[number % len(ADDRESSES)]}:{honest.port}/"}]
        for number in range(max(plain, 1))
    ]
    return [{"name": name, "type": kind, "options": options} for name, _, kind, options in chosen + pages]


async def _until_all_are_checked(stack: EmbeddedStack) -> None:
    """And their slots are owed."""
    sql = """
    select count(*) from monitors m
    where m.created_at > now() - interval '5 seconds' or not exists (select from results r where r.monitor_id = m.id)
    """
    until = time.monotonic() + PATIENCE_S
    while (await _ask(stack, sql))[0][0]:
        assert time.monotonic() < until, "some monitors are never checked"
        await asyncio.sleep(1)


async def _sample(stack: EmbeddedStack, pid: int, figures: Figures, seconds: float, say: Callable[[str], None]) -> None:
    start = int(time.time()) + 1
    await asyncio.sleep(start - time.time())
    cpu, told = cpu_seconds(pid), time.monotonic()
    while (passed := time.time() - start) < seconds:
        if passed > WARM_UP * seconds:
            figures.memory_mb.append(memory_mb(pid))
            figures.files.append(len(os.listdir(f"/proc/{pid}/fd")))
        if time.monotonic() - told > 60:
            told = time.monotonic()
            say(f"{passed / 60:.0f} min: {memory_mb(pid):.1f} MB, {len(os.listdir(f'/proc/{pid}/fd'))} files")
        await asyncio.sleep(1)
    end = int(time.time())
    cpu = cpu_seconds(pid) - cpu
    await asyncio.sleep(TIMEOUT_S + 3)
    figures.seconds = end - start
    figures.seen = {
        (name, status, reason): count for name, status, reason, count in await _ask(stack, SEEN, start, end)
    }
    figures.expected = (await _ask(stack, EXPECTED, start, end))[0][0]
    figures.cpu_us = 1e6 * cpu / max(figures.recorded, 1)


async def _at_rest(stack: EmbeddedStack, settings: Settings, pid: int) -> int:
    """How many files the worker holds once nothing is left to check: the least within some seconds."""
    ids = await _ask(stack, "update monitors set archived_at = now() returning id")
    async with Broker.connect(settings.redis_url) as broker:
        await broker.announce_change([row[0] for row in ids])
    least = len(os.listdir(f"/proc/{pid}/fd"))
    for _ in range(20):
        await asyncio.sleep(1)
        least = min(least, len(os.listdir(f"/proc/{pid}/fd")))
        if least <= FEW_FILES:
            break
    return least


async def _ask(stack: EmbeddedStack, sql: str, *arguments: Any) -> list[tuple[Any, ...]]:
    async with await psycopg.AsyncConnection.connect(stack.database_url, autocommit=True) as conn:
        return await (await conn.execute(sql, arguments)).fetchall()
