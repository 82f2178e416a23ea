"""Timers that checks share, and what the runner makes of them."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import AsyncIterator, Iterator
from time import monotonic
from typing import Any

import pytest

from pinguin.checks.contract import CheckOptions, CheckType, Context, Outcome, Resources
from pinguin.checks.engine.deadlines import GRAIN_S, Deadlines
from pinguin.checks.runner import run
from pinguin.errors import CheckFailed


@pytest.fixture
async def deadlines() -> AsyncIterator[Deadlines]:
    made = Deadlines()
    yield made
    made.close()


async def test_each_comes_after_its_time_in_order(deadlines: Deadlines) -> None:
    rang: list[tuple[float, float]] = []
    for seconds in (0.3, 0.0, 0.1, 0.2):
        due = monotonic() + seconds
        deadlines.call_later(seconds, lambda due=due: rang.append((due, monotonic())))  # type: ignore[misc]
    async with asyncio.timeout(60):
        while len(rang) < 4:
            await asyncio.sleep(0.01)
    assert rang == sorted(rang)
    assert all(at >= due - 0.002 for due, at in rang)  # the loops count in whole milliseconds


async def test_what_is_cancelled_does_not_come_and_the_others_of_its_timer_do(deadlines: Deadlines) -> None:
    rang: list[int] = []
    made = [deadlines.call_later(0.05, lambda number=number: rang.append(number)) for number in range(100)]  # type: ignore[misc]
    for deadline in made[::2]:
        deadline.cancel()
        deadline.cancel()
    async with asyncio.timeout(60):
        while len(rang) < 50:
            await asyncio.sleep(0.01)
    await asyncio.sleep(2 * GRAIN_S)
    assert sorted(rang) == list(range(1, 100, 2))
    made[1].cancel()  # which has been


async def test_a_thousand_at_once_are_few_timers_of_the_loop(deadlines: Deadlines) -> None:
    for _ in range(1000):
        deadlines.call_later(5, lambda: None)
    assert len(deadlines._due) < 50
    deadlines.close()
    assert not deadlines._due


class Options(CheckOptions, frozen=True):
    def target(self) -> str:
        return "here"


async def test_who_is_told_to_end_while_its_time_runs_out_ends() -> None:
    """Both cancel the same task before it runs again: the timeout must not swallow the other one."""
    resources = Resources()

    async def check(options: Any, context: Context) -> Outcome:
        await asyncio.sleep(3600)
        raise AssertionError

    task = asyncio.create_task(run(CheckType("fake", "Fake", Options, check, ""), Options(), 0.05, resources))
    await asyncio.sleep(0)
    ring = next(iter(next(iter(resources.get(Deadlines)._due.values()))[1]))
    ring.callback()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    resources.close()


@pytest.fixture
def no_collector() -> Iterator[None]:
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("no_collector")
@pytest.mark.parametrize("seconds", [0.0, 3600.0])
@pytest.mark.parametrize("fails", [False, True])
async def test_nothing_of_a_check_waits_for_the_collector(seconds: float, fails: bool) -> None:
    resources = Resources()

    async def check(options: Any, context: Context) -> Outcome:
        await asyncio.sleep(seconds)
        if fails:
            raise CheckFailed("status", "answered 503")
        return Outcome(1)

    task = asyncio.create_task(run(CheckType("fake", "Fake", Options, check, ""), Options(), 0.05, resources))
    await task
    ended = weakref.ref(task)
    del task
    await asyncio.sleep(0)
    assert ended() is None
    resources.close()
