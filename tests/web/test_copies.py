"""Pings that a web process put into Redis, and puts there again where Redis was emptied."""

from __future__ import annotations

from uuid import UUID, uuid4

import msgspec
import pytest
import redis.asyncio as aioredis

from pinguin.broker import Broker
from pinguin.push import Ping
from pinguin.web import copies as module
from pinguin.web.copies import Copies, Full


async def there(broker: Broker) -> list[UUID]:
    return [msgspec.json.decode(text, type=Ping).id for _, text, _ in await broker.backlog.pings.peek(100)]


async def test_what_an_emptied_redis_has_no_room_for_comes_later_and_nothing_comes_twice(
    broker: Broker, redis: aioredis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the first of them would take the room of the others, again and again."""
    monkeypatch.setattr(module, "LIMIT", 4)
    pings = [Ping(kind="success", token=uuid4(), id=uuid4()) for _ in range(3)]
    copies = Copies(broker)
    await copies.put(pings)
    await redis.flushall()
    others = Copies(broker)
    await others.put([Ping(kind="success", token=uuid4(), id=uuid4()) for _ in range(2)])
    with pytest.raises(Full):
        await copies.settle()
    assert (await there(broker))[2:] == [ping.id for ping in pings[:2]]

    await broker.backlog.pings.forget([entry for _, _, entry in await broker.backlog.pings.peek(2)])
    await copies.settle()
    assert await there(broker) == [ping.id for ping in pings]
    await broker.backlog.pings.forget([entry for _, _, entry in await broker.backlog.pings.peek(3)])
    await copies.settle()
    await redis.flushall()
    await copies.settle()
    assert await there(broker) == [], "all were written"
