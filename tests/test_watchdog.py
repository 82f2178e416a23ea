"""The watchdog, in processes that really hang; and what systemd is told, on a real socket."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median

import pytest

from pinguin.notify import Notifier
from pinguin.watchdog import EXIT_CODE, alive

SCRIPT = """
import asyncio, re, sys, time
from pinguin.watchdog import alive

def sleep_for_ever():
    time.sleep(600)

def hold_the_lock():
    re.match(r"(a+)+$", "a" * 60 + "b")

async def main():
    hang = sys.argv[2]
    async with alive(float(sys.argv[1]), asyncio.Event(), lambda: "fine"):
        print("lives", flush=True)
        await asyncio.sleep(0.7)
        if hang != "nothing":
            globals()[hang]()
        while True:
            print("lives", flush=True)
            await asyncio.sleep(0.1)

asyncio.run(main())
"""


def start(patience_s: float, hang: str) -> subprocess.Popen[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("NOTIFY", "WATCHDOG"))}
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(patience_s), hang],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "lives\n"
    return process


@dataclass
class End:
    """How a process ended. seconds: after it had said that it lives."""

    code: int
    words: str
    seconds: float


def read_until_its_end(process: subprocess.Popen[str]) -> End:
    began = time.monotonic()
    _, words = process.communicate(timeout=60)
    return End(process.returncode, words, time.monotonic() - began)


def unread_until_its_end(process: subprocess.Popen[str]) -> End:
    assert process.stderr is not None
    # Fill the pipe through our own descriptor of the same pipe.
    filler = os.open(f"/proc/{process.pid}/fd/2", os.O_WRONLY | os.O_NONBLOCK)
    with suppress(BlockingIOError):
        while True:
            os.write(filler, b"x" * 4096)
    os.close(filler)
    began = time.monotonic()
    code = process.wait(60)
    process.communicate()
    return End(code, "", time.monotonic() - began)


@dataclass
class Hanging:
    """Processes that hang, all at the same time; how each will have ended."""

    asleep: Future[End]
    locked: Future[End]
    unread: Future[End]
    switched_off: subprocess.Popen[str]
    began: float


@pytest.fixture(scope="module")
def hanging() -> Iterator[Hanging]:
    switched_off = start(0, "sleep_for_ever")
    with ThreadPoolExecutor() as threads:
        yield Hanging(
            threads.submit(read_until_its_end, start(2, "sleep_for_ever")),
            threads.submit(read_until_its_end, start(2, "hold_the_lock")),
            threads.submit(unread_until_its_end, start(1, "sleep_for_ever")),
            switched_off,
            time.monotonic(),
        )
    switched_off.kill()
    switched_off.communicate()


def test_a_process_that_was_stopped_and_goes_on_is_left_alone(hanging: Hanging) -> None:
    """It takes the longest, so the others hang meanwhile."""
    process = start(1.5, "nothing")
    assert process.stdout is not None
    try:
        for _ in range(2):
            os.kill(process.pid, signal.SIGSTOP)
            time.sleep(2.5)
            os.kill(process.pid, signal.SIGCONT)
            until = time.monotonic() + 2.5
            while time.monotonic() < until:
                assert process.stdout.readline() == "lives\n"
    finally:
        process.kill()
        process.communicate()


def test_a_loop_that_hangs_ends_the_process_with_its_stacks(hanging: Hanging) -> None:
    end = hanging.asleep.result()
    assert end.code == EXIT_CODE
    assert 1.5 < end.seconds < 10
    assert '"event": "event_loop_frozen"' in end.words
    assert "in sleep_for_ever" in end.words


def test_so_does_one_that_holds_the_interpreters_lock(hanging: Hanging) -> None:
    """Python's regular expressions do not let other threads run."""
    end = hanging.locked.result()
    assert end.code == -signal.SIGPROF
    assert "in hold_the_lock" in end.words


def test_one_whose_standard_error_nobody_reads_ends_all_the_same(hanging: Hanging) -> None:
    assert hanging.unread.result().code == EXIT_CODE


def test_one_that_is_switched_off_lets_it_hang(hanging: Hanging) -> None:
    with pytest.raises(subprocess.TimeoutExpired):
        hanging.switched_off.wait(max(0, hanging.began + 4 - time.monotonic()))


# -- systemd


@pytest.fixture
def systemd(tmp_path: Path) -> socket.socket:
    heard = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    heard.bind(str(tmp_path / "notify"))
    heard.settimeout(5)
    return heard


def heard_so_far(systemd: socket.socket) -> list[str]:
    systemd.setblocking(False)
    messages = []
    while True:
        try:
            messages.append(systemd.recv(4096).decode())
        except BlockingIOError:
            return messages


async def heard(systemd: socket.socket) -> str:
    return (await asyncio.get_running_loop().sock_recv(systemd, 4096)).decode()


async def heard_with_beats(systemd: socket.socket, beats: int) -> tuple[list[str], list[float]]:
    """What is heard until so many heartbeats have come, and when those came."""
    systemd.setblocking(False)
    messages, times = list[str](), list[float]()
    while len(times) < beats:
        messages.append(await heard(systemd))
        if messages[-1] == "WATCHDOG=1":
            times.append(time.monotonic())
    return messages, times


async def test_systemd_hears_of_start_status_heartbeats_and_end(
    systemd: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", systemd.getsockname())
    monkeypatch.setenv("WATCHDOG_USEC", "400000")
    monkeypatch.setenv("WATCHDOG_PID", str(os.getpid()))
    stop = asyncio.Event()
    with systemd:
        async with asyncio.timeout(30), alive(30, stop, lambda: "3 checks run"):
            messages, beats = await heard_with_beats(systemd, 8)
            assert messages[:2] == ["READY=1", "STATUS=3 checks run"]
            assert messages.count("STATUS=3 checks run") == 1, "only what is new"
            gaps = [later - sooner for sooner, later in pairwise(beats)]
            assert 0.1 < median(gaps) < 0.4, "about twice in the time that systemd allows"
            stop.set()
            while await heard(systemd) != "STOPPING=1":
                pass


def test_a_socket_in_the_abstract_namespace() -> None:
    if sys.platform != "linux":
        pytest.skip("only Linux has them")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(f"\0pinguin-{os.getpid()}")
        Notifier({"NOTIFY_SOCKET": f"@pinguin-{os.getpid()}"}).ready()
        assert heard_so_far(systemd) == ["READY=1"]


@pytest.mark.parametrize("address", ["", "relative", "vsock:2:1", "/nowhere/notify"])
def test_without_systemd_nothing_happens(address: str) -> None:
    Notifier({"NOTIFY_SOCKET": address}).ready()


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "30000000"}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
    ],
)
def test_heartbeats_are_for_the_process_that_systemd_means(environment: dict[str, str], expected: float | None) -> None:
    assert Notifier(environment).watchdog_s == expected
