"""One embedded stack for the whole session. Tests that kill something, or need options, start their own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest
from psycopg_pool import AsyncConnectionPool

from pinguin.embedded.stack import EmbeddedStack
from tests.data_folder import data_folder
from tests.embedded.clients import Conn, connect

TABLES = """
drop table if exists accounts;
drop table if exists readings;
create table accounts (id int primary key, v int);
create table readings (time timestamptz not null, id int not null, ok bool, ms float8);
"""


@pytest.fixture
async def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder of the test's own, with an empty database."""
    return await data_folder(tmp_path_factory, "own")


@pytest.fixture(scope="session")
async def embedded(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[EmbeddedStack]:
    async with EmbeddedStack(await data_folder(tmp_path_factory, "embedded")) as stack:
        yield stack


@pytest.fixture
async def tables(embedded: EmbeddedStack) -> None:
    """Empty `accounts`, and `readings`, a hypertable."""
    async with await connect(embedded.database_url) as conn:
        await conn.execute("set client_min_messages = warning")
        await conn.execute(TABLES)
        await conn.execute("select create_hypertable('readings', by_range('time', interval '1 hour'))")


@pytest.fixture
async def conn(embedded: EmbeddedStack, tables: None) -> AsyncIterator[Conn]:
    """A connection in autocommit; the tables are empty."""
    async with await connect(embedded.database_url) as conn:
        yield conn


@pytest.fixture
async def other(embedded: EmbeddedStack) -> AsyncIterator[Conn]:
    """Another one."""
    async with await connect(embedded.database_url) as conn:
        yield conn


@pytest.fixture(params=[None, 0, 5], ids=lambda threshold: f"prepare={threshold}")
async def pool(
    request: pytest.FixtureRequest, embedded: EmbeddedStack, tables: None
) -> AsyncIterator[AsyncConnectionPool[Conn]]:
    """Up to eight connections, growing on demand."""
    kwargs = {"prepare_threshold": request.param}
    async with AsyncConnectionPool[Conn](
        embedded.database_url, min_size=2, max_size=8, timeout=60, kwargs=kwargs, open=False
    ) as pool:
        await pool.wait(20)
        yield pool


@pytest.fixture
def start_stack(folder: Path) -> Callable[..., AbstractAsyncContextManager[EmbeddedStack]]:
    """Starts a stack of the test's own in a new folder, with options of main.mjs."""

    @asynccontextmanager
    async def start(*options: str, appendfsync: str = "everysec") -> AsyncIterator[EmbeddedStack]:
        async with EmbeddedStack(folder, database_options=options, appendfsync=appendfsync) as stack:
            yield stack

    return start
