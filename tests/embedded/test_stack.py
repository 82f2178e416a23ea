"""The stack as a whole: one folder, one owner, nothing left behind."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import stat
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import psycopg
import pytest
from redis.asyncio import Redis

from pinguin.embedded.lock import FolderLock
from pinguin.embedded.node import FRONT, find_node
from pinguin.embedded.stack import EmbeddedStack
from pinguin.errors import PinguinError
from tests.embedded.clients import connect, value
from tests.embedded.processes import is_running, kill, started_again, until
from tests.lacking import lacks


@asynccontextmanager
async def running_stack(folder: Path) -> AsyncIterator[tuple[asyncio.subprocess.Process, list[int]]]:
    """A stack in a process of its own, and the pids of its children."""
    argv = [sys.executable, "-m", "tests.embedded.run_stack", str(folder)]
    process = await asyncio.create_subprocess_exec(
        *argv, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    assert process.stdout is not None
    try:
        line = ""
        async with asyncio.timeout(60):
            while not line.startswith('{"pids"'):
                line = (await process.stdout.readline()).decode()
                assert line, "it ended early"
        yield process, json.loads(line)["pids"]
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


def sockets_in(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if stat.S_ISSOCK(path.lstat().st_mode)]


async def test_a_start_that_is_cancelled_while_it_takes_the_lock_gives_it_back(folder: Path) -> None:
    starting = asyncio.create_task(EmbeddedStack(folder).start())
    while not (folder / "lock").exists():
        await asyncio.sleep(0)
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    assert starting.cancelled()
    assert not (folder / "lock").exists()


async def test_data_of_the_first_start_are_there_at_the_second(folder: Path) -> None:
    """Also the compressed ones, which read as empty when the TSL module is not loaded."""
    async with EmbeddedStack(folder) as stack, await connect(stack.database_url) as conn:
        await conn.execute("create table m (time timestamptz not null, id int)")
        await conn.execute("select create_hypertable('m', by_range('time', interval '1 day'))")
        await conn.execute(
            "insert into m select '2026-01-01'::timestamptz + g * interval '1 hour', g from generate_series(0, 99) g"
        )
        await conn.execute("alter table m set (timescaledb.compress, timescaledb.compress_orderby = 'time')")
        await conn.execute("select compress_chunk(c) from show_chunks('m') c")
        async with Redis.from_url(stack.redis_url) as redis:
            await redis.set("key", "value")
    async with EmbeddedStack(folder) as stack, await connect(stack.database_url) as conn:
        compressed = "select count(*) from timescaledb_information.chunks where is_compressed"
        assert await value(conn, compressed) > 3
        assert await value(conn, "select count(*) from m") == 100
        assert await value(conn, "show enable_seqscan") == "on"
        async with Redis.from_url(stack.redis_url) as redis:
            assert await redis.get("key") == b"value"
    assert sockets_in(folder) == []
    assert not (folder / "lock").exists()


async def test_one_folder_one_stack(embedded: EmbeddedStack) -> None:
    with pytest.raises(PinguinError) as error:
        await EmbeddedStack(embedded.folder).start()
    assert str(embedded.folder) in str(error.value)
    assert f"process {os.getpid()}" in str(error.value)
    async with await connect(embedded.database_url) as conn:
        assert await value(conn, "select 1") == 1


async def test_only_we_can_reach_it(embedded: EmbeddedStack) -> None:
    def mode(path: Path) -> int:
        return stat.S_IMODE(path.stat().st_mode)

    assert mode(embedded.database.socket.parent) == 0o700
    assert mode(embedded.database.socket) == 0o600
    assert mode(embedded.valkey.socket) == 0o600


async def test_a_long_path(folder: Path) -> None:
    """Longer than the path of a socket may be, and with a space and an umlaut."""
    folder = folder.rename(folder.with_name("ä long name " + "x" * 120))
    async with EmbeddedStack(folder) as stack:
        assert len(os.fsencode(stack.database.socket)) < 104
        async with await connect(stack.database_url) as conn, Redis.from_url(stack.redis_url) as redis:
            assert await value(conn, "select 1") == 1
            assert await redis.ping()
    assert not stack.database.socket.parent.exists()


async def test_sigterm_leaves_nothing(folder: Path) -> None:
    async with running_stack(folder) as (process, pids):
        assert all(map(is_running, pids))
        assert len(sockets_in(folder)) == 2
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 60) == 0
    assert not any(map(is_running, pids))
    assert sockets_in(folder) == []
    assert not (folder / "lock").exists()


async def test_sigkill_leaves_no_orphan_and_the_folder_free(folder: Path) -> None:
    async with running_stack(folder) as (process, pids):
        process.kill()
        await process.wait()
        async with EmbeddedStack(folder) as stack, await connect(stack.database_url) as conn:
            assert await value(conn, "select 1") == 1
            assert not any(map(is_running, pids))


async def test_an_unfinished_initialisation_is_made_again(tmp_path: Path) -> None:
    draft = tmp_path / "database.new"
    draft.mkdir()
    (draft / "PG_VERSION").write_text("17\n")
    async with EmbeddedStack(tmp_path) as stack, await connect(stack.database_url) as conn:
        assert await value(conn, "select 1") == 1
    assert not draft.exists()


async def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "database").mkdir()
    (tmp_path / "database" / "thesis.txt").write_text("precious")
    with pytest.raises(PinguinError, match="not a database, and not empty"):
        await EmbeddedStack(tmp_path).start()
    assert (tmp_path / "database" / "thesis.txt").read_text() == "precious"
    assert not (tmp_path / "lock").exists()


async def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("precious")
    for folder in (tmp_path / "file", tmp_path / "file" / "data"):
        with pytest.raises(PinguinError, match=f"^{folder}: the data cannot be kept there .*PINGUIN_DATA_DIR"):
            await EmbeddedStack(folder).start()


async def test_a_broken_database_is_reported_with_its_log(tmp_path: Path) -> None:
    (tmp_path / "database").mkdir()
    (tmp_path / "database" / "PG_VERSION").write_text("9\n")
    with pytest.raises(PinguinError, match="database ended before it was ready") as error:
        await EmbeddedStack(tmp_path).start()
    assert "database.log" in str(error.value)
    assert not (tmp_path / "lock").exists()


async def test_clients_reconnect_after_a_crash(embedded: EmbeddedStack) -> None:
    async with await connect(embedded.database_url) as conn:
        restarts = embedded.database_child.restarts, embedded.valkey_child.restarts
        kill(embedded.database_child.pid)
        with pytest.raises(psycopg.OperationalError):
            await conn.execute("select 1")
    kill(embedded.valkey_child.pid)
    await started_again(embedded.database_child, restarts[0] + 1, embedded.database.answers)
    await started_again(embedded.valkey_child, restarts[1] + 1, embedded.valkey.answers)
    async with await connect(embedded.database_url) as conn:
        assert await value(conn, "select 1") == 1


async def test_the_front_ends_when_its_stdin_does(folder: Path) -> None:
    """Where no kernel tells it of its parent's death."""
    lock = FolderLock(folder)
    socket = folder / "socket"
    argv = [find_node(), str(FRONT / "main.mjs"), "--data", str(folder / "database"), "--socket", str(socket)]
    process = await asyncio.create_subprocess_exec(
        *argv, "--lock-fd", str(lock.fd), stdin=asyncio.subprocess.PIPE, pass_fds=(lock.fd,)
    )
    assert process.stdin is not None
    await until(socket.exists)
    process.stdin.close()
    assert await asyncio.wait_for(process.wait(), 30) == 0
    assert not socket.exists()
    lock.release()


async def test_the_front_refuses_to_run_without_a_lock(embedded: EmbeddedStack) -> None:
    front = embedded.front / "main.mjs"
    process = await asyncio.create_subprocess_exec(
        embedded.node, str(front), "--data", "nowhere", "--socket", "nowhere", stderr=asyncio.subprocess.PIPE
    )
    _, errors = await process.communicate()
    assert (process.returncode, json.loads(errors)["event"]) == (64, "no_lock")


async def test_tables_stay_open(embedded: EmbeddedStack) -> None:
    """Otherwise queries of more tables and indexes than a few dozen open their files again and again."""
    files = Path(f"/proc/{embedded.database_child.pid}/fd")
    if not files.exists():
        lacks("this machine has no /proc")
    async with await connect(embedded.database_url) as conn:
        await conn.execute("create table split (at int not null) partition by range (at)")
        for n in range(100):
            await conn.execute(f"create table split_{n} partition of split for values from ({n}) to ({n + 1})")
        await conn.execute("insert into split select generate_series(0, 99)")
        assert await value(conn, "select count(*) from split") == 100
        assert len(list(files.iterdir())) > 100
        await conn.execute("drop table split")
