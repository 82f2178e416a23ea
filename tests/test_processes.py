"""`pinguin worker --processes`: as many workers as asked for, kept alive, ended together."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from pinguin.broker import Broker
from pinguin.cli import parser
from pinguin.db import Pool
from tests.chaos.test_up import children
from tests.conftest import Services


@pytest.mark.parametrize(("text", "count"), [("1", 1), ("3", 3), ("auto", len(os.sched_getaffinity(0)))])
def test_a_number_of_processes(text: str, count: int) -> None:
    assert parser().parse_args(["worker", "--processes", text]).processes == count


@pytest.mark.parametrize("text", ["0", "-1", "65", "many", "1.5", ""])
def test_a_number_that_is_none_is_refused(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parser().parse_args(["worker", f"--processes={text}"])
    assert "neither auto nor a number from 1 to 64" in capsys.readouterr().err


async def test_two_workers_work_and_come_back_and_end_together(stack: Services, pool: Pool, broker: Broker) -> None:
    addresses = {"PINGUIN_DATABASE_URL": stack.database_url, "PINGUIN_REDIS_URL": stack.redis_url}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "pinguin", "worker", "--processes", "2", env=dict(os.environ) | addresses
    )

    async def present(but: str = "-") -> list[str]:
        async with asyncio.timeout(120):
            while True:
                names = (await broker.workers(30)).get("local", [])
                if len([name for name in names if not name.endswith(f"/{but}")]) == 2:
                    return names
                await asyncio.sleep(0.1)

    await present()
    first, second = children(process.pid)
    os.kill(first, signal.SIGKILL)
    await present(but=str(first))
    assert second in children(process.pid)
    left = list(children(process.pid))
    process.send_signal(signal.SIGTERM)
    assert await asyncio.wait_for(process.wait(), 120) == 0
    assert [pid for pid in left if Path(f"/proc/{pid}").exists()] == []
