"""Senders that are killed between claim, send and mark: `python -m tests.chaos.senders [--kills 100]`. TRAP 6.

The provider hears of each outage once, or twice with the same key; never not at all. Exit 1 where it is otherwise.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from asyncio.subprocess import Process
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from psycopg.types.json import Jsonb

from pinguin.db import Pool, make_pool
from pinguin.embedded.stack import EmbeddedStack
from pinguin.model import Status
from pinguin.settings import Settings
from pinguin.setup import prepare_database
from pinguin.worker.recorder import record
from tests.factory import add_monitor, fetch, result
from tests.receiver import Answer, Receiver, receiver

MOMENTS = ("claimed, not sent", "sent, not answered", "answered, not marked")
LEASE_S = 2.0
STANDBY = 2
"""Senders that live at any time, so that somebody takes over while a new one starts."""


@dataclass
class Tally:
    """What became of each kill. came: how often the provider heard of it. keys: how many idempotency keys it saw."""

    came: dict[str, Counter[int]] = field(default_factory=lambda: {moment: Counter() for moment in MOMENTS})
    keys: Counter[int] = field(default_factory=Counter)

    def complaints(self) -> list[str]:
        found = [f"{moment}: heard {n} times" for moment, times in self.came.items() for n in times if n not in (1, 2)]
        found += [f"{n} keys of one message" for n in self.keys if n != 1]
        return found + [f"{moment}: heard twice" for moment in MOMENTS[:1] if self.came[moment][2]]


class Senders:
    """The processes by their names."""

    def __init__(self, url: str) -> None:
        self._url, self._made = url, 0
        self.living: dict[str, Process] = {}

    async def start(self) -> None:
        self._made += 1
        name = f"sender-{self._made}"
        self.living[name] = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.chaos.sender_process", self._url, name, str(LEASE_S),
            stderr=asyncio.subprocess.DEVNULL, cwd=Path(__file__).parents[2],
        )  # fmt: skip

    async def kill(self, name: str) -> None:
        process = self.living.pop(name)
        process.kill()
        await process.wait()
        await self.start()

    async def end(self) -> None:
        for process in self.living.values():
            process.terminate()
            await process.wait()


@asynccontextmanager
async def at_work(url: str) -> AsyncIterator[Senders]:
    senders = Senders(url)
    try:
        for _ in range(STANDBY):
            await senders.start()
        yield senders
    finally:
        await senders.end()


async def kill_senders(url: str, pool: Pool, kills: int) -> Tally:
    """So many outages; the sender of each is killed at one of the moments, in turn."""
    tally = Tally()
    async with receiver() as provider, at_work(url) as senders:
        options = Jsonb({"url": provider.url})
        await fetch(
            pool,
            "insert into channels (name, kind, options, is_default, per_minute)"
            " values ('hook', 'webhook', %s, true, 600) returning id",
            options,
        )
        for n in range(kills):
            moment = MOMENTS[n % len(MOMENTS)]
            await _killed(pool, provider, senders, n, moment)
            mine = [i for i, message in enumerate(provider.came) if message["items"][0]["monitor"] == f"m{n}"]
            tally.came[moment][len(mine)] += 1
            tally.keys[len({provider.keys[i] for i in mine})] += 1
    return tally


async def _killed(pool: Pool, provider: Receiver, senders: Senders, number: int, moment: str) -> None:
    monitor = await add_monitor(pool, name=f"m{number}", failure_threshold=1)
    answered, stalling = asyncio.Event(), moment == MOMENTS[1]

    async def behave(_: dict[str, Any]) -> Answer:
        nonlocal stalling
        if stalling:
            stalling = False
            await asyncio.sleep(30)
        answered.set()
        return 200, {}

    provider.behave = behave
    before = len(provider.came)
    await record(pool, [result(monitor, 0, Status.DOWN)])
    async with asyncio.timeout(60):
        name = await _claimer(pool)
        if moment == MOMENTS[1]:
            await provider.until(before + 1)
        elif moment == MOMENTS[2]:
            await answered.wait()
            await asyncio.sleep(0.1)
        await senders.kill(name)
        while (await fetch(pool, "select status from notifications where monitor_id = %s", monitor))[0][0] != "sent":
            await asyncio.sleep(0.05)


async def _claimer(pool: Pool) -> str:
    while True:
        if found := await fetch(pool, "select claimed_by from messages where status = 'sending'"):
            return str(found[0][0]).partition("#")[0]  # each claim has a name of its own
        await asyncio.sleep(0.01)


async def _main(kills: int) -> int:
    with tempfile.TemporaryDirectory() as folder:
        async with EmbeddedStack(Path(folder)) as stack:
            await prepare_database(Settings(database_url=stack.database_url))
            async with make_pool(stack.database_url, 4) as pool:
                tally = await kill_senders(stack.database_url, pool, kills)
    for moment, times in tally.came.items():
        print(f"killed {moment}: {times.total()}; heard once {times[1]}, twice {times[2]}, never {times[0]}")
    for complaint in tally.complaints():
        print(f"WRONG: {complaint}")
    return 1 if tally.complaints() else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=100)
    sys.exit(asyncio.run(_main(parser.parse_args().kills)))
