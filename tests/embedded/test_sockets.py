"""Where the sockets go."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

import pytest

from pinguin.embedded.sockets import DATABASE, LONGEST, socket_folder
from pinguin.errors import PinguinError


def deep(tmp_path: Path) -> Path:
    return tmp_path / ("x" * 150)


def test_beside_the_data(tmp_path: Path) -> None:
    folder = socket_folder(tmp_path)
    assert folder == tmp_path / "sockets"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_long_path_has_a_short_one_of_its_own(tmp_path: Path) -> None:
    one, two = socket_folder(deep(tmp_path)), socket_folder(deep(tmp_path) / "two")
    again = socket_folder(deep(tmp_path))
    try:
        assert one == again != two
        assert len(os.fsencode(one / DATABASE)) <= LONGEST
        assert stat.S_IMODE(one.stat().st_mode) == 0o700
    finally:
        one.rmdir()
        two.rmdir()


def test_a_folder_that_is_open_to_others_is_closed(tmp_path: Path) -> None:
    (tmp_path / "sockets").mkdir(mode=0o755)
    assert stat.S_IMODE(socket_folder(tmp_path).stat().st_mode) == 0o700


def test_a_link_that_somebody_put_there_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    short = socket_folder(deep(tmp_path))
    short.rmdir()
    short.symlink_to(tmp_path)
    try:
        with pytest.raises(PinguinError, match="must be a directory of our own"):
            socket_folder(deep(tmp_path))
    finally:
        short.unlink()
    assert short.parent == Path(tempfile.gettempdir())
