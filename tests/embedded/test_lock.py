"""The lock of a folder: one holder, also when the file is removed in between, and after a crash."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pinguin.embedded.lock import FolderLock, holder
from pinguin.errors import PinguinError


def test_the_second_is_told_who_is_first(tmp_path: Path) -> None:
    lock = FolderLock(tmp_path)
    with pytest.raises(PinguinError, match=f"{tmp_path}: .*process {os.getpid()}"):
        FolderLock(tmp_path)
    assert holder(tmp_path) == os.getpid()
    lock.release()
    FolderLock(tmp_path).release()
    assert holder(tmp_path) == 0
    assert list(tmp_path.iterdir()) == []


def test_a_lock_whose_holder_is_gone_is_free(tmp_path: Path) -> None:
    (tmp_path / "lock").write_text("1")  # a pid that lives, but no flock
    assert holder(tmp_path) == 0
    FolderLock(tmp_path).release()


def test_what_inherited_the_lock_holds_it_after_its_owner(tmp_path: Path) -> None:
    lock = FolderLock(tmp_path)
    child = subprocess.Popen(["sleep", "0.4"], pass_fds=(lock.fd,))
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    os.pwrite(lock.fd, f"{dead.pid:<20}".encode(), 0)
    os.close(lock.fd)
    with pytest.raises(PinguinError, match="another Pinguin"):
        FolderLock(tmp_path, patience=0.1)
    FolderLock(tmp_path, patience=5).release()
    assert child.wait() == 0
