"""The whole of Pinguin as `pinguin up` starts it, under load, with the pids of its processes."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

from pinguin.broker import Broker
from pinguin.embedded.attach import attached
from pinguin.settings import Settings

MONITORS = 40
INTERVAL_S = 1
TIMEOUT_S = 1


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


MARKS = {
    "scheduler": "-m pinguin scheduler",
    "worker": "-m pinguin worker",
    "web": "-m pinguin web",
    "database": "main.mjs",
    "valkey": "unixsocket",
}


@dataclass
class Target:
    """A loopback server that counts who connects."""

    port: int = 0
    connections: int = 0

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        writer.close()


@dataclass
class System:
    """A running `pinguin up`."""

    process: asyncio.subprocess.Process
    settings: Settings
    target: Target
    output: list[str] = field(default_factory=list)

    def pid(self, name: str) -> int | None:
        """The pid of one of its children; None while it is dead."""
        return next((pid for pid, command in children(self.process.pid).items() if MARKS[name] in command), None)

    async def connect(self) -> psycopg.AsyncConnection[Any]:
        return await psycopg.AsyncConnection.connect(
            attached(self.settings).database_url, autocommit=True, connect_timeout=5
        )

    async def ask(self, sql: str, *arguments: Any) -> list[tuple[Any, ...]]:
        """An answer from the database, waiting for it to come back if need be."""
        until = time.monotonic() + 30
        while True:
            try:
                async with await self.connect() as conn:
                    return await (await conn.execute(sql, arguments)).fetchall()
            except psycopg.OperationalError:
                if time.monotonic() > until:
                    raise
                await asyncio.sleep(0.2)

    async def until(self, sql: str, *arguments: Any, within_s: float = 40) -> None:
        """Wait until the first column of the answer is true."""
        deadline = time.monotonic() + within_s
        while not (await self.ask(sql, *arguments))[0][0]:
            assert time.monotonic() < deadline, f"not true within {within_s} s: {sql}"
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


async def until_ready(process: asyncio.subprocess.Process, within_s: float = 90) -> str:
    """The address that it prints."""
    assert process.stdout is not None
    async with asyncio.timeout(within_s):
        while line := (await process.stdout.readline()).decode():
            if "ready" in line:
                return line.split()[-1]
    raise AssertionError("it ended before it was ready")


@pytest.fixture(scope="module")
async def system(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[System]:
    """`pinguin up` with `MONITORS` monitors of one check a second, all up."""
    folder = tmp_path_factory.mktemp("chaos") / "data"
    target = Target()
    server = await asyncio.start_server(target.accept, "127.0.0.1", 0)
    target.port = server.sockets[0].getsockname()[1]
    process = await start_up(folder, 18732)
    try:
        await until_ready(process)
        running = System(process, Settings(data_dir=str(folder)), target)
        options = Jsonb({"host": "127.0.0.1", "port": target.port})
        rows = await running.ask(
            "insert into monitors (name, type, target, options, interval_s, timeout_s, failure_threshold) "
            "select 'm' || n, 'tcp', 'loopback', %s, %s, %s, 1 from generate_series(1, %s) n returning id",
            options, INTERVAL_S, TIMEOUT_S, MONITORS,
        )  # fmt: skip
        async with Broker.connect(attached(running.settings).redis_url) as broker:
            await broker.announce_change([row[0] for row in rows])
        up = "select count(*) = %s from monitor_states where status = 'up'"
        await running.until(up, MONITORS, within_s=60)
        yield running
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(40):
            await process.wait()
        server.close()
