"""Ctrl-C before there is anything to stop: while Python starts, and while it imports."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import pinguin
from tests.ports import free_port


def interrupted(after_s: float, *command: str, **environment: str) -> tuple[int, str]:
    """Exit code and output. The signal is held back until Python is far enough, as scripts/pinguin does."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PINGUIN_")}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        process = subprocess.Popen(
            command, env=clean | environment, text=True, start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    time.sleep(after_s)
    process.send_signal(signal.SIGINT)
    try:
        output, _ = process.communicate(timeout=100)
    finally:
        process.kill()
    return process.returncode, output


@pytest.mark.parametrize("moment", range(14))
def test_ctrl_c_is_answered_without_a_traceback(tmp_path: Path, moment: int) -> None:
    """Whatever it meets: the interpreter, an import, or a start that is under way."""
    data = tmp_path / "data"
    code, output = interrupted(
        moment * 0.08, sys.executable, "-m", "pinguin", "up",
        PINGUIN_DATA_DIR=str(data), PINGUIN_WEB_PORT=str(free_port()),
    )  # fmt: skip
    assert "Traceback" not in output
    assert "Exception ignored" not in output
    assert code in (-signal.SIGINT, 130, 0), output
    assert not (data / "lock").exists()


@pytest.mark.parametrize("command", [["doctor"], ["--help"], ["worker"], ["web"], ["check", "dns", "example.org"]])
def test_every_command_is_ended_by_it_while_it_imports(tmp_path: Path, command: list[str]) -> None:
    code, output = interrupted(0, sys.executable, "-m", "pinguin", *command, PINGUIN_DATA_DIR=str(tmp_path))
    assert (code, output) == (-signal.SIGINT, "")


def test_who_is_started_with_ctrl_c_ignored_goes_on_ignoring_it() -> None:
    """As a shell starts what is in its background."""
    ignored = f"trap '' INT; exec {sys.executable} -m pinguin --version"
    assert interrupted(0, "sh", "-c", ignored) == (0, f"pinguin {pinguin.__version__}\n")
