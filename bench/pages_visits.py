"""Every page and fragment, as the app's own routes and the links on its pages name them: how long each takes, how many
statements it sends to the database, how large it is.
"""

from __future__ import annotations

import html
import re
import statistics
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Self, cast
from urllib.parse import parse_qsl, urlsplit

import httpx
import psycopg
from litestar import Litestar
from litestar.routes import HTTPRoute

from bench.pages_data import NAME, PASSWORD
from bench.processes import cpu_seconds
from pinguin.broker import Broker
from pinguin.db import connection, make_pool
from pinguin.settings import Settings
from pinguin.store import tokens
from pinguin.web.api_tokens import new_token as new_api_token
from pinguin.web.app import create_app
from pinguin.web.sessions import cookie_name, token_hash

EXAMPLES = {"monitors": "4"}
"""For the numbers in addresses, by the word before them; else 1. Monitor 4 has raw results, and answers."""
NAMED = {"range", "status", "state", "sort", "group", "view", "span"}
"""Parameters whose every value is another page; of others one value stands for all."""
MOST = 9
"""Addresses that are measured of one path."""
WARM_UP = 2
TIMES, STREAM, SKIPPED = 60, "text/event-stream", ("/static", "/ping", "/sign-out", "/join")


@dataclass(frozen=True, slots=True)
class Visited:
    """One address. Milliseconds and bytes (as transferred).

    cpu: milliseconds of CPU of the web process and the database for a request, whatever else the machine has to do.
    statements: sent to the database by one request.
    """

    key: str
    address: str
    p50: float
    p95: float
    cpu: float
    statements: int
    size: int
    download: bool


@dataclass(slots=True)
class Counter:
    statements: int = 0


@asynccontextmanager
async def counted(settings: Settings) -> AsyncIterator[tuple[Litestar, Counter]]:
    """The same pages in this process, with every statement counted that they send to the database."""
    counter = Counter()

    class Counting(psycopg.AsyncCursor[Any]):
        async def execute(self, query: Any, *given: Any, **more: Any) -> Self:
            counter.statements += bool(query)
            return await super().execute(query, *given, **more)

    pool = make_pool(settings.database_url, 2)
    pool.kwargs = {**cast(dict[str, Any], pool.kwargs), "cursor_factory": Counting}
    async with pool, Broker.connect(settings.redis_url) as broker:
        yield create_app(settings, pool, broker), counter


async def sign_in(address: str) -> str:
    """The session's token."""
    async with httpx.AsyncClient(base_url=address, headers={"Origin": address}) as client:
        answer = await client.post("/sign-in", data={"name": NAME, "password": PASSWORD})
        assert answer.status_code == 303, answer.text
        return answer.cookies[cookie_name(Settings())]


