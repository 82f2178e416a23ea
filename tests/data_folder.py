"""Data folders for stacks of the tests' own."""

from __future__ import annotations

import asyncio
import fcntl
import os
import shutil
from pathlib import Path

import pytest

from pinguin.db import migrate
from pinguin.embedded.stack import EmbeddedStack

NO_FSYNC = ("--no-fsync",)
"""For databases that are of no use once the tests are over, though the power goes off."""


async def data_folder(paths: pytest.TempPathFactory, name: str, *, migrated: bool = False) -> Path:
    """A folder with an empty database in it, or one with our tables: a copy, where making it takes seconds of CPU."""
    folder = paths.mktemp(name)
    made = await _databases(_of_the_run(paths))
    await asyncio.to_thread(shutil.copytree, made / ("migrated" if migrated else "empty"), folder / "database")
    return folder


def _of_the_run(paths: pytest.TempPathFactory) -> Path:
    """Shared by all test processes of one run: xdist gives each of them a folder below it."""
    base = paths.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


async def _databases(shared: Path) -> Path:
    """A folder with one that is empty and one that is migrated: made by whoever comes first, while the others wait."""
    made, making = shared / "databases", shared / "first-stack"
    with (shared / "databases.lock").open("w") as lock:
        await asyncio.to_thread(fcntl.flock, lock, fcntl.LOCK_EX)
        if not made.exists():
            async with EmbeddedStack(making, database_options=NO_FSYNC):
                pass
            await asyncio.to_thread(shutil.copytree, making / "database", making / "empty")
            async with EmbeddedStack(making, database_options=NO_FSYNC) as stack:
                await migrate(stack.database_url)
            (making / "database").rename(making / "migrated")
            making.rename(made)
    return made
