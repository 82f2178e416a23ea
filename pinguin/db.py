"""The database pool, SQL by name, and migrations. No SQL text in Python but the migration's own bookkeeping."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, LiteralString, cast

import psycopg
import psycopg_pool
import structlog
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from pinguin.errors import PinguinError, Unavailable

SQL = Path(__file__).resolve().parent.parent / "sql"

_ALIVE = {"keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3, "tcp_user_timeout": 15000}
"""So that a host which is gone without a word is noticed within half a minute. (On a unix socket they mean nothing.)"""

Connection = AsyncConnection[Any]
Pool = AsyncConnectionPool[Connection]

_log = structlog.get_logger(__name__)
_NAME = re.compile(r"^-- name: (\w+)\n", re.MULTILINE)


def queries(file: str) -> Mapping[str, LiteralString]:
    """The named statements of `sql/queries/<file>.sql`: each begins with `-- name: …` and says why below it."""
    parts = _NAME.split((SQL / "queries" / f"{file}.sql").read_text())
    named = dict(zip(parts[1::2], (part.strip() for part in parts[2::2]), strict=True))
    if len(named) != len(parts) // 2:
        raise ValueError(f"{file}.sql names a statement twice")
    return cast("Mapping[str, LiteralString]", named)


def make_pool(url: str, size: int, timeout_s: float = 10, check: bool = True) -> Pool:
    """A closed pool of up to `size` autocommit connections; open it with `async with`.

    timeout_s: how long to wait for one. check: ask a connection whether it lives before it is given out, which costs
    a round trip; without it a dead one is `Unavailable` once.

    A statement outside `connection.transaction()` commits by itself. A task never holds two connections at once: on
    the embedded database that is a deadlock.
    """
    return AsyncConnectionPool(
        url,
        min_size=1,
        max_size=size,
        open=False,
        timeout=timeout_s,
        reconnect_timeout=5,
        max_lifetime=1800,
        check=AsyncConnectionPool.check_connection if check else None,
        kwargs={"autocommit": True, "connect_timeout": 5, "application_name": "pinguin", **_ALIVE},
        connection_class=AsyncConnection[Any],
        configure=_speak_utc,
    )


async def _speak_utc(conn: Connection) -> None:
    """Days and months begin in UTC, whatever zone the server prefers."""
    row = await (await conn.execute("show timezone")).fetchone()
    if row is None or row[0] not in ("UTC", "Etc/UTC"):
        await conn.execute("set timezone = 'UTC'")


@asynccontextmanager
async def connection(
    pool: Pool, timeout_s: float | None = None, within_s: float | None = None
) -> AsyncIterator[Connection]:
    """A connection from the pool, within `timeout_s` or the pool's own patience.

    within_s: how long the whole block may take, for a database that takes statements and never answers.
    Raises `Unavailable` when the database is away, in whatever way it went.
    """
    try:
        async with asyncio.timeout(within_s), pool.connection(timeout_s) as conn:
            yield conn
    except TimeoutError as error:
        raise Unavailable(f"the database did not answer within {within_s:g} s") from error
    except (psycopg_pool.PoolTimeout, psycopg_pool.PoolClosed, psycopg.OperationalError, OSError) as error:
        raise Unavailable(f"the database does not answer: {error}") from error


def migrations() -> Iterator[tuple[int, str, LiteralString]]:
    """(number, name, SQL) of every migration, in order. No number is there twice; one may be missing, for what two
    people write at a time comes when it comes, and each that was not done yet is done.
    """
    last = 0
    for path in sorted((SQL / "migrations").glob("*.sql")):
        number, _, name = path.stem.partition("_")
        if int(number) <= last:
            raise PinguinError(f"sql/migrations/{path.name}: there is a number {number} already")
        last = int(number)
        yield last, name, path.read_text()


async def migrate(url: str) -> list[str]:
    """Bring the database to the newest version; the names of the migrations that ran. Any number may race.

    A table lock keeps others out: session advisory locks mean nothing on the embedded database.
    """
    async with await _connect(url) as conn:
        await conn.execute("set client_min_messages = warning")
        await _create(conn, "create extension if not exists timescaledb")
        await _create(
            conn,
            "create table if not exists schema_migrations ("
            "number integer primary key, name text not null, applied_at timestamptz not null default now())",
        )
        ran = []
        for number, name, text in migrations():
            async with conn.transaction():
                await conn.execute("lock table schema_migrations in access exclusive mode")
                done = await conn.execute("select 1 from schema_migrations where number = %s", (number,))
                if await done.fetchone():
                    continue
                await conn.execute(text)
                await conn.execute("insert into schema_migrations (number, name) values (%s, %s)", (number, name))
            _log.info("migrated", number=number, name=name)
            ran.append(f"{number:03} {name}")
        return ran


async def _create(conn: Connection, statement: LiteralString) -> None:
    """`if not exists` does not keep two that race from both creating: the loser looks again."""
    try:
        await conn.execute(statement)
    except (psycopg.IntegrityError, psycopg.errors.DuplicateObject, psycopg.errors.DuplicateTable):
        await conn.execute(statement)


async def why_unreachable(url: str) -> str | None:
    """None where the database takes a connection, else libpq's own words: a pool only says that it waited."""
    try:
        async with await _connect(url):
            return None
    except Unavailable as error:
        return " ".join(str(error.__cause__).split())


async def _connect(url: str) -> Connection:
    try:
        return await AsyncConnection.connect(url, autocommit=True, connect_timeout=10)
    except psycopg.OperationalError as error:
        raise Unavailable(f"the database does not answer: {error}") from error


async def pending_migrations(pool: Pool) -> list[str]:
    """Names of the migrations that this code has and the database has not."""
    async with connection(pool) as conn:
        exists = await (await conn.execute("select to_regclass('schema_migrations')")).fetchone()
        done: set[int] = set()
        if exists and exists[0]:
            done = {row[0] for row in await (await conn.execute("select number from schema_migrations")).fetchall()}
    return [f"{number:03} {name}" for number, name, _ in migrations() if number not in done]
