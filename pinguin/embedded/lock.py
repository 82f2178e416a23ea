"""One stack for one folder."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

from pinguin.errors import PinguinError

PATIENCE = 10.0
"""Seconds to wait for the children of a stack that is gone: they have its lock and are at their last checkpoint."""


class FolderLock:
    """An flock on `<folder>/lock`. The database and Valkey inherit `fd`, so it is free only when they are gone too."""

    def __init__(self, folder: Path, patience: float = PATIENCE) -> None:
        self.path = folder / "lock"
        self.fd = os.open(self.path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            self._acquire(folder, time.monotonic() + patience)
        except BaseException:
            os.close(self.fd)
            raise
        os.ftruncate(self.fd, 0)
        os.pwrite(self.fd, str(os.getpid()).encode(), 0)

    def release(self) -> None:
        self.path.unlink(missing_ok=True)
        os.close(self.fd)

    def _acquire(self, folder: Path, deadline: float) -> None:
        while not self._try():
            owner = self._owner()
            if is_alive(owner) or time.monotonic() > deadline:
                raise PinguinError(
                    f"{folder}: another Pinguin uses this folder (process {owner or 'unknown'}). "
                    "Stop it first, or choose another folder."
                )
            time.sleep(0.05)

    def _try(self) -> bool:
        try:
            fcntl.flock(self.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        # Whoever had it may have removed the file since we opened it: then we hold the lock of a name that is gone.
        fresh = os.open(self.path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        if os.path.sameopenfile(fresh, self.fd):
            os.close(fresh)
            return True
        os.close(self.fd)
        self.fd = fresh
        return self._try()

    def _owner(self) -> int:
        return _noted(self.fd)


def holder(folder: Path) -> int:
    """The process whose stack runs in `folder`, or 0."""
    try:
        fd = os.open(folder / "lock", os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return 0
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        owner = _noted(fd)
        return owner if is_alive(owner) else 0
    finally:
        os.close(fd)
    return 0


def _noted(fd: int) -> int:
    text = os.pread(fd, 20, 0).decode(errors="replace")
    return int(text) if text.isdigit() else 0


def is_alive(pid: int) -> bool:
    if pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
