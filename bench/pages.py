"""How fast the pages are: every page and fragment, at 100, 1,000 and 10,000 monitors with a year behind them.

    python -m bench.pages [--monitors 100 1000 10000] [--only /incidents] [--assert]

Each address is asked 60 times, one after the other, of a real web process over the embedded database. The data is made
once and kept for half a day (bench/pages_data.py).
"""

from __future__ import annotations

import argparse
import asyncio
import os
import socket
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field

import httpx
import msgspec
import psycopg

from bench import pages_data, pages_live
from bench.bounds import Bound, verdict
from bench.pages_browser import FirstVisit, first_visits
from bench.pages_live import Live
from bench.pages_visits import Visited, Visits, counted, sign_in
from pinguin.lifecycle import configure_logs
from pinguin.settings import Settings

PAGE_MS, CHART_MS, PAINT_MS, FIRST_KB = 100.0, 200.0, 500.0, 150.0
PAINTED = ("/", "/monitors", "/monitors/4", "/incidents")
OPEN = "select max(id) from incidents where ended_at is null"


@dataclass(slots=True)
class Measured:
    """left_out: streams, redirections, and what the data has no example of."""

    monitors: int
    pages: list[Visited] = field(default_factory=list)
    first: list[FirstVisit] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    live: Live | None = None

    def by_key(self) -> dict[str, Visited]:
        return {each.key: each for each in self.pages}


async def measure(monitors: int, only: str, live: bool) -> Measured:
    async with pages_data.stack(monitors) as (stack, settings):
        settings = msgspec.structs.replace(settings, web_port=_free_port())
        address = f"http://{settings.web_host}:{settings.web_port}"
        web = await stack.supervisor.start(
            "web", [sys.executable, "-m", "pinguin", "web"], env=settings.environment(), ready=lambda: _answers(address)
        )
        token = await sign_in(address)
        async with counted(settings) as (app, counter):
            pids = [pid for pid in (web.pid, stack.database_child.pid) if pid is not None]
            found = Measured(monitors)
            visits = Visits(address, token, app, counter, settings, pids)
            if only != "live":
                found.pages = await visits.all({"incidents": await _incident(settings)}, only)
            found.left_out = visits.left_out
            await visits.close()
        if not only:
            found.first = await first_visits(address, token, PAINTED)
        if live:
            found.live = await pages_live.measure(settings, address, token, monitors, *pids)
    return found


async def _incident(settings: Settings) -> str:
    """The newest outage that goes on."""
    async with await psycopg.AsyncConnection.connect(settings.database_url) as conn:
        row = await (await conn.execute(OPEN)).fetchone()
    assert row is not None
    return str(row[0])


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def _answers(address: str) -> bool:
    try:
        async with httpx.AsyncClient(timeout=2) as client:
            return (await client.get(f"{address}/readyz")).is_success
    except httpx.HTTPError:
        return False


def show(measured: Sequence[Measured]) -> None:
    keys = list(dict.fromkeys(each.key for found in measured for each in found.pages))
    sizes = "".join(f"{f'{found.monitors:,} monitors':>30}" for found in measured)
    print(f"\n{'':<56}{sizes}\n{'page or fragment':<56}" + f"{'p50 / p95 ms  CPU SQL    kB':>30}" * len(measured))
    for key in sorted(keys):
        cells = []
        for found in measured:
            one = found.by_key().get(key)
            cells.append(
                f"{one.p50:.0f} / {one.p95:.0f} {one.cpu:>5.0f} {one.statements:>3} {one.size / 1000:>5.1f}"
                if one
                else "–"
            )
        print(f"{key[:54]:<56}" + "".join(f"{cell:>30}" for cell in cells))
    for found in measured:
        for first in found.first:
            print(
                f"first visit to {first.path}, {found.monitors:,} monitors: painted after {first.paint_ms:.0f} ms, "
                f"{first.kilobytes:.0f} kB transferred"
            )
        if found.live:
            print(found.live)
    print("Not pages, or not there with this data:", ", ".join(measured[-1].left_out))


def bounds(measured: Sequence[Measured]) -> list[Bound]:
    """Downloads have none: they are as long as what is asked for."""
    found: list[Bound] = []
    for size in measured:
        name = f"{size.monitors:,} monitors"
        found += [
            Bound(f"{name}: {page.key}, p95", page.p95, CHART_MS if "/chart" in page.key else PAGE_MS, "ms")
            for page in size.pages
            if not page.download
        ]
        for first in size.first:
            found.append(Bound(f"{name}: first contentful paint of {first.path}", first.paint_ms, PAINT_MS, "ms"))
            found.append(
                Bound(f"{name}: transferred on a first visit to {first.path}", first.kilobytes, FIRST_KB, "kB")
            )
        found += size.live.bounds() if size.live else []
    least, most = measured[0].by_key(), measured[-1].by_key()
    for key in sorted(least.keys() & most.keys()) if len(measured) > 1 else ():
        if not most[key].download:
            few = least[key].statements
            found.append(Bound(f"{key}: statements, more monitors", most[key].statements, few))
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--monitors", type=int, nargs="+", default=[100, 1000, 10000], help="how many, for each run")
    parser.add_argument("--only", default="", help="addresses that hold this; `live`: open pages")
    parser.add_argument("--assert", action="store_true", dest="enforced", help="exit 1 where a bound is missed")
    arguments = parser.parse_args()
    configure_logs(Settings(log_level="warning"), "bench")
    measured = []
    for monitors in arguments.monitors:
        print(f"Measuring {monitors:,} monitors …", file=sys.stderr, flush=True)
        live = arguments.only in ("", "live") and monitors == max(arguments.monitors)
        measured.append(asyncio.run(measure(monitors, arguments.only, live)))
    show(measured)
    print(f"\nThe machine: {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} over the last minute.")
    return verdict(bounds(measured), enforced=arguments.enforced)


if __name__ == "__main__":
    sys.exit(main())
