"""`pinguin up` starts every process again that dies, and leaves none behind."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

from pinguin.broker import Broker
from pinguin.embedded.attach import attached
from pinguin.settings import Settings
from tests.chaos.target import Listener
from tests.data_folder import data_folder

MARKS = {
    "scheduler": "-m pinguin scheduler",
    "worker": "-m pinguin worker",
    "web": "-m pinguin web",
    "database": "main.mjs",
    "valkey": "unixsocket",
}


def children(pid: int) -> dict[int, str]:
    """The child processes of `pid`, with their command lines."""
    found = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
                command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                continue
            if parent == pid:
                found[int(folder.name)] = command
    return found


@dataclass
class Up:
    """A running `pinguin up`."""

    process: asyncio.subprocess.Process
    settings: Settings

    def pids(self) -> dict[str, int]:
        """Its children that live, by name."""
        commands = children(self.process.pid)
        return {name: pid for name, mark in MARKS.items() for pid, command in commands.items() if mark in command}

    async def ask(self, sql: str, *arguments: Any) -> list[tuple[Any, ...]]:
        """An answer from the database, waiting for it to come back if need be."""
        async with asyncio.timeout(60):
            while True:
                try:
                    url = attached(self.settings).database_url
                    async with await psycopg.AsyncConnection.connect(url, autocommit=True, connect_timeout=5) as conn:
                        return await (await conn.execute(sql, arguments)).fetchall()
                except psycopg.OperationalError:
                    await asyncio.sleep(0.2)

    async def until(self, sql: str, *arguments: Any) -> None:
        """Wait until the first column of the answer is true."""
        async with asyncio.timeout(60):
            while not (await self.ask(sql, *arguments))[0][0]:
                await asyncio.sleep(0.2)


async def start_up(folder: Path, port: int) -> asyncio.subprocess.Process:
    settings = Settings(data_dir=str(folder), web_port=port, log_format="json")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PINGUIN_")}
    given = settings.environment()
    del given["PINGUIN_DATABASE_URL"], given["PINGUIN_REDIS_URL"]
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "pinguin", "up", env=environment | given, start_new_session=True,
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip


async def until_ready(process: asyncio.subprocess.Process, within_s: float = 90) -> None:
    assert process.stdout is not None
    async with asyncio.timeout(within_s):
        while line := (await process.stdout.readline()).decode():
            if "ready" in line:
                return
    raise AssertionError("it ended before it was ready")


@pytest.fixture(scope="module")
async def up(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Up]:
    """`pinguin up` with one monitor, checked every second, and up."""
    folder = await data_folder(tmp_path_factory, "up", migrated=True)
    target = Listener()
    await target.open()
    process = await start_up(folder, 18732)
    try:
        await until_ready(process)
        running = Up(process, Settings(data_dir=str(folder)))
        options = Jsonb({"host": "127.0.0.1", "port": target.port})
        ((monitor_id,),) = await running.ask(
            "insert into monitors (name, type, target, options, interval_s, timeout_s) "
            "values ('m', 'tcp', 'loopback', %s, 1, 1) returning id",
            options,
        )
        async with Broker.connect(attached(running.settings).redis_url) as broker:
            await broker.announce_change([monitor_id])
        await running.until("select status = 'up' from monitor_states")
        yield running
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(40):
            await process.wait()
        await target.close()


async def test_every_process_that_is_killed_is_started_again(up: Up) -> None:
    before = up.pids()
    assert before.keys() == MARKS.keys()
    for pid in before.values():
        os.kill(pid, signal.SIGKILL)
    async with asyncio.timeout(60):
        while up.pids().keys() != MARKS.keys() or set(up.pids().values()) & set(before.values()):
            await asyncio.sleep(0.1)
    ((now,),) = await up.ask("select now()")
    await up.until("select status = 'up' and last_slot > %s from monitor_states", now)
    assert await up.ask("select count(*) from transitions where to_status = 'down'") == [(0,)]


async def test_a_pause_made_in_psql_counts_at_once(up: Up) -> None:
    """Checks may go on until the next reconcile, but none of their results changes anything."""
    await up.ask("update monitors set enabled = false returning 1")
    await asyncio.sleep(3)
    assert await up.ask("select count(*) from results where version = 2") == [(0,)]
    assert await up.ask("select status from monitor_states") == [("paused",)]


async def test_sigterm_leaves_no_process_lock_or_socket(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = await data_folder(tmp_path_factory, "sigterm", migrated=True)
    for signal_number in (signal.SIGTERM, signal.SIGINT):
        process = await start_up(folder, 18733)
        await until_ready(process)
        before = children(process.pid)
        assert len(before) == 5
        process.send_signal(signal_number)
        async with asyncio.timeout(30):
            assert await process.wait() == 0
        assert [pid for pid in before if Path(f"/proc/{pid}").exists()] == []
        assert not (folder / "lock").exists()
        assert list(folder.rglob("*.sock")) + list(folder.rglob(".s.*")) == []
