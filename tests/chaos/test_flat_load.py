"""Load is flat by construction: over a minute in SQL, and second by second at the target. TRAP 13."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator

import pytest

from pinguin.db import Pool
from tests.chaos.system import System, kill, running
from tests.data_folder import data_folder
from tests.factory import fetch

MONITORS, INTERVAL_S = 300, 2
PEAK_TO_MEAN = 1.3


async def test_a_thousand_monitors_of_one_minute_are_due_at_different_seconds(pool: Pool) -> None:
    sql = """
    select max(due) / avg(due), count(*) from (
      select count(*) as due from generate_series(1, 1000) id group by slot_phase(id, 60)) seconds
    """
    ((peak, seconds),) = await fetch(pool, sql)
    assert seconds == 60
    assert peak <= PEAK_TO_MEAN


@pytest.fixture(scope="module")
async def flat(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[System]:
    async with running(await data_folder(tmp_path_factory, "flat"), [(INTERVAL_S, MONITORS)]) as started:
        yield started


async def peak_to_mean(system: System, seconds: int) -> float:
    """Of the slots that were dispatched in the next seconds."""
    start = int(time.time()) + 1
    await asyncio.sleep(seconds + 2)
    sql = (
        "select extract(epoch from scheduled_at)::bigint, count(*) from results "
        "where scheduled_at >= to_timestamp(%s) and scheduled_at < to_timestamp(%s) group by 1"
    )
    counts = Counter(dict(await system.ask(sql, (start, start + seconds))))
    return max(counts.values()) / (sum(counts.values()) / seconds)


@pytest.mark.parametrize("before", ["nothing", "restart", "flush"])
async def test_no_second_has_much_more_than_its_share(flat: System, before: str) -> None:
    if before == "restart":
        for name in ("scheduler-1", "scheduler-2"):
            await kill(flat.children[name])
    if before == "flush":
        await flat.redis.flushall()
    if before != "nothing":
        await asyncio.sleep(4)
    assert await peak_to_mean(flat, 6) <= PEAK_TO_MEAN
