"""A Redis that comes back with what it had saved last: what was spilled since is put there again."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import redis.asyncio as aioredis

from pinguin.broker import Broker
from pinguin.errors import Unavailable
from pinguin.worker.spill import Spill
from tests.factory import result
from tests.ports import free_port
from tests.redis_servers import redis


async def test_what_was_spilled_after_the_last_snapshot_is_put_there_again(tmp_path: Path) -> None:
    port = free_port()
    async with Broker.connect(f"redis://127.0.0.1:{port}/0") as broker:
        spill = Spill(broker, "a", limit=10)
        with redis(tmp_path, at=port, save="3600 1") as server:
            await spill.put([result(1, 0)])
            async with aioredis.Redis(port=port) as client:
                await client.save()
            await spill.put([result(1, 60), result(1, 120)])
            server.kill()
        with redis(tmp_path, at=port, save="3600 1"):
            with suppress(Unavailable):  # the connection to the one before
                await broker.now()
            assert await broker.backlog.results.count() == 1
            assert not await spill.is_empty()
            assert await broker.backlog.results.count() == 3
