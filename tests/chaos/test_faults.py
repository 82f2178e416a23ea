"""The short form of `make chaos`: some faults, held for a few seconds; nothing lost, doubled, or falsely told."""

from __future__ import annotations

import pytest

from tests.chaos.account import table, trial
from tests.chaos.faults import FAULTS, Fault
from tests.chaos.system import System

SHORT = (
    "leader: SIGSTOP",
    "worker: kill -9",
    "valkey: flushed",
    "database: SIGSTOP",
    "target: cut",
)


@pytest.mark.parametrize("fault", [each for each in FAULTS if each.name in SHORT], ids=lambda fault: fault.name)
async def test_no_check_is_lost_doubled_or_silent(system: System, fault: Fault) -> None:
    result = await trial(system, fault, fault.short_s, lead_s=2, tail_s=2)
    print(*table([result]), sep="\n")
    assert result.account.expected > 0
    assert result.complaints == []


def test_the_short_form_names_faults_that_there_are() -> None:
    assert set(SHORT) <= {fault.name for fault in FAULTS}
