"""Senders at work, and what makes them send."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from psycopg.types.json import Jsonb

from pinguin.alerts.courier import Courier
from pinguin.db import Pool
from pinguin.lifecycle import cancel
from pinguin.model import Status
from pinguin.settings import Settings
from pinguin.worker.recorder import record
from pinguin.worker.sender import Sender
from tests.factory import fetch, result


async def add_channel(pool: Pool, url: str, **values: Any) -> int:
    """A webhook that is told of everything."""
    row = {"name": "hook", "kind": "webhook", "options": Jsonb({"url": url}), "is_default": True, "per_minute": 600}
    row |= values
    columns, places = ", ".join(row), ", ".join(["%s"] * len(row))
    made = await fetch(pool, f"insert into channels ({columns}) values ({places}) returning id", *row.values())
    return int(made[0][0])


async def fails(pool: Pool, *monitors: int, second: float = 0, status: Status = Status.DOWN) -> None:
    """Their next result."""
    await record(pool, [result(each, second, status) for each in monitors])


@asynccontextmanager
async def senders(pool: Pool, number: int = 1) -> AsyncIterator[Sequence[Sender]]:
    """So many of them at work."""
    settings, stop = Settings(base_url="https://pinguin.example"), asyncio.Event()
    made = [Sender(pool, f"sender-{n}", settings, Courier(settings)) for n in range(number)]
    running = [asyncio.create_task(each.run(stop)) for each in made]
    try:
        yield made
    finally:
        stop.set()
        await asyncio.wait(running, timeout=10)
        await cancel(*running)


async def until(pool: Pool, sql: str, within_s: float = 30) -> None:
    """Wait until the first column of the answer is true."""
    async with asyncio.timeout(within_s):
        while not (await fetch(pool, sql))[0][0]:
            await asyncio.sleep(0.05)
