"""The whole hundred is `python -m tests.chaos.senders`."""

from __future__ import annotations

from pinguin.db import Pool
from tests.chaos.senders import kill_senders
from tests.conftest import Services


async def test_a_sender_killed_at_any_moment_loses_nothing_and_doubles_once_at_most(
    stack: Services, pool: Pool
) -> None:
    """TRAP 6"""
    tally = await kill_senders(stack.database_url, pool, 6)
    assert not tally.complaints()
    assert sum(times.total() for times in tally.came.values()) == 6
