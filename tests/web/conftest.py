"""The pages over a real database and Redis, and clients that behave like browsers."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any, cast

import httpx
import psycopg
import pytest
from argon2 import PasswordHasher
from litestar import Litestar

from pinguin.broker import Broker
from pinguin.db import Pool, connection, make_pool
from pinguin.people import Role
from pinguin.settings import Settings
from pinguin.store import accounts, sessions
from pinguin.web.app import create_app
from pinguin.web.passwords import Passwords
from pinguin.web.service import Web
from pinguin.web.sessions import cookie_name, new_token, token_hash
from pinguin.web.throttle import Door
from tests.conftest import Services
from tests.emptying import EMPTY_AUDIT
from tests.web.streams import served

ADDRESS = "http://pinguin.test"
PASSWORD = "a penguin in the rain"
SECRET_KEY = "a key for these tests alone"
SETUP_TOKEN = "from-the-console-of-the-tests"
CODES_AT = 1_800_000_000
"""When the codes of second factors are made and looked at: those of the real clock change every 30 s."""


class Client(httpx.AsyncClient):
    """A browser: says where a form comes from, and sends the token of the page that it was on."""

    async def token(self) -> str:
        found = re.search(r'name="_csrf" value="([^"]+)"', (await self.get("/incidents")).text)
        assert found is not None
        return found[1]

    async def submit(self, path: str, fields: dict[str, Any] | None = None, **given: Any) -> httpx.Response:
        return await self.post(path, data={"_csrf": await self.token(), **(fields or {})}, **given)


_EMPTY = f"""
{EMPTY_AUDIT};
delete from failed_sign_ins;
delete from maintenance_windows; delete from maintenances;
delete from notifications; delete from attempts; delete from messages; delete from channels; delete from channel_groups;
delete from monitor_dependencies; delete from incident_events; delete from monitor_expiries; delete from slow_spells;
delete from pipeline_incidents;
delete from sessions; delete from users; delete from monitor_states; delete from transitions; delete from incidents;
delete from monitor_versions; delete from monitors; delete from results; delete from pings; delete from push_watch;
select setval(pg_get_serial_sequence(name, 'id'), 1, false)
from unnest('{{users,api_tokens,monitors,incidents,transitions,channels,channel_groups,messages,maintenances,
maintenance_windows}}'::text[]) name
"""


@pytest.fixture(scope="session")
async def open_pool(stack: Services) -> AsyncIterator[Pool]:
    """One for all tests, and nothing in the roll-ups: the pages' tests leave nothing there."""
    async with make_pool(stack.database_url, 4) as opened:
        async with connection(opened) as conn:
            await conn.execute("truncate results_hourly")
            await conn.execute("truncate results_daily")
        yield opened


@pytest.fixture(scope="session")
async def one_app(stack: Services, open_pool: Pool) -> AsyncIterator[Litestar]:
    """To make an app takes longer than most tests."""
    settings = Settings(
        database_url=stack.database_url,
        redis_url=stack.redis_url,
        web_host="pinguin.test",
        secret_key=SECRET_KEY,
        setup_token=SETUP_TOKEN,
    )
    async with Broker.connect(stack.redis_url) as broker:
        yield create_app(settings, open_pool, broker)


@pytest.fixture
async def pool(open_pool: Pool) -> Pool:
    """As the tests' own, but emptied faster: these tests write few rows, and there are many of them."""
    async with connection(open_pool) as conn:
        await conn.execute(_EMPTY)
    return open_pool


@pytest.fixture
def app(one_app: Litestar, pool: Pool, monkeypatch: pytest.MonkeyPatch) -> Litestar:
    """It takes no slow moment of this machine for the loss of the database, and its clock for codes stands still."""
    for bound in ("web.database.PATIENCE_S", "web.intake.PATIENCE_S"):
        monkeypatch.setattr(f"pinguin.{bound}", 60.0)
    monkeypatch.setattr("pinguin.web.totp.time", SimpleNamespace(time=lambda: CODES_AT))
    web: Web = one_app.state.web
    web.passwords = cheap()
    web.door = Door()
    return one_app


def cheap() -> Passwords:
    """Argon2id, but not slow: tests make many accounts."""
    return Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))


@asynccontextmanager
async def browser(app: Litestar, address: str = "127.0.0.1") -> AsyncIterator[Client]:
    transport = httpx.ASGITransport(cast(Any, app), raise_app_exceptions=False, client=(address, 123))
    async with Client(transport=transport, base_url=ADDRESS, headers={"Origin": ADDRESS}) as client:
        yield client


@pytest.fixture
async def visitor(app: Litestar) -> AsyncIterator[Client]:
    """Nobody has an account yet."""
    async with browser(app) as client:
        yield client


async def account(pool: Pool, name: str = "ada") -> int:
    async with connection(pool) as conn:
        made = await accounts.create_first(conn, name, await cheap().hash(PASSWORD))
    assert made is not None
    return made


async def person(pool: Pool, name: str, role: Role) -> int:
    """Another account, with the same password."""
    hashed = await cheap().hash(PASSWORD)
    async with connection(pool) as conn:
        made = await accounts.create_invited(conn, name, role)
        assert made is not None
        await accounts.set_password(conn, made, hashed)
    return made


async def signed_in(client: Client, pool: Pool, user_id: int, lifetime_s: int = 600) -> str:
    token = new_token()
    async with connection(pool) as conn:
        await sessions.open_session(conn, user_id, token_hash(token), lifetime_s)
    client.cookies.set(cookie_name(Settings()), token, domain="pinguin.test")
    return token


@pytest.fixture
async def client(visitor: Client, pool: Pool) -> Client:
    """Signed in."""
    await signed_in(visitor, pool, await account(pool))
    return visitor


class Statements:
    def __init__(self) -> None:
        self.count = 0


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> Statements:
    """Counts what is sent to the database; the pool's own liveness check is empty and does not count."""
    found = Statements()
    execute = psycopg.AsyncCursor.execute

    async def counted(self: Any, query: Any, *given: Any, **more: Any) -> Any:
        found.count += bool(query)
        return await execute(self, query, *given, **more)

    monkeypatch.setattr(psycopg.AsyncCursor, "execute", counted)
    return found


@pytest.fixture
async def live(
    stack: Services, pool: Pool, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[str, Litestar]]:
    """Address and app. Its streams are told again of what happened while they opened, however slowly."""
    monkeypatch.setattr("pinguin.web.hub.REPLAY_S", 60)
    await account(pool)
    app = create_app(Settings(database_url=stack.database_url, redis_url=stack.redis_url), pool, broker)
    async with served(app) as address:
        async with asyncio.timeout(60):
            while not app.state.web.hub.connected:
                await asyncio.sleep(0.01)
        yield address, app
