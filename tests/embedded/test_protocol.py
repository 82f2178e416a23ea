"""What psycopg does beyond a plain query."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import psycopg
import pytest

from pinguin.embedded.stack import EmbeddedStack
from tests.embedded.clients import Conn, bare, connect, message, value


async def test_executemany(conn: Conn) -> None:
    async with conn.cursor() as cursor:
        await cursor.executemany("insert into readings values (now(), %s, true, 5)", [(n,) for n in range(500)])
    assert await value(conn, "select count(distinct id) from readings") == 500


async def test_executemany_returning(conn: Conn) -> None:
    async with conn.cursor() as cursor:
        query = "insert into readings values (now(), %s, true, 5) returning id"
        await cursor.executemany(query, [(n,) for n in range(10)], returning=True)
        got = [await anext(cursor)]
        while cursor.nextset():
            got.append(await anext(cursor))
    assert got == [(n,) for n in range(10)]


async def test_pipeline(conn: Conn) -> None:
    async with conn.pipeline() as pipeline:
        cursors = [await conn.execute("select %s::int * 2", (n,)) for n in range(300)]
        await pipeline.sync()
        assert [await cursor.fetchone() for cursor in cursors] == [(2 * n,) for n in range(300)]


async def test_an_error_undoes_its_pipeline(conn: Conn) -> None:
    with pytest.raises(psycopg.errors.DivisionByZero):  # noqa: PT012
        async with conn.pipeline():
            await conn.execute("insert into accounts values (1, 1)")
            await conn.execute("select 1/0")
            await conn.execute("insert into accounts values (2, 2)")
    assert await value(conn, "select count(*) from accounts") == 0


async def test_a_pipeline_goes_on_after_an_error(conn: Conn) -> None:
    async with conn.pipeline() as pipeline:
        with pytest.raises(psycopg.errors.DivisionByZero):  # noqa: PT012
            await conn.execute("select 1/0")
            await pipeline.sync()
        cursor = await conn.execute("select 7")
        await pipeline.sync()
        assert await cursor.fetchone() == (7,)


async def test_statements_prepared_after_an_error_are_forgotten_by_both_sides(embedded: EmbeddedStack) -> None:
    """What follows an error up to the Sync is not run: neither may we remember it."""
    parse = message(b"P", b"s\0select 1\0\0\0")
    bad = message(b"P", b"\0select nonsense from\0\0\0")
    async with bare(embedded.database.socket) as client:
        await client.send(bad + parse + message(b"S"))
        assert b"syntax error" in await client.answer(message(b"Z", b"I"))
        await client.send(parse + message(b"S"))
        assert await client.answer(message(b"Z", b"I")) == message(b"1") + message(b"Z", b"I")


async def test_a_query_after_an_error_waits_for_the_sync(embedded: EmbeddedStack) -> None:
    async with bare(embedded.database.socket) as client:
        await client.send(message(b"P", b"\0select nonsense from\0\0\0") + message(b"Q", b"select 1\0") + message(b"S"))
        answer = await client.answer(message(b"Z", b"I"))
        assert answer.startswith(b"E")
        assert answer.count(b"Z\0\0\0\5") == 1


async def test_what_is_asked_at_once_is_answered_at_once(embedded: EmbeddedStack) -> None:
    """In one write: a client that is woken by each message of an answer costs more than the query."""
    async with bare(embedded.database.socket) as client:
        bind, run = message(b"B", bytes(8)), message(b"E", bytes(5))
        await client.send(message(b"P", b"\0select 'all of it'\0\0\0") + bind + run + message(b"S"))
        async with asyncio.timeout(30):
            answer = await client.reader.read(1000)
    assert b"all of it" in answer
    assert answer.endswith(message(b"Z", b"I"))


async def test_server_side_cursor(conn: Conn) -> None:
    async with conn.transaction(), conn.cursor(name="big") as cursor:
        cursor.itersize = 100
        await cursor.execute("select generate_series(1, 1000)")
        assert [n async for (n,) in cursor] == list(range(1, 1001))


@pytest.mark.parametrize("size", [0, 1, 8000, 8150, *range(8180, 8194), 16380, 16384, 16390, 65536, 5_000_000])
async def test_parameters_of_all_sizes(conn: Conn, size: int) -> None:
    text = "zä"[: size % 2 + 1] + "x" * size
    assert await value(conn, "select %s", text) == text


async def test_a_large_result(conn: Conn) -> None:
    rows = await (await conn.execute("select g, repeat('y', 1000) from generate_series(1, 3000) g")).fetchall()
    assert [number for number, _ in rows] == list(range(1, 3001))
    assert {len(text) for _, text in rows} == {1000}


async def test_several_statements_and_none(conn: Conn) -> None:
    await conn.execute("")
    cursor = await conn.execute("select 1; select 2")
    first = await cursor.fetchone()
    assert cursor.nextset()
    assert (first, await cursor.fetchone()) == ((1,), (2,))


async def test_notices_arrive_and_debug_noise_does_not(conn: Conn) -> None:
    heard: list[str | None] = []
    conn.add_notice_handler(lambda notice: heard.append(notice.message_primary))
    await conn.execute("do $$ begin raise notice 'hey'; end $$")
    with pytest.raises(psycopg.errors.DivisionByZero):
        await conn.execute("select 1/0")
    assert heard == ["hey"]


async def test_a_cancel_request_is_ignored(conn: Conn) -> None:
    running = asyncio.create_task(value(conn, "select 6 from pg_sleep(0.2)"))
    await asyncio.sleep(0.05)
    await conn.cancel_safe(timeout=5)
    assert await running == 6


@pytest.mark.parametrize("encoding", ["latin1", "SQL_ASCII"])
async def test_another_encoding_is_not_taken_over(embedded: EmbeddedStack, conn: Conn, encoding: str) -> None:
    """The build would trap at the first character that needs converting."""
    async with await connect(embedded.database_url, client_encoding=encoding) as strange:
        assert await value(strange, "show client_encoding") == "UTF8"
        assert strange.info.encoding == "utf-8"
    await conn.execute("set client_encoding = 'LATIN1'")
    await conn.execute("set names 'LATIN1'")
    await conn.execute(b"/* c */ SET client_encoding TO LATIN1")
    assert await value(conn, "select 'äöü€'") == "äöü€"


async def test_only_one_database(embedded: EmbeddedStack) -> None:
    with pytest.raises(psycopg.OperationalError, match='database "nosuch" does not exist'):
        await connect(embedded.database_url, dbname="nosuch")


async def test_deep_calls_end_cleanly(conn: Conn) -> None:
    """Fifty of these overwrote memory on the stack that the build comes with."""
    await conn.execute(
        "create or replace function deep(n int) returns int language plpgsql as "
        "$$ begin if n = 0 then return 0; end if; return deep(n - 1) + 1; end $$"
    )
    assert await value(conn, "select deep(500)") == 500
    assert await value(conn, "select length((repeat('[', 5000) || repeat(']', 5000))::jsonb::text)") == 10000


async def test_a_forgotten_transaction_ends(
    start_stack: Callable[..., AbstractAsyncContextManager[EmbeddedStack]],
) -> None:
    """The one that holds it, and the ones that wait, must not wait for ever."""
    async with (
        start_stack("--idle-transaction-ms", "400") as stack,
        await connect(stack.database_url, autocommit=False) as forgetful,
        await connect(stack.database_url) as waiting,
    ):
        await forgetful.execute("create table t (a int)")
        assert await asyncio.wait_for(value(waiting, "select to_regclass('t')"), 30) is None
        with pytest.raises(psycopg.errors.IdleInTransactionSessionTimeout):
            await forgetful.execute("select 1")
