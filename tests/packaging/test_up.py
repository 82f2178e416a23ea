"""`make up` as a person has it: one address, data that last, and nothing left behind."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.packaging.checkout import ROOT

pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.skipif(sys.platform != "linux", reason="what is left behind is read from /proc"),
]


class Run:
    """`make up` on a data folder of its own, in a process group of its own, as a terminal would have it."""

    def __init__(self, data: Path, port: int, output: Path) -> None:
        self.data, self.port, self.output = data, port, output
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("PINGUIN_", "MAKE"))}
        self._environment = {**inherited, "PINGUIN_DATA_DIR": str(data), "PINGUIN_WEB_PORT": str(port)}
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, until: str = "is ready", **variables: str) -> None:
        """Returns when `until` is printed: with "is ready", the address."""
        with self.output.open("wb") as file:
            self._process = subprocess.Popen(
                ["make", "up-embedded"], cwd=ROOT, env=self._environment | variables, stdin=subprocess.DEVNULL,
                stdout=file, stderr=file, start_new_session=True,
            )  # fmt: skip
        while until not in self.said:
            assert self._process.poll() is None, self.said
            time.sleep(0.05)

    def make(self, *arguments: str, said: str = "") -> str:
        """The output of another verb, from another terminal."""
        done = subprocess.run(
            ["make", *arguments], cwd=ROOT, env=self._environment, input=said, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def end(self, number: signal.Signals | None = None, *, group: bool = False) -> None:
        """Send the signal to make alone or to everyone in the terminal, and wait until make is gone."""
        assert self._process is not None
        if number is not None and group:
            os.killpg(self._process.pid, number)
        elif number is not None:
            self._process.send_signal(number)
        self._process.wait(60)

    def kill(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self.end(signal.SIGTERM)

    @property
    def said(self) -> str:
        return self.output.read_text()

    def left_behind(self) -> list[str]:
        """Processes that know our data folder, and locks and sockets in it."""
        needle = f"PINGUIN_DATA_DIR={self.data}".encode()
        processes = [path.parent for path in Path("/proc").glob("[0-9]*/environ") if needle in _read(path)]
        files = [path for path in self.data.rglob("*") if path.is_socket() or path.name == "lock"]
        return [*(_read(path / "cmdline").decode() for path in processes), *map(str, files)]


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""  # gone meanwhile, or not ours


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Run]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    run = Run(tmp_path / "data", port, tmp_path / "output")
    yield run
    run.kill()


def test_a_day_with_make(up: Run) -> None:
    up.start()
    kept = up.data / "setup.token"
    assert kept.stat().st_mode & 0o777 == 0o600
    [first_visit] = re.findall(r"http://\S+", up.said)
    assert first_visit == f"http://127.0.0.1:{up.port}/setup?token={kept.read_text().strip()}"
    assert b"Make the account" in urllib.request.urlopen(first_visit).read()
    assert urllib.request.urlopen(f"http://127.0.0.1:{up.port}/readyz").status == 200
    assert "All is well." in up.make("doctor")
    key = up.data / "secret.key"
    assert key.stat().st_mode & 0o777 == 0o600
    sealed_with = key.read_text()
    up.make("psql", said="create table kept (n integer); insert into kept values (42);")
    up.end(signal.SIGTERM)
    assert up.left_behind() == []

    up.start()
    assert "Installing" not in up.said
    assert key.read_text() == sealed_with
    assert "42" in up.make("psql", said="select n from kept;")
    up.end(signal.SIGINT, group=True)
    assert up.left_behind() == []

    up.start()
    assert "Stopping process" in up.make("down")
    up.end()
    assert up.left_behind() == []

    assert "Nothing was deleted." in up.make("reset", said="n\n")
    assert (up.data / "database").exists()
    assert "Deleted." in up.make("reset", said="y\n")
    assert not up.data.exists()


def test_a_start_that_hangs_is_given_up(up: Run, tmp_path: Path) -> None:
    node = tmp_path / "bin" / "node"
    node.parent.mkdir()
    node.write_text('#!/bin/sh\n[ "$1" != --version ] || { echo v20.0.0; exit; }\nexec sleep 600\n')
    node.chmod(0o755)
    up.start(until="Starting the embedded database", PATH=f"{node.parent}:{os.environ['PATH']}")
    while not (up.data / "logs" / "initialise.log").exists():
        time.sleep(0.05)
    up.end(signal.SIGTERM)
    assert "Stopping …" in up.said
    assert up.left_behind() == []
