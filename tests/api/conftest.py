"""Programs that ask the API, each with a token of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import httpx
import pytest
from litestar import Litestar

from pinguin.db import Pool, connection
from pinguin.people import Role, Scope
from pinguin.store import tokens
from pinguin.web import api_tokens
from pinguin.web.rate import Rate
from pinguin.web.service import Web
from pinguin.web.sessions import token_hash
from tests.web.conftest import ADDRESS, account, one_app, open_pool, person, pool, statements
from tests.web.conftest import app as pages

__all__ = ["one_app", "open_pool", "pages", "pool", "statements"]

BASE = "/api/v1"


class Program(httpx.AsyncClient):
    """A client with a token, its address the API's."""

    async def sent(self, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.request(method, BASE + path, json=body, headers=named)

    async def read(self, path: str, **query: Any) -> Any:
        answer = await self.get(BASE + path, params={name.rstrip("_"): value for name, value in query.items()})
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def done(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """What is answered, where all is well."""
        answer = await self.sent(method, path, body, **headers)
        assert answer.is_success, answer.text
        return answer.json() if answer.content else None


@pytest.fixture
def app(pages: Litestar) -> Litestar:
    """Nobody has asked too often yet."""
    web: Web = pages.state.web
    web.rate = Rate()
    return pages


async def new_token(pool: Pool, user_id: int, scope: Scope = "write", name: str = "tests") -> str:
    token = api_tokens.new_token()
    async with connection(pool) as conn:
        given = {"name": name, "token_hash": token_hash(token), "hint": token[: api_tokens.HINT], "scope": scope}
        await tokens.create(conn, user_id, days=30, **given)  # type: ignore[arg-type]
    return token


@asynccontextmanager
async def program(app: Litestar, token: str = "") -> AsyncIterator[Program]:
    transport = httpx.ASGITransport(cast(Any, app), raise_app_exceptions=False, client=("127.0.0.1", 123))
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    async with Program(transport=transport, base_url=ADDRESS, headers=headers) as made:
        yield made


@pytest.fixture
async def owner(app: Litestar, pool: Pool) -> AsyncIterator[Program]:
    """ada's, number 1, with all that she may do."""
    async with program(app, await new_token(pool, await account(pool), "people")) as made:
        yield made


@pytest.fixture
async def editor(app: Litestar, pool: Pool, owner: Program) -> AsyncIterator[Program]:
    async with program(app, await new_token(pool, await person(pool, "bob", Role.EDITOR))) as made:
        yield made


@pytest.fixture
async def viewer(app: Litestar, pool: Pool, owner: Program) -> AsyncIterator[Program]:
    async with program(app, await new_token(pool, await person(pool, "cyd", Role.VIEWER), "read")) as made:
        yield made


@pytest.fixture
async def stranger(app: Litestar) -> AsyncIterator[Program]:
    async with program(app) as made:
        yield made
