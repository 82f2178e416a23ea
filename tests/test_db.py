"""Migrations and named queries."""

from __future__ import annotations

import asyncio

import pytest
from psycopg.conninfo import make_conninfo

from pinguin.db import SQL, Pool, make_pool, migrate, migrations, pending_migrations, queries
from tests.conftest import Services

FILES = sorted(path.stem for path in (SQL / "queries").glob("*.sql"))


async def test_migrations_that_race_run_once(pool: Pool, stack: Services) -> None:
    assert await asyncio.gather(*[migrate(stack.database_url) for _ in range(4)]) == [[]] * 4
    assert await pending_migrations(pool) == []


def test_no_two_migrations_have_the_same_number() -> None:
    numbers = [number for number, _, _ in migrations()]
    assert len(set(numbers)) == len(numbers) == len(list((SQL / "migrations").glob("*.sql")))
    assert numbers == sorted(numbers)


@pytest.mark.parametrize("file", FILES)
def test_every_statement_has_a_name_and_text(file: str) -> None:
    named = queries(file)
    assert named
    assert all(text for text in named.values())


async def test_every_table_explains_itself(pool: Pool) -> None:
    async with pool.connection() as conn:
        cursor = await conn.execute(
            "select relname from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'v') "
            "and obj_description(oid) is null and relname <> 'schema_migrations'"
        )
        assert await cursor.fetchall() == []


async def test_the_session_speaks_utc_whatever_the_server_prefers(stack: Services) -> None:
    url = make_conninfo(stack.database_url, options="-c TimeZone=Asia/Tokyo")
    async with make_pool(url, 1) as pool, pool.connection() as conn:
        assert await (await conn.execute("show timezone")).fetchone() == ("UTC",)
