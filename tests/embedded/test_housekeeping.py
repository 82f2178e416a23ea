"""What the front does by itself: syncs, checkpoints, and the end of a database that has trapped."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import psycopg
import pytest
from structlog.testing import capture_logs

from pinguin.embedded.stack import EmbeddedStack
from tests.embedded.clients import connect, value
from tests.embedded.processes import started_again, until

StartStack = Callable[..., AbstractAsyncContextManager[EmbeddedStack]]

COMMITS = 20


def logged(stack: EmbeddedStack, event: str) -> list[dict[str, Any]]:
    lines = (stack.folder / "logs" / "database.log").read_text().splitlines()
    return [entry for entry in map(json.loads, lines) if entry["event"] == event]


@pytest.mark.parametrize(("options", "least", "most"), [((), COMMITS, 10_000), (("--no-fsync",), 0, 0)])
async def test_every_commit_is_synced(start_stack: StartStack, options: list[str], least: int, most: int) -> None:
    async with start_stack(*options) as stack, await connect(stack.database_url) as conn:
        await conn.execute("create table t (a int)")
        for number in range(COMMITS):
            await conn.execute("insert into t values (%s)", (number,))
    (stopping,) = logged(stack, "stopping")
    assert least <= stopping["syncs"] <= most


async def test_checkpoints_come_with_the_wal_even_under_load(start_stack: StartStack) -> None:
    """And whatever role the last client had taken."""
    async with start_stack("--checkpoint-megabytes", "1") as stack, await connect(stack.database_url) as conn:
        await conn.execute("create role nobody")
        await conn.execute("create table t (a text)")
        await conn.execute("grant all on t to nobody")
        await conn.execute("set role nobody")

        async def load_until_checkpoint() -> bool:
            await conn.execute("insert into t select repeat('x', 1000) from generate_series(1, 300)")
            return len(logged(stack, "checkpoint")) >= 2

        await until(load_until_checkpoint)
        assert await value(conn, "select current_user::text") == "nobody"
        for checkpoint in logged(stack, "checkpoint"):
            assert checkpoint["error"] is None
            assert checkpoint["walBytes"] >= 2**20


async def test_a_trap_ends_the_process_and_it_starts_again(start_stack: StartStack) -> None:
    async with start_stack() as stack:
        with capture_logs() as logs:
            async with await connect(stack.database_url) as conn, await connect(stack.database_url) as other:
                await conn.execute("create table t (a int)")
                with pytest.raises(psycopg.errors.CrashShutdown):
                    await conn.execute("select repeat('[', 1000000)::jsonb")
                with pytest.raises(psycopg.errors.CrashShutdown):
                    await other.execute("select 1")
            await started_again(stack.database_child, 1, stack.database.answers)
        assert [entry["exit_code"] for entry in logs if entry["event"] == "child_died"] == [70]
        async with await connect(stack.database_url) as conn:
            assert await value(conn, "select count(*) from t") == 0
