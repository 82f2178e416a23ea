"""Data folders for stacks of the tests' own."""

from __future__ import annotations

import asyncio
import fcntl
import os
import shutil
from pathlib import Path

import pytest

from pinguin.embedded.stack import EmbeddedStack


async def data_folder(paths: pytest.TempPathFactory, name: str) -> Path:
    """A folder with an empty database in it: a copy, where making one takes seven seconds of CPU."""
    folder = paths.mktemp(name)
    empty = await _empty_database(_of_the_run(paths))
    await asyncio.to_thread(shutil.copytree, empty, folder / "database")
    return folder


def _of_the_run(paths: pytest.TempPathFactory) -> Path:
    """Shared by all test processes of one run: xdist gives each of them a folder below it."""
    base = paths.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


async def _empty_database(shared: Path) -> Path:
    """Made by whoever comes first, while the others wait."""
    made, making = shared / "empty-database", shared / "first-stack"
    with (shared / "empty-database.lock").open("w") as lock:
        await asyncio.to_thread(fcntl.flock, lock, fcntl.LOCK_EX)
        if not made.exists():
            async with EmbeddedStack(making):
                pass
            (making / "database").rename(made)
    return made
