"""Processes of the tests, by pid and never by name."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path

from pinguin.embedded.supervisor import Child


def is_running(pid: int) -> bool:
    """A zombie is not: in a container without an init nobody reaps the orphans."""
    stat = Path(f"/proc/{pid}/stat")
    try:
        os.kill(pid, 0)
        return not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False


def kill(pid: int | None) -> None:
    assert pid is not None
    os.kill(pid, signal.SIGKILL)


async def started_again(child: Child, restarts: int, answers: Callable[[], Awaitable[bool]]) -> None:
    """A process that was killed may accept a last connection: first it must be another one."""
    await until(lambda: child.restarts >= restarts)
    await until(answers)


async def until(true: Callable[[], bool] | Callable[[], Awaitable[bool]], timeout: float = 30) -> None:
    async with asyncio.timeout(timeout):
        while True:
            found = true()
            if found if isinstance(found, bool) else await found:
                return
            await asyncio.sleep(0.02)
