"""Logs do not fill the disk."""

from __future__ import annotations

import os
from pathlib import Path

from pinguin.embedded.logfile import LogFile


def test_a_large_log_is_put_aside_while_its_writer_goes_on(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "a.log", largest=100)
    with log.open() as fd:
        for turn in (b"1", b"2", b"3"):
            os.write(fd, turn * 101)
            log.rotate_if_large()
        os.write(fd, b"now\n")
    assert (tmp_path / "a.log").read_bytes() == b"now\n"
    assert (tmp_path / "a.log.1").read_bytes() == b"3" * 101
    assert len(list(tmp_path.iterdir())) == 2


def test_a_small_log_stays(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "a.log", largest=100)
    log.rotate_if_large()
    with log.open() as fd:
        os.write(fd, b"x" * 100)
    log.rotate_if_large()
    assert [path.name for path in tmp_path.iterdir()] == ["a.log"]


def test_the_tail(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "a.log")
    log.path.write_text("first\n" + "x" * 3000 + "\nlast\n")
    assert log.tail().endswith("x\nlast")
    assert len(log.tail()) < 2001
