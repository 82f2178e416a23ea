"""From a result to a provider: how long it takes until the first message, and what a thousand outages at once make.

    python -m bench.alerts [--outages 60] [--assert]

The real scheduler and worker on the embedded stack, a webhook on loopback. First monitors of ports that are closed one
after the other: from the commit of the confirming result to the message's arrival. Then a thousand results in one
second, written as a worker writes them, that bring every monitor down, and later up.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
from psycopg.types.json import Jsonb

from bench.bounds import Bound, verdict
from pinguin.db import Pool, connection, make_pool
from pinguin.embedded.stack import EmbeddedStack
from pinguin.lifecycle import configure_logs
from pinguin.model import Result, Status
from pinguin.settings import Settings
from pinguin.setup import prepare_database
from pinguin.worker.recorder import record
from tests.receiver import Answer, Receiver, receiver

THOUSAND = 1000
CONFIRMED = """
select m.name, extract(epoch from r.recorded_at)::float
from incidents i join monitors m on m.id = i.monitor_id
join results r on r.monitor_id = i.monitor_id and r.scheduled_at = i.confirmed_at
"""


async def ask(pool: Pool, sql: str, *arguments: Any) -> list[tuple[Any, ...]]:
    async with connection(pool) as conn:
        return await (await conn.execute(sql, arguments)).fetchall()


async def outages(pool: Pool, provider: Receiver, arrived: dict[str, float], number: int) -> list[float]:
    """Seconds from commit to arrival, one an outage."""
    ports = [await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0) for _ in range(number)]
    for n, port in enumerate(ports):
        options = Jsonb({"host": "127.0.0.1", "port": port.sockets[0].getsockname()[1]})
        await ask(
            pool,
            "insert into monitors (name, type, target, options, interval_s, timeout_s, failure_threshold)"
            " values (%s, 'tcp', 'loopback', %s, 1, 0.5, 1) returning id",
            f"m{n}",
            options,
        )
    while (await ask(pool, "select count(*) from monitor_states where status = 'up'"))[0][0] < number:
        await asyncio.sleep(0.5)
    for n, port in enumerate(ports):
        port.close()
        while f"m{n}" not in arrived:
            await asyncio.sleep(0.05)
        await asyncio.sleep(0.3)
    committed = dict(await ask(pool, CONFIRMED))
    await ask(pool, "update monitors set enabled = false returning id")
    return sorted(at - committed[name] for name, at in arrived.items())


async def thousand(pool: Pool, provider: Receiver) -> dict[str, tuple[float, int]]:
    """Seconds from the first commit to the last message, and how many messages: down, then up."""
    ids = [
        row[0]
        for row in await ask(
            pool,
            "insert into monitors (name, type, target, options, interval_s, failure_threshold, passive)"
            " select 't' || n, 'push', 'thousand', '{}', 60, 1, true from generate_series(1, %s) n returning id",
            THOUSAND,
        )
    ]
    found = {}
    for status in (Status.DOWN, Status.UP):
        before, now = len(provider.came), datetime.now(UTC) + timedelta(seconds=1)
        reason = "refused" if status is Status.DOWN else None
        results = [Result(i, now, "local", 1, status, now, reason=reason, message=reason) for i in ids]
        began = time.time()
        await asyncio.gather(*(record(pool, results[n : n + 250]) for n in range(0, THOUSAND, 250)))
        while sum(len(each["items"]) for each in provider.came[before:]) < THOUSAND and time.time() < began + 60:
            await asyncio.sleep(0.05)
        found[status.value] = time.time() - began, len(provider.came) - before
    return found


async def measure(number: int) -> tuple[list[float], dict[str, tuple[float, int]]]:
    with tempfile.TemporaryDirectory() as folder:
        async with EmbeddedStack(Path(folder)) as stack, receiver() as provider:
            settings = Settings(database_url=stack.database_url, redis_url=stack.redis_url, log_level="error")
            await prepare_database(settings)
            arrived: dict[str, float] = {}

            async def behave(message: dict[str, Any]) -> Answer:
                for item in message["items"]:
                    arrived.setdefault(item["monitor"], time.time())
                return 200, {}

            provider.behave = behave
            for name in ("scheduler", "worker"):
                command = [sys.executable, "-m", "pinguin", name]
                await stack.supervisor.start(name, command, env=msgspec.structs.replace(settings).environment())
            async with make_pool(stack.database_url, 4) as pool:
                await ask(
                    pool,
                    "insert into channels (name, kind, options, is_default, per_minute)"
                    " values ('hook', 'webhook', %s, true, 600) returning id",
                    Jsonb({"url": provider.url}),
                )
                took = await outages(pool, provider, arrived, number)
                return took, await thousand(pool, provider)


def bounds(took: Sequence[float], many: dict[str, tuple[float, int]]) -> list[Bound]:
    found = [Bound("commit to first send, p99", took[min(len(took) - 1, int(len(took) * 0.99))], 1, "s")]
    for status, (seconds, messages) in many.items():
        found.append(Bound(f"a thousand {status}: told after", seconds, 5, "s"))
        found.append(Bound(f"a thousand {status}: messages", messages, 1))
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--outages", type=int, default=60, help="how many, one after the other")
    parser.add_argument("--assert", dest="enforced", action="store_true", help="exit 1 where a bound is missed")
    arguments = parser.parse_args()
    configure_logs(Settings(log_level="error"), "bench")
    took, many = asyncio.run(measure(arguments.outages))
    middle = took[len(took) // 2]
    print(f"commit to first send, {len(took)} outages: median {middle:.2f} s, most {took[-1]:.2f} s")
    print(f"The machine: {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} over the last minute.")
    return verdict(bounds(took, many), enforced=arguments.enforced)


if __name__ == "__main__":
    sys.exit(main())
