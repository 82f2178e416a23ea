"""Statements of a page that go out together."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from pinguin.db import Connection, Pool
from pinguin.errors import NotFound, Unavailable
from pinguin.web.database import all_of, at_once, connection, while_asked


async def number(conn: Connection, n: int) -> int:
    row = await (await conn.execute("select %s::int", (n,))).fetchone()
    assert row is not None
    return int(row[0])


async def divided(conn: Connection) -> int:
    await conn.execute("select 1 / 0")
    return await number(conn, 9)


async def parts(conn: Connection) -> list[int]:
    first = await number(conn, 3)
    return [first, *(await all_of(number(conn, 4), number(conn, 5)))]


async def test_each_read_gets_its_own_answers(pool: Pool) -> None:
    async with connection(pool) as conn:
        assert await at_once(conn, number(conn, 1), parts(conn), number(conn, 2)) == [1, [3, 4, 5], 2]


@pytest.mark.parametrize("place", [0, 1, 2])
async def test_what_went_wrong_is_said_and_the_next_page_is_fine(pool: Pool, place: int) -> None:
    for _ in range(3):  # more often than a statement is sent before it is prepared
        async with connection(pool) as conn:
            reads: list[Any] = [parts(conn), number(conn, 2)]
            reads.insert(place, divided(conn))
            with pytest.raises(psycopg.errors.DivisionByZero):
                await at_once(conn, *reads)
        async with connection(pool) as conn:
            assert await at_once(conn, number(conn, 7), parts(conn)) == [7, [3, 4, 5]]


async def test_what_is_not_found_leaves_the_connection_as_it_was(pool: Pool) -> None:
    async with connection(pool) as conn:
        with pytest.raises(NotFound):
            await at_once(conn, number(conn, 1), nothing(conn), number(conn, 2))
        assert await at_once(conn, number(conn, 3)) == [3]


async def nothing(conn: Connection) -> int:
    raise NotFound(f"There is no number {await number(conn, 8)}.")


async def test_a_database_that_takes_too_long_is_unavailable(pool: Pool) -> None:
    with pytest.raises(Unavailable):
        async with connection(pool, 0.5) as conn:
            await at_once(conn, number(conn, 1), slow(conn), number(conn, 2))


async def slow(conn: Connection) -> int:
    await conn.execute("select pg_sleep(2)")
    return await number(conn, 1)


async def test_work_is_done_while_the_database_answers(pool: Pool) -> None:
    order: list[str] = []

    async def told() -> list[int]:
        found = await all_of(slow(conn), parts(conn))
        order.append("answered")
        return [found[0], *found[1]]

    async with connection(pool) as conn:

        def work() -> str:
            order.append("worked")
            return conn.info.transaction_status.name

        assert await while_asked(conn, told(), work) == ([1, 3, 4, 5], "ACTIVE"), "all is sent before it works"
        assert order == ["worked", "answered"]
        assert await at_once(conn, number(conn, 7)) == [7]


async def test_what_goes_wrong_meanwhile_leaves_nothing_behind(pool: Pool) -> None:
    async with connection(pool) as conn:
        with pytest.raises(ZeroDivisionError):
            await while_asked(conn, slow(conn), lambda: 1 // 0)
        assert conn.closed, "another page would take it while it is asked"
    with pytest.raises(psycopg.errors.DivisionByZero):
        async with connection(pool) as conn:
            await while_asked(conn, divided(conn), lambda: 1)
    async with connection(pool) as conn:
        assert await while_asked(conn, parts(conn), lambda: 2) == ([3, 4, 5], 2)
