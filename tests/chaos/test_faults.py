"""The load of real processes is flat; and the short form of `make chaos`: nothing lost, doubled, or falsely told."""

from __future__ import annotations

import asyncio

import pytest

from tests.chaos.account import table, trial
from tests.chaos.faults import FAULTS, Fault
from tests.chaos.flat import PEAK_TO_MEAN, peak_to_mean
from tests.chaos.system import System, kill

SHORT = (
    "leader: SIGSTOP",
    "worker: kill -9",
    "valkey: flushed",
    "database: SIGSTOP",
    "target: cut",
)


@pytest.mark.parametrize("before", ["nothing", "restart", "flush"])
async def test_no_second_has_much_more_than_its_share(system: System, before: str) -> None:
    """TRAP 13"""
    if before == "restart":
        for name in ("scheduler-1", "scheduler-2"):
            await kill(system.children[name])
    if before == "flush":
        await system.redis.flushall()
    if before != "nothing":
        await asyncio.sleep(4)
    assert await peak_to_mean(system, 4) <= PEAK_TO_MEAN


@pytest.mark.parametrize("fault", [each for each in FAULTS if each.name in SHORT], ids=lambda fault: fault.name)
async def test_no_check_is_lost_doubled_or_silent(system: System, fault: Fault) -> None:
    result = await trial(system, fault, fault.short_s, lead_s=1, tail_s=2)
    print(*table([result]), sep="\n")
    assert result.account.expected > 0
    assert result.complaints == []


def test_the_short_form_names_faults_that_there_are() -> None:
    assert set(SHORT) <= {fault.name for fault in FAULTS}