class Visits:
    """Visits pages of the web process at `address`, and counts with `app`."""

    def __init__(
        self, address: str, token: str, app: Litestar, counter: Counter, settings: Settings, pids: Sequence[int]
    ) -> None:
        self._app, self._counter, self._settings, self._pids = app, counter, settings, pids
        given: dict[str, Any] = {
            "cookies": {cookie_name(Settings()): token},
            "headers": {"Origin": address, "Accept-Encoding": "gzip"},
            "timeout": 60,
        }
        self._client = httpx.AsyncClient(base_url=address, **given)
        self._counting = httpx.AsyncClient(transport=httpx.ASGITransport(cast(Any, app)), base_url=address, **given)
        self.left_out: list[str] = []

    async def close(self) -> None:
        await self._client.aclose()
        await self._counting.aclose()

    async def all(self, examples: Mapping[str, str], only: str = "") -> list[Visited]:
        """Every address that the routes and the pages themselves name, in order; those that hold `only`."""
        wanted = dict(self._routes({**EXAMPLES, **examples}))
        found: dict[str, Visited | None] = {}
        while left := [key for key in wanted if key not in found]:
            key = left[0]
            text = await self._look(wanted[key])
            found[key] = None
            if text is None:
                self.left_out.append(wanted[key])
                continue
            for link in _links(text):
                other = key_of(link)
                if self._is_page(link) and sum(_path(each) == _path(other) for each in wanted) < MOST:
                    wanted.setdefault(other, link)
            if only in wanted[key]:
                found[key] = await self._visit(key, wanted[key])
        return sorted((each for each in found.values() if each), key=lambda each: each.key)

    def _routes(self, examples: Mapping[str, str]) -> Iterator[tuple[str, str]]:
        for route in self._app.routes:
            if not isinstance(route, HTTPRoute) or route.path.startswith(SKIPPED):
                continue
            if any("GET" in each.http_methods and each.resolve_before_request() for each in route.route_handlers):
                address = re.sub(
                    r"([\w-]+)/\{[^}]*\}", lambda part: f"{part[1]}/{examples.get(part[1], '1')}", route.path_format
                )
                yield key_of(address), address

    def _is_page(self, link: str) -> bool:
        return link.startswith("/") and not link.startswith(("//", *SKIPPED))

    async def _look(self, address: str) -> str | None:
        """Its text, or None where there is none to measure: a stream, or something that is not there."""
        async with self._client.stream("GET", address, headers=await self._headers(address)) as answer:
            if answer.headers.get("content-type", "").startswith(STREAM) or 204 <= answer.status_code < 500:
                return None
            assert answer.status_code == 200, f"{address}: {answer.status_code}"
            return (await answer.aread()).decode("utf-8", "replace")

    async def _headers(self, address: str) -> dict[str, str]:
        """A token for each address of the API, which answers one token only so often."""
        return {"Authorization": f"Bearer {await bearer(self._settings)}"} if address.startswith("/api/") else {}

    async def _visit(self, key: str, address: str) -> Visited:
        times, size, download, spent, headers = [], 0, False, 0.0, await self._headers(address)
        for number in range(TIMES + WARM_UP):
            if number == WARM_UP:
                spent = self._spent()
            began = time.perf_counter()
            answer = await self._client.get(address, headers=headers)
            took = (time.perf_counter() - began) * 1000
            assert answer.status_code < 400, f"{address}: {answer.status_code}"
            if number >= WARM_UP:
                times.append(took)
            size = answer.num_bytes_downloaded
            download = "content-disposition" in answer.headers
            if download:
                break
        cpu = 1000 * (self._spent() - spent) / TIMES if times else took
        await self._counting.get(address, headers=headers)  # what a process remembers, it knows now
        before = self._counter.statements
        await self._counting.get(address, headers=headers)
        statements = self._counter.statements - before
        p50, p95 = (statistics.median(times), statistics.quantiles(times, n=20)[18]) if times else (took, took)
        return Visited(key, address, p50, p95, cpu, statements, size, download)

    def _spent(self) -> float:
        return sum(cpu_seconds(pid) for pid in self._pids)


def key_of(address: str) -> str:
    """The same for pages that differ only in whose they are."""
    parts = urlsplit(address)
    given = sorted({name: value if name in NAMED else "…" for name, value in parse_qsl(parts.query)}.items())
    path = re.sub(r"/\d+(?=/|$|\.)", "/N", parts.path)
    return path + ("?" + "&".join(f"{name}={value}" for name, value in given) if given else "")


def _path(key: str) -> str:
    return key.partition("?")[0]


def _links(text: str) -> list[str]:
    found = re.findall(r'(?:href|hx-get)="(/[^"#]*)', text)
    return [html.unescape(link) for link in dict.fromkeys(found)]


async def bearer(settings: Settings) -> str:
    """A token for the API."""
    token = new_api_token()
    async with make_pool(settings.database_url, 1) as pool, connection(pool) as conn:
        await tokens.create(conn, 1, name="bench", token_hash=token_hash(token), hint=token[:8], scope="read", days=1)
    return token
