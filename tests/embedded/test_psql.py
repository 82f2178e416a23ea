"""psql, beside a pool: what a person does to look around."""

from __future__ import annotations

import asyncio

from psycopg_pool import AsyncConnectionPool

from pinguin.embedded.stack import EmbeddedStack
from tests.embedded.clients import Conn, psql, value

TYPED = r"""
\d readings
\dt
\copy accounts from stdin
20001	1
20002	2
\.
\copy (select * from accounts where id > 20000) to stdout
select 1/0;
"""


async def test_look_around_and_copy(embedded: EmbeddedStack, conn: Conn) -> None:
    _, output, errors = await psql(embedded.database_url, typed=TYPED)
    assert "time|timestamp with time zone||not null|" in output
    assert "public|accounts|table|postgres" in output
    assert "20001\t1\n20002\t2\n" in output
    assert "division by zero" in errors
    assert await value(conn, "select sum(v) from accounts") == 3


async def test_by_its_folder_alone(embedded: EmbeddedStack) -> None:
    """host=FOLDER is all that libpq needs."""
    sockets = embedded.database.socket.parent
    code, output, _ = await psql(f"host={sockets} user=postgres", "-c", "select 6 * 7")
    assert (code, output) == (0, "42\n")


async def test_beside_a_busy_pool(embedded: EmbeddedStack, pool: AsyncConnectionPool[Conn]) -> None:
    async def transaction(number: int) -> None:
        insert = f"insert into accounts values ({number}, {number})"
        commands = ("begin", insert, "select pg_sleep(0.01)", "commit", f"select v from accounts where id = {number}")
        words = [word for command in commands for word in ("-c", command)]
        code, output, errors = await psql(embedded.database_url, *words)
        assert (code, errors) == (0, "")
        assert output.splitlines()[-1] == str(number)

    async def load() -> None:
        for number in range(40):
            async with pool.connection() as conn:
                await conn.execute("insert into readings values (now(), %s, true, 9)", (number,))

    await asyncio.wait_for(asyncio.gather(*map(transaction, range(4)), *(load() for _ in range(4))), 60)
    async with pool.connection() as conn:
        assert await value(conn, "select count(*) from readings") == 160
