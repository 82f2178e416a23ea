"""500 open pages on one web process, while results come as from 10,000 monitors a minute: what that costs the process,
and how long it takes from the hint that something is new to the page that shows it.
"""

from __future__ import annotations

import asyncio
import contextlib
import html
import re
import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count, cycle, islice
from urllib.parse import urlsplit

import httpx
import psycopg

from bench.bounds import Bound
from bench.processes import cpu_seconds, memory_mb
from pinguin.broker import Broker
from pinguin.settings import Settings
from pinguin.web.sessions import cookie_name

PAGES, LISTS = 500, 40
"""Of the pages a fifth are dashboards, two fifths show the first page of the list, the others go through it."""
RATE, BATCH_S, WARM_UP_S, SECONDS = 170, 0.1, 5, 20
P95_MS, MEMORY_MB, CPU = 2000.0, 400.0, 0.9

RESULTS = """
with written as (
  insert into results (monitor_id, scheduled_at, region, version, status, latency_ms, started_at, recorded_at, evidence)
  select id, now(), 'local', 1, 'up', 50 + random() * 50, now(), now(), '{}' from unnest(%(ids)s::bigint[]) id
  on conflict do nothing
)
update monitor_states set last_slot = now(), latency_ms = 50 + random() * 50 where monitor_id = any(%(ids)s)
"""
TURNED = """
with turned as (
  update monitor_states s set status = case s.status when 'up' then 'degraded' else 'up' end::monitor_status,
    since = now()
  where monitor_id = %(monitor)s returning s.status
)
insert into transitions (monitor_id, at, confirmed_at, to_status) select %(monitor)s, now(), now(), status from turned
"""


@dataclass(slots=True)
class Live:
    """cpu: share of a core that the web process took, and the database. delays: milliseconds from hint to page."""

    opened: int = 0
    told: int = 0
    cpu: float = 0.0
    database_cpu: float = 0.0
    memory: float = 0.0
    before: float = 0.0
    delays: list[float] = field(default_factory=list)

    def __str__(self) -> str:
        p50, p95 = statistics.median(self.delays), self.p95
        return (
            f"{self.opened} open pages, {RATE} results/s for {SECONDS} s: {self.told:,} fragments told, "
            f"from hint to page p50 {p50:.0f} / p95 {p95:.0f} / most {max(self.delays):.0f} ms; "
            f"web {100 * self.cpu:.0f} % of a core (database {100 * self.database_cpu:.0f} %), "
            f"{self.memory:.0f} MB, {self.before:.0f} MB before"
        )

    @property
    def p95(self) -> float:
        return statistics.quantiles(self.delays, n=20)[18]

    def bounds(self) -> list[Bound]:
        return [
            Bound("open pages", self.opened, PAGES, at_least=True),
            Bound("open pages: from hint to page, p95", self.p95, P95_MS, "ms"),
            Bound("open pages: CPU of the web process", self.cpu, CPU, "of a core"),
            Bound("open pages: memory of the web process", self.memory, MEMORY_MB, "MB"),
        ]


class OpenPages:
    """Browsers' event streams: raw sockets, so that the bench costs less than what it measures."""

    def __init__(self, address: str, token: str) -> None:
        self._address, self._cookie = address, f"{cookie_name(Settings())}={token}"
        self.hinted: dict[int, float] = {}
        self.found = Live()
        self.measuring = False

    async def streams(self) -> list[str]:
        """The addresses of the event streams of the pages that people have open."""
        async with httpx.AsyncClient(base_url=self._address, headers={"Cookie": self._cookie}, timeout=60) as client:
            lists: list[str] = []
            path = "/monitors?sort=status"
            while path and len(lists) < LISTS:
                text = (await client.get(path)).text
                lists.append(_stream_of(text))
                more = re.search(r'rel="next"[^>]*href="([^"]+)"|href="([^"]+)"[^>]*rel="next"', text)
                path = html.unescape(more[1] or more[2]) if more else ""
            dashboard = _stream_of((await client.get("/")).text)
        first, others = [lists[0]] * (2 * PAGES // 5), list(islice(cycle(lists), 2 * PAGES // 5))
        return [dashboard] * (PAGES // 5) + first + others

    async def read(self, path: str) -> None:
        """One page, until cancelled."""
        parts = urlsplit(self._address)
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port, limit=4_000_000)
        try:
            lines = [f"GET {path} HTTP/1.1", f"Host: {parts.netloc}", f"Cookie: {self._cookie}", "Accept: */*"]
            writer.write("\r\n".join([*lines, "", ""]).encode())
            first = await reader.readline()
            self.found.opened += b" 200 " in first
            while line := await reader.readline():
                if self.measuring and line.startswith(b"event: news"):
                    self.found.told += 1
                if self.measuring and b"data-monitor=" in line:
                    self._seen(line)
        finally:
            writer.close()

    def _seen(self, line: bytes) -> None:
        now = time.monotonic()
        for each in re.findall(rb'data-monitor="(\d+)"', line):
            if hinted := self.hinted.get(int(each)):
                self.found.delays.append((now - hinted) * 1000)


def _stream_of(page: str) -> str:
    found = re.search(r'sse-connect="([^"]+)"', page)
    assert found is not None
    return html.unescape(found[1])


async def measure(settings: Settings, address: str, token: str, monitors: int, web: int, database: int) -> Live:
    """web, database: their process ids."""
    pages = OpenPages(address, token)
    pages.found.before = memory_mb(web)
    reading = [asyncio.create_task(pages.read(path)) for path in await pages.streams()]
    coming = asyncio.create_task(_results(settings, pages, monitors))
    try:
        await asyncio.sleep(WARM_UP_S)
        spent, began, pages.measuring = [cpu_seconds(web), cpu_seconds(database)], time.monotonic(), True
        await asyncio.sleep(SECONDS)
        took = time.monotonic() - began
        pages.found.cpu = (cpu_seconds(web) - spent[0]) / took
        pages.found.database_cpu = (cpu_seconds(database) - spent[1]) / took
        pages.found.memory = memory_mb(web)
    finally:
        await _end([coming, *reading])
    return pages.found


async def _end(tasks: Sequence[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    for task in tasks:
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def _results(settings: Settings, pages: OpenPages, monitors: int) -> None:
    """Results of all monitors in turn; once a second one of them is degraded, or no more."""
    async with (
        await psycopg.AsyncConnection.connect(settings.database_url, autocommit=True) as conn,
        Broker.connect(settings.redis_url) as broker,
    ):
        began = time.monotonic()
        for number, ids in enumerate(_turns(monitors)):
            await asyncio.sleep(began + number * BATCH_S - time.monotonic())
            await conn.execute(RESULTS, {"ids": ids})
            if number % 10 == 0:
                await conn.execute(TURNED, {"monitor": 4})
            pages.hinted |= dict.fromkeys(ids, time.monotonic())
            await broker.announce_results(ids)


def _turns(monitors: int) -> Iterator[list[int]]:
    """Spread over the list, so that every page has news now and then."""
    size = round(RATE * BATCH_S)
    for start in count(0, size):
        yield [1 + (start + each) * 7919 % monitors for each in range(size)]
