"""Starting a process that does not outlive us, and the words for how it ended."""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence

PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


class Lifeline:
    """A pipe that nobody writes to: its reading end is the stdin of every child, and ends when we do, however we do."""

    def __init__(self) -> None:
        self.reader, self._writer = os.pipe()

    def cut(self) -> None:
        os.close(self._writer)
        os.close(self.reader)


def _die_with(parent: int) -> Callable[[], None]:
    """For Linux. The signal follows the starting *thread*, so start children from the main one."""

    def prepare() -> None:
        _libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:  # it died before the line above
            os._exit(1)

    return prepare


async def spawn(
    argv: Sequence[str], *, env: Mapping[str, str], stdin: int, output: int | None, pass_fds: Sequence[int]
) -> asyncio.subprocess.Process:
    """`env` is added to ours. `output` None: the child writes where we write.

    A session of its own, so that Ctrl-C in the terminal reaches us alone and we end the children in order.
    """
    return await asyncio.create_subprocess_exec(
        *argv,
        env={**os.environ, **env},
        stdin=stdin,
        stdout=output,
        stderr=output,
        pass_fds=pass_fds,
        start_new_session=True,
        preexec_fn=_die_with(os.getpid()) if sys.platform == "linux" else None,
    )


def ending(returncode: int) -> dict[str, int | str]:
    """A return code of Python's as log fields: {"exit_code": 70} or {"signal": "SIGKILL"}."""
    if returncode >= 0:
        return {"exit_code": returncode}
    try:
        return {"signal": signal.Signals(-returncode).name}
    except ValueError:
        return {"signal": str(-returncode)}
