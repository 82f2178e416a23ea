from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from typing import Any

import pytest
import trustme

from pinguin.checks import check_type
from pinguin.checks.contract import Resources
from pinguin.checks.engine.readiness import readiness
from pinguin.checks.runner import Report, run
from tests.turns import turning

Check = Callable[..., Coroutine[Any, Any, Report]]


@pytest.fixture
async def resources() -> AsyncIterator[Resources]:
    made = Resources()
    readiness(made)  # it holds a descriptor of its own from its first use
    yield made
    made.close()


@pytest.fixture
async def check(resources: Resources) -> AsyncIterator[Check]:
    """`await check("http", timeout=2, url=…)`: one check, as the worker runs it.

    A check that lost much of its timeout to something else on this machine is made again. The default is a timeout
    that only a target that never answers can reach.
    """
    async with turning() as turns:

        async def one(type_name: str, /, timeout: float = 60.0, **options: Any) -> Report:
            kind = check_type(type_name)
            parsed = kind.parse(options)
            return await turns.undisturbed(lambda: run(kind, parsed, timeout, resources), timeout)

        yield one


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def descriptors() -> Callable[[], int]:
    """How many file descriptors this process holds."""
    return lambda: len(os.listdir("/proc/self/fd"))


async def cancelled(calls: Sequence[Coroutine[Any, Any, Report]], descriptors: Callable[[], int]) -> None:
    """Begin them all, and cancel them once that many descriptors are open, those of a server here among them."""
    before = descriptors()
    tasks = [asyncio.create_task(call) for call in calls]
    async with asyncio.timeout(60):
        while descriptors() < before + len(tasks):
            await asyncio.sleep(0.01)
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)


async def gone(descriptors: Callable[[], int], before: int) -> bool:
    """Whether all new descriptors are closed, once the test's own server has had a moment to close its side."""
    for _ in range(1000):
        if descriptors() <= before:
            return True
        await asyncio.sleep(0.01)
    return False
