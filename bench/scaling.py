"""Whether two worker processes do twice the work of one: checks for a second of their CPU, as they take more cores.

    python -m bench.scaling [--seconds 10] [--rounds 3] [--assert]

Each process is offered the same load: N processes get N times the monitors. What is measured is CPU of the workers and
of their supervisor for each committed result. Checks a second of wall time would say more of the database and of the
targets, which share these cores; what the processes lose to each other (locks, smaller batches, a supervisor) is in
their CPU.
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import statistics
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

import msgspec
import psycopg

from bench.bounds import Bound, verdict
from bench.processes import cpu_seconds
from bench.target import ADDRESSES, Target, target
from pinguin.broker import Broker
from pinguin.embedded.stack import EmbeddedStack
from pinguin.lifecycle import configure_logs
from pinguin.settings import Settings
from pinguin.setup import prepare_database

COUNTS = (1, 2)
RATE, INTERVAL_S, SETTLE_S = 200, 2, 8
MOST_LOST = 0.10
MONITORS = """
insert into monitors (name, type, target, options, interval_s, timeout_s)
select 'bench', 'http', 'bench', jsonb_build_object(
  'url', format('http://%%s:%%s/', (%(addresses)s::text[])[1 + n %% %(hosts)s::int], %(port)s::int)), %(interval)s, 2
from generate_series(1, %(count)s) n
returning id
"""


async def cost(
    stack: EmbeddedStack, settings: Settings, aim: Target, processes: int, seconds: int, number: int
) -> float:
    """CPU microseconds a check of `processes` workers, each of them offered `RATE` a second. number: of the round."""
    values = {
        "addresses": ADDRESSES, "hosts": len(ADDRESSES), "port": aim.port, "interval": INTERVAL_S,
        "count": processes * RATE * INTERVAL_S,
    }  # fmt: skip
    arguments = [sys.executable, "-m", "pinguin", "worker", "--processes", str(processes)]
    worker = await stack.supervisor.start(
        f"{processes} workers, round {number}", arguments, env=settings.environment(), grace=30
    )
    try:
        async with await psycopg.AsyncConnection.connect(stack.database_url, autocommit=True) as conn:
            ids = [row[0] for row in await (await conn.execute(MONITORS, values)).fetchall()]
            await _announce(settings, ids)
            await asyncio.sleep(SETTLE_S)
            family = _family(worker.pid or 0)
            assert len(family) == (processes + 1 if processes > 1 else 1), "a worker did not start"
            before, rows = sum(map(cpu_seconds, family)), await _rows(conn)
            await asyncio.sleep(seconds)
            spent, done = sum(map(cpu_seconds, family)) - before, await _rows(conn) - rows
            assert done > 0.8 * processes * RATE * seconds, f"only {done} checks: this machine is too busy"
            await conn.execute("update monitors set archived_at = now() where archived_at is null")
            await _announce(settings, ids)
            return 1e6 * spent / done
    finally:
        await worker.stop()


def _family(pid: int) -> list[int]:
    """The process and its children."""
    found = [pid]
    with suppress(FileNotFoundError):
        for thread in Path(f"/proc/{pid}/task").iterdir():
            found += [int(child) for child in (thread / "children").read_text().split()]
    return found


async def _announce(settings: Settings, ids: list[int]) -> None:
    async with Broker.connect(settings.redis_url) as broker:
        await broker.announce_change(ids)


async def _rows(conn: psycopg.AsyncConnection[tuple[int]]) -> int:
    row = await (await conn.execute("select count(*) from results")).fetchone()
    assert row
    return row[0]


async def measure(folder: Path, seconds: int, rounds: int) -> dict[int, list[float]]:
    """CPU microseconds a check, by the number of processes."""
    found: dict[int, list[float]] = {count: [] for count in COUNTS}
    with target() as aim:
        async with EmbeddedStack(folder / "data") as stack:
            settings = msgspec.structs.replace(
                Settings(), database_url=stack.database_url, redis_url=stack.redis_url, log_level="error"
            )
            await prepare_database(settings)
            command = [sys.executable, "-m", "pinguin", "scheduler"]
            await stack.supervisor.start("scheduler", command, env=settings.environment(), grace=20)
            for number in range(rounds):
                for count in COUNTS:
                    found[count].append(await cost(stack, settings, aim, count, seconds, number))
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=10, help="length of each measurement")
    parser.add_argument("--rounds", type=int, default=3, help="how often; medians count")
    parser.add_argument("--assert", action="store_true", dest="enforced", help="exit 1 where the bound is missed")
    arguments = parser.parse_args()
    configure_logs(Settings(log_level="error"), "bench")
    folder = Path(tempfile.mkdtemp(prefix="pinguin-bench-"))
    try:
        found = asyncio.run(measure(folder, arguments.seconds, arguments.rounds))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    medians = {count: statistics.median(values) for count, values in found.items()}
    for count, median in medians.items():
        rate = 1e6 / median
        print(f"{count} worker processes: {median:.0f} µs of CPU a check, {rate:,.0f} checks a second of CPU")
    lost = 1 - medians[COUNTS[0]] / medians[COUNTS[-1]]
    return verdict(
        [Bound("checks for a second of CPU that two processes lose to one", lost, MOST_LOST)],
        enforced=arguments.enforced,
    )


if __name__ == "__main__":
    sys.exit(main())
