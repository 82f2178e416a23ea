"""Children live as long as they should: no shorter, and no longer."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from pinguin.embedded.child import ending
from pinguin.embedded.supervisor import Backoff, Ready, Supervisor
from pinguin.errors import PinguinError
from tests.embedded.processes import is_running, kill, until


@pytest.fixture
async def supervisor(tmp_path: Path) -> AsyncIterator[Supervisor]:
    supervisor = Supervisor(tmp_path)
    yield supervisor
    await supervisor.stop()


def shell(script: str) -> list[str]:
    return ["sh", "-c", script]


async def test_a_child_that_dies_is_started_again(supervisor: Supervisor) -> None:
    child = await supervisor.start("sleeper", ["sleep", "1000"])
    first = child.pid
    with capture_logs() as logs:
        kill(first)
        await until(lambda: child.restarts == 1 and child.pid is not None)
    assert child.pid != first
    (death,) = [entry for entry in logs if entry["event"] == "child_died"]
    assert (death["name"], death["pid"], death["signal"], death["log_level"]) == (
        "sleeper",
        first,
        "SIGKILL",
        "warning",
    )


async def test_deaths_in_a_row_are_answered_ever_more_slowly(supervisor: Supervisor) -> None:
    with capture_logs() as logs:
        started = time.monotonic()
        child = await supervisor.start("brief", shell("exit 3"))
        await until(lambda: child.restarts == 3)
        took = time.monotonic() - started
    assert took >= 1.4  # 0.2 + 0.4 + 0.8
    assert {entry["exit_code"] for entry in logs if entry["event"] == "child_died"} == {3}


def test_backoff() -> None:
    backoff = Backoff()
    assert [backoff.after(1) for _ in range(7)] == pytest.approx([0.2, 0.4, 0.8, 1.6, 3.2, 5, 5])
    assert [backoff.after(31), backoff.after(1)] == pytest.approx([0.2, 0.4])


async def test_stop_ends_them_in_reverse_order(tmp_path: Path) -> None:
    supervisor = Supervisor(tmp_path)
    order = tmp_path / "order"
    pids = []
    for name in ("one", "two", "three"):
        script = f"trap 'echo {name} >> {order}; exit 0' TERM; touch {tmp_path}/{name}; while :; do sleep 0.05; done"
        child = await supervisor.start(name, shell(script), ready=_exists(tmp_path / name))
        pids.append(child.pid)
    await supervisor.stop()
    assert order.read_text().split() == ["three", "two", "one"]
    assert not any(is_running(pid) for pid in pids if pid)


def _exists(path: Path) -> Ready:
    async def ready() -> bool:
        return path.exists()

    return ready


async def test_a_child_that_ignores_sigterm_is_killed_after_its_grace(tmp_path: Path) -> None:
    supervisor = Supervisor(tmp_path)
    script = f"trap '' TERM; touch {tmp_path}/up; while :; do sleep 0.05; done"
    child = await supervisor.start("deaf", shell(script), grace=0.3, ready=_exists(tmp_path / "up"))
    pid = child.pid
    assert pid is not None
    started = time.monotonic()
    with capture_logs() as logs:
        await supervisor.stop()
    assert 0.3 <= time.monotonic() - started < 8
    assert not is_running(pid)
    assert "child_killed" in [entry["event"] for entry in logs]


async def test_stop_while_it_waits_for_a_restart(tmp_path: Path) -> None:
    supervisor = Supervisor(tmp_path)
    child = await supervisor.start("brief", shell("exit 1"))
    await until(lambda: child.pid is None)
    async with asyncio.timeout(5):
        await supervisor.stop()
    restarts = child.restarts
    await asyncio.sleep(0.5)
    assert child.restarts == restarts
    assert child.pid is None


async def test_a_child_that_never_gets_ready(supervisor: Supervisor, tmp_path: Path) -> None:
    with pytest.raises(PinguinError, match=r"odd ended before it was ready \(exit_code 9\)(.|\n)*no such luck"):
        await supervisor.start("odd", shell("echo no such luck >&2; exit 9"), ready=_exists(tmp_path / "never"))
    with pytest.raises(PinguinError, match=r"odd was not ready within 0\.2 s"):
        await supervisor.start("odd", ["sleep", "1000"], ready=_exists(tmp_path / "never"), timeout=0.2)


async def test_a_command_that_is_missing(supervisor: Supervisor) -> None:
    with pytest.raises(FileNotFoundError):
        await supervisor.start("nothing", ["/nonexistent/program"])


async def test_a_name_is_taken_once(supervisor: Supervisor) -> None:
    await supervisor.start("one", ["sleep", "1000"])
    with pytest.raises(PinguinError, match="one: a child of this name"):
        await supervisor.start("one", ["sleep", "1000"])


async def test_environment_and_output(supervisor: Supervisor, tmp_path: Path) -> None:
    await supervisor.start("talker", shell('echo "$GREETING $HOME"; sleep 1000'), env={"GREETING": "hello"})
    log = tmp_path / "talker.log"
    await until(lambda: log.exists() and log.read_text() != "")
    assert log.read_text() == f"hello {os.environ['HOME']}\n"
    assert log.stat().st_mode & 0o777 == 0o600


async def test_stdin_of_a_child_is_open_until_we_end(tmp_path: Path) -> None:
    supervisor = Supervisor(tmp_path)
    await supervisor.start("reader", shell(f"cat; echo ended >> {tmp_path}/end; sleep 1000"))
    await asyncio.sleep(0.2)
    assert not (tmp_path / "end").exists()
    supervisor._lifeline.cut()
    await until((tmp_path / "end").exists)
    supervisor._lifeline = type(supervisor._lifeline)()
    await supervisor.stop()


async def test_ctrl_c_in_the_terminal_does_not_reach_the_children(supervisor: Supervisor) -> None:
    child = await supervisor.start("sleeper", ["sleep", "1000"])
    assert child.pid is not None
    assert os.getpgid(child.pid) != os.getpgid(0)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells children of their parent's death")
async def test_children_die_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    script = (
        "import asyncio, sys\n"
        "from pinguin.embedded.supervisor import Supervisor\n"
        "async def main():\n"
        "    child = await Supervisor().start('sleeper', ['sleep', '1000'])\n"
        "    print('pid', child.pid, flush=True)\n"
        "    await asyncio.sleep(1000)\n"
        "asyncio.run(main())\n"
    )
    parent = await asyncio.create_subprocess_exec(sys.executable, "-c", script, stdout=asyncio.subprocess.PIPE)
    assert parent.stdout is not None
    line = b""
    while not line.startswith(b"pid "):
        line = await parent.stdout.readline()
        assert line
    pid = int(line.split()[1])
    assert is_running(pid)
    parent.send_signal(signal.SIGKILL)
    await parent.wait()
    await until(lambda: not is_running(pid))


@pytest.mark.parametrize(
    ("code", "fields"),
    [(0, {"exit_code": 0}), (70, {"exit_code": 70}), (-9, {"signal": "SIGKILL"}), (-99, {"signal": "99"})],
)
def test_ending(code: int, fields: dict[str, object]) -> None:
    assert ending(code) == fields
