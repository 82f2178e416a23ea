"""statement_timeout, which a session of WebAssembly does not know by itself: it is cancelled from another thread."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import LiteralString

import psycopg
import pytest

from pinguin.embedded.stack import EmbeddedStack
from tests.embedded.clients import Conn, connect, value

ENDLESS = (
    "select count(*) from generate_series(1, 4000000000)",
    "with recursive t as (select 1 as n union all select n + 1 from t) select count(*) from t",
    "select count(*) from generate_series(1, 100000) a, generate_series(1, 100000) b where md5(a::text) > md5(b::text)",
    "do $$ begin loop perform 1; end loop; end $$",
)


@pytest.mark.parametrize("endless", ENDLESS)
async def test_an_endless_statement_ends(embedded: EmbeddedStack, other: Conn, endless: str) -> None:
    async with await connect(embedded.database_url, options="-c statement_timeout=300") as conn:
        for prepare in (False, True):
            with pytest.raises(psycopg.errors.QueryCanceled):
                await conn.execute(endless, prepare=prepare)
            assert await value(conn, "select 1") == 1
            assert await value(other, "select 2") == 2


@pytest.mark.parametrize("limit", ["= '200ms'", "to 200", "to '0.2s'", "= '.2 s'"])
async def test_a_limit_that_was_set_is_kept_and_given_up(conn: Conn, limit: LiteralString) -> None:
    await conn.execute("set statement_timeout " + limit)
    with pytest.raises(psycopg.errors.QueryCanceled):
        await conn.execute(ENDLESS[0])
    await conn.execute("reset statement_timeout")
    assert await value(conn, "select count(*) from generate_series(1, 3000000)") == 3_000_000


async def test_what_was_cancelled_leaves_its_transaction_failed_and_nothing_behind(
    embedded: EmbeddedStack, other: Conn
) -> None:
    async with await connect(embedded.database_url, options="-c statement_timeout=300") as conn:
        await conn.execute("drop table if exists undone; create table undone (id int)")
        await conn.execute("begin")
        await conn.execute("insert into undone values (77)")
        with pytest.raises(psycopg.errors.QueryCanceled):
            await conn.execute(ENDLESS[0])
        with pytest.raises(psycopg.errors.InFailedSqlTransaction):
            await conn.execute("select 1")
        await conn.execute("rollback")
        assert await value(other, "select count(*) from undone") == 0
        await conn.execute("insert into undone values (77)")
        assert await value(other, "select count(*) from undone") == 1


async def test_others_wait_no_longer_than_the_limit(embedded: EmbeddedStack, other: Conn) -> None:
    async with await connect(embedded.database_url, options="-c statement_timeout=500") as conn:
        endless = [asyncio.create_task(conn.execute(ENDLESS[0]))]
        answered = await asyncio.wait_for(value(other, "select 3"), 30)
        assert answered == 3
        with pytest.raises(psycopg.errors.QueryCanceled):
            await endless[0]


async def test_quick_statements_never_meet_a_cancel(embedded: EmbeddedStack) -> None:
    async with await connect(embedded.database_url, options="-c statement_timeout=3") as conn:
        quick = cancelled = 0
        for number in range(300):
            try:
                assert await value(conn, "select count(*) from generate_series(1, %s)", number * 100) == number * 100
                quick += 1
            except psycopg.errors.QueryCanceled:
                cancelled += 1
        assert quick + cancelled == 300
    async with await connect(embedded.database_url) as conn:
        for _ in range(50):
            assert await value(conn, "select count(*) from generate_series(1, 20000)") == 20000


async def test_what_cannot_be_cancelled_is_killed_and_starts_again(folder: Path) -> None:
    """The build sleeps without looking up. What was committed is there again."""
    async with EmbeddedStack(folder) as stack:
        async with await connect(stack.database_url, options="-c statement_timeout=200") as conn:
            await conn.execute("create table kept as select 5 as number")
            with pytest.raises(psycopg.OperationalError):
                await conn.execute("select pg_sleep(600)")
        async with await eventually(stack.database_url) as conn:
            assert await value(conn, "select number from kept") == 5


async def eventually(url: str) -> Conn:
    async with asyncio.timeout(60):
        while True:
            try:
                return await connect(url)
            except psycopg.OperationalError:
                await asyncio.sleep(0.2)
