"""Maintenance that somebody starts, extends and ends by hand."""

from __future__ import annotations

from datetime import timedelta

import pytest

from pinguin.db import Pool, connection
from pinguin.errors import InvalidInput
from pinguin.maintenance import Manual
from pinguin.store import maintenance, maintenance_windows
from tests.factory import fetch
from tests.store.planning import HOUR, edit, near, plan, running, weekly, windows


async def test_it_is_started_extended_and_ended_by_hand(pool: Pool) -> None:
    made = await plan(pool, Manual())
    async with connection(pool) as conn:
        for change in (maintenance.end(conn, made), maintenance.extend(conn, made, HOUR)):
            with pytest.raises(InvalidInput, match="does not run"):
                await change
        await maintenance.start(conn, made, 2 * HOUR)
        with pytest.raises(InvalidInput, match="runs already"):
            await maintenance.start(conn, made, HOUR)
        await maintenance.extend(conn, made, HOUR)
        assert await windows(pool) == [near(0, 3)]
        await maintenance.end(conn, made)
    assert await windows(pool) == [near(0, 0)]


async def test_what_runs_by_hand_goes_on_when_the_rule_is_edited(pool: Pool) -> None:
    made = await plan(pool, weekly(48))
    async with connection(pool) as conn:
        await maintenance.start(conn, made, HOUR)
    await edit(pool, made, rule=weekly(72))
    assert (await windows(pool))[0] == near(0, 1)
    await edit(pool, made, enabled=False)
    assert len(await windows(pool)) == 1
    assert (await windows(pool))[0][1] <= 0
    async with connection(pool) as conn:
        with pytest.raises(InvalidInput) as refused:
            await maintenance.start(conn, made, HOUR)
    assert set(refused.value.fields) == {"enabled"}


async def test_a_window_that_was_ended_by_hand_stays_ended(pool: Pool) -> None:
    """The leader plans ahead; it does not put back what somebody took away."""
    made = await plan(pool, running(2))
    async with connection(pool) as conn:
        await maintenance.end(conn, made)
        await fetch(pool, "update maintenances set planned_until = now() returning 1")
        await maintenance_windows.plan(conn, made)
    assert len(await windows(pool)) == 1


@pytest.mark.parametrize("length", [timedelta(0), -HOUR, timedelta(days=15), timedelta(days=10**6)])
async def test_an_odd_length_is_refused(pool: Pool, length: timedelta) -> None:
    made = await plan(pool, Manual())
    async with connection(pool) as conn:
        with pytest.raises(InvalidInput) as refused:
            await maintenance.start(conn, made, length)
    assert set(refused.value.fields) == {"hours"}
