"""One system under load for all faults of the short form."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator

import pytest

from tests.chaos.system import System, running
from tests.data_folder import data_folder

LOAD = ((1, 100), (2, 200))


@pytest.fixture(scope="module")
async def system(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[System]:
    """Two schedulers, two workers, and monitors that are all up."""
    if sys.platform != "linux":
        pytest.skip("each monitor has an address of its own in 127/8, which only Linux gives away freely")
    async with running(await data_folder(tmp_path_factory, "chaos", migrated=True), LOAD) as started:
        yield started
