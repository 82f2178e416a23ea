"""What a worker knows beforehand."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from pinguin.broker import Broker
from pinguin.db import Pool
from pinguin.lifecycle import cancel
from pinguin.model import Job
from pinguin.worker.definitions import Definitions
from tests.factory import add_monitor, fetch


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not true():
            await asyncio.sleep(0.02)


async def test_every_monitor_of_the_region_is_known_before_its_first_job(pool: Pool, broker: Broker) -> None:
    here = await add_monitor(pool)
    elsewhere = await add_monitor(pool, regions=["mars"])
    definitions = Definitions(pool)

    def knows(monitor_id: int, version: int = 1) -> bool:
        return definitions.known(Job(monitor_id, 0, version, 1, "local")) is not None

    following = asyncio.create_task(definitions.follow(broker, "local"))
    await until(lambda: knows(here))
    new = await add_monitor(pool)
    await fetch(pool, "update monitors set timeout_s = 3 where id = %s returning 1", here)
    await broker.announce_change([here, new])
    await until(lambda: knows(new) and knows(here, 2))
    assert not knows(elsewhere)
    await cancel(following)
