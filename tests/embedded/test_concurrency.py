"""Many clients of the one session: each transaction is alone, and nobody gets what is another's."""

from __future__ import annotations

import asyncio
import contextlib

import psycopg
import pytest
from psycopg_pool import AsyncConnectionPool

from pinguin.embedded.stack import EmbeddedStack
from tests.embedded.clients import Conn, bare, connect, message, row, value

Pool = AsyncConnectionPool[Conn]


async def test_read_modify_write_loses_nothing(pool: Pool) -> None:
    async def increment(number: int) -> None:
        async with pool.connection() as conn, conn.transaction():
            seen = await value(conn, "select v from accounts where id = 1 for update")
            await asyncio.sleep(0.003)
            await conn.execute("update accounts set v = %s where id = 1", (seen + 1,))
            await conn.execute("insert into readings values (now(), %s, true, 1.5)", (number,))

    async with pool.connection() as conn:
        await conn.execute("insert into accounts values (1, 0)")
    await asyncio.wait_for(asyncio.gather(*map(increment, range(50))), 60)
    async with pool.connection() as conn:
        assert await row(conn, "select v, (select count(distinct id) from readings) from accounts") == (50, 50)
    assert pool.get_stats()["pool_size"] == 8


async def test_errors_and_savepoints_undo_their_own_work_only(pool: Pool) -> None:
    async def failing(number: int) -> None:
        async with pool.connection() as conn:
            async with conn.transaction():
                await conn.execute("insert into readings values (now(), %s, true, 1)", (number,))
                with contextlib.suppress(psycopg.errors.DivisionByZero):
                    async with conn.transaction():
                        await conn.execute("insert into readings values (now(), %s, true, 2)", (number,))
                        await conn.execute("select 1 / %s::int", (number % 2,))
                await asyncio.sleep(0.001)
            with contextlib.suppress(psycopg.errors.UndefinedTable, KeyError):
                async with conn.transaction():
                    await conn.execute("insert into readings values (now(), %s, true, 3)", (number,))
                    if number % 3 == 0:
                        await conn.execute("select * from missing")
                    if number % 3 == 1:
                        raise KeyError

    await asyncio.wait_for(asyncio.gather(*map(failing, range(60))), 60)
    async with pool.connection() as conn:
        counts = await (await conn.execute("select ms, count(*) from readings group by ms order by ms")).fetchall()
    assert counts == [(1, 60), (2, 30), (3, 20)]


async def test_results_do_not_mix(pool: Pool) -> None:
    async def transactions() -> None:
        for _ in range(30):
            async with pool.connection() as conn, conn.transaction():
                await conn.execute("select 1")
                await asyncio.sleep(0.003)

    async def numbers(start: int) -> None:
        for number in range(start, start + 40):
            async with pool.connection() as conn:
                assert await row(conn, "select %s::int", number) == (number,)

    async def texts(start: int) -> None:
        for number in range(start, start + 40):
            async with pool.connection() as conn:
                assert await row(conn, "select %s::text || 'x', 1", str(number)) == (f"{number}x", 1)

    tasks = [transactions()] + [numbers(1000 * n) for n in range(4)] + [texts(1000 * n) for n in range(4)]
    await asyncio.wait_for(asyncio.gather(*tasks), 60)


async def test_same_names_of_prepared_statements(embedded: EmbeddedStack) -> None:
    options = {"prepare_threshold": 0}
    async with (
        await connect(embedded.database_url, **options) as one,
        await connect(embedded.database_url, **options) as two,
    ):
        for number in range(10):
            assert await value(one, "select %s::int + 1", number) == number + 1
            assert await value(two, "select %s::text || 'b'", str(number)) == f"{number}b"
        await one.execute("deallocate all")
        assert await value(two, "select %s::text || 'b'", "x") == "xb"


async def test_a_waiting_client_sees_no_open_transaction(conn: Conn, other: Conn) -> None:
    async with conn.transaction():
        await conn.execute("insert into accounts values (1, 1)")
        waiting = asyncio.create_task(value(other, "select count(*) from accounts"))
        await asyncio.sleep(0.1)
        assert not waiting.done()
    assert await asyncio.wait_for(waiting, 30) == 1


async def test_clients_are_served_in_turn(embedded: EmbeddedStack, conn: Conn) -> None:
    """One that always has its next transaction ready does not starve the others."""
    insert = message(b"Q", b"insert into readings values (now(), 1)\0")
    async with bare(embedded.database.socket) as busy:
        await busy.send(insert * 2000)
        await busy.answer(message(b"Z", b"I"))
        assert await value(conn, "select count(*) from readings") < 1500
        async with asyncio.timeout(60):
            while await value(conn, "select count(*) from readings") < 2000:
                await asyncio.sleep(0.05)


@pytest.mark.parametrize("rounds", [3])
async def test_the_pool_can_close_and_open_again(embedded: EmbeddedStack, rounds: int) -> None:
    for _ in range(rounds):
        async with AsyncConnectionPool[Conn](embedded.database_url, min_size=4, open=False) as pool:
            await pool.wait(10)
            async with pool.connection() as conn:
                assert await value(conn, "select 1") == 1
