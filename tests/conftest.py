"""A real database and Redis for every test that asks: PINGUIN_TEST_DATABASE_URL, Docker, or the embedded stack."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import hypothesis
import psycopg
import pytest
import redis.asyncio as aioredis
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from pinguin.broker import Broker
from pinguin.db import Pool, make_pool, migrate
from pinguin.embedded.stack import EmbeddedStack
from tests.data_folder import NO_FSYNC, data_folder
from tests.emptying import EMPTY, MAKE
from tests.lanes import (
    pytest_collection,
    pytest_collection_finish,
    pytest_collection_modifyitems,
    pytest_runtest_setup,
    pytest_xdist_make_scheduler,
)

__all__ = [
    "pytest_collection",
    "pytest_collection_finish",
    "pytest_collection_modifyitems",
    "pytest_runtest_setup",
    "pytest_xdist_make_scheduler",
]

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # As of what a shell starts in the background (`.ci/run &`). All that the tests start would be deaf to it as well.
    signal.signal(signal.SIGINT, signal.default_int_handler)

hypothesis.settings.register_profile("new examples", derandomize=False, deadline=None)
hypothesis.settings.load_profile("new examples")  # on CI too, where it would take the same ones each time

DATABASE_IMAGE = "timescale/timescaledb:2.23.1-pg17"
REDIS_IMAGE = "valkey/valkey:8.1-alpine"


@dataclass
class Services:
    """Where the tests' database and Redis are."""

    database_url: str
    redis_url: str
    embedded: EmbeddedStack | None = None


def has_docker() -> bool:
    """A Docker engine that answers, not only its client."""
    docker = shutil.which("docker")
    return docker is not None and subprocess.run([docker, "info"], capture_output=True).returncode == 0


@pytest.fixture(scope="session")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Services]:
    """Database and Redis for the whole session, migrated. One stack: tests that kill services start their own."""
    async with AsyncExitStack() as exit_stack:
        services = await _services(exit_stack, tmp_path_factory)
        await migrate(services.database_url)
        async with await psycopg.AsyncConnection.connect(services.database_url, autocommit=True) as conn:
            await conn.execute("set client_min_messages = warning")
            await conn.execute(MAKE)
        yield services


async def _services(exit_stack: AsyncExitStack, paths: pytest.TempPathFactory) -> Services:
    database_url = os.environ.get("PINGUIN_TEST_DATABASE_URL")
    redis_url = os.environ.get("PINGUIN_TEST_REDIS_URL")
    if not database_url and has_docker():
        return _containers(exit_stack)
    folder = await data_folder(paths, "stack", migrated=True)
    embedded = await exit_stack.enter_async_context(EmbeddedStack(folder, database_options=NO_FSYNC))
    if database_url:
        return Services(await _own_database(database_url), redis_url or embedded.redis_url)
    return Services(embedded.database_url, embedded.redis_url, embedded)


async def _own_database(url: str) -> str:
    """With several test processes each has a database of its own on the server: they empty it before each test."""
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    if worker is None:
        return url
    name = f"{conninfo_to_dict(url)['dbname']}_{worker}"
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as conn:
        await conn.execute(f'drop database if exists "{name}" with (force)')
        await conn.execute(f'create database "{name}"')
    return make_conninfo(url, dbname=name)


def _containers(exit_stack: AsyncExitStack) -> Services:
    from testcontainers.postgres import PostgresContainer
    from testcontainers.redis import RedisContainer

    database: Any = exit_stack.enter_context(PostgresContainer(DATABASE_IMAGE, driver=None))
    broker: Any = exit_stack.enter_context(RedisContainer(REDIS_IMAGE))
    redis_url = f"redis://{broker.get_container_host_ip()}:{broker.get_exposed_port(6379)}/0"
    return Services(database.get_connection_url(), redis_url)


@pytest.fixture
async def pool(stack: Services) -> AsyncIterator[Pool]:
    """An open pool on an empty database."""
    async with make_pool(stack.database_url, 4) as opened:
        async with opened.connection() as conn:
            await conn.execute(EMPTY)
        yield opened


@pytest.fixture
async def redis(stack: Services) -> AsyncIterator[aioredis.Redis]:
    """A client of an empty Redis."""
    client = aioredis.Redis.from_url(stack.redis_url, decode_responses=True)
    await client.flushdb()
    yield client
    await client.aclose()


@pytest.fixture
async def broker(stack: Services, redis: aioredis.Redis) -> AsyncIterator[Broker]:
    """A broker on an empty Redis."""
    async with Broker.connect(stack.redis_url) as connected:
        yield connected
