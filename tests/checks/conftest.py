from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import pytest
import trustme

from pinguin.checks import check_type
from pinguin.checks.contract import Resources
from pinguin.checks.engine.readiness import readiness
from pinguin.checks.runner import Report, run

Check = Callable[..., Coroutine[Any, Any, Report]]


@pytest.fixture
async def resources() -> AsyncIterator[Resources]:
    made = Resources()
    readiness(made)  # it holds a descriptor of its own from its first use
    yield made
    made.close()


@pytest.fixture
def check(resources: Resources) -> Check:
    """`await check("http", timeout=2, url=…)`: one check, as the worker runs it."""

    async def one(type_name: str, /, timeout: float = 5.0, **options: Any) -> Report:
        kind = check_type(type_name)
        return await run(kind, kind.parse(options), timeout, resources)

    return one


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def descriptors() -> Callable[[], int]:
    """How many file descriptors this process holds."""
    return lambda: len(os.listdir("/proc/self/fd"))


async def gone(descriptors: Callable[[], int], before: int) -> bool:
    """Whether all new descriptors are closed, once the test's own server has had a moment to close its side."""
    for _ in range(50):
        if descriptors() <= before:
            return True
        await asyncio.sleep(0.01)
    return False
