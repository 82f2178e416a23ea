"""A client of Redis or Valkey, behind a password, TLS or sentinels, and what it means that it is away."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from typing import Any

import redis.asyncio as aioredis
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError

from pinguin.errors import Unavailable
from pinguin.redis_url import RedisAddress, parse

SENTINEL_S = 2.0
"""One sentinel's time to answer before the next is asked."""


def redis_client(url: str, ending: AsyncExitStack) -> aioredis.Redis:
    """A client for `url` (`redis_url.parse`) that `ending` closes. Connects at first use. Raises `SettingsError`."""
    address = parse(url)
    options: dict[str, Any] = {
        "decode_responses": True,
        "socket_connect_timeout": 5,
        "socket_timeout": 15,
        "health_check_interval": 10,
        "retry": Retry(NoBackoff(), 0),
        "db": address.db,
        "username": address.username,
        "password": address.password,
    }
    tls: dict[str, Any] = {name: value for name, value in address.options.items() if name.startswith("ssl_")}
    tls |= {"ssl": True} if address.tls else {}
    if address.master is not None:
        client = _master(address, options, tls, ending)
    elif address.path is not None:
        client = aioredis.Redis(unix_socket_path=address.path, **options)
    else:
        host, port = address.nodes[0]
        client = aioredis.Redis(host=host, port=port, **options, **tls)
    ending.push_async_callback(client.aclose)
    return client


def _master(
    address: RedisAddress, options: dict[str, Any], tls: dict[str, Any], ending: AsyncExitStack
) -> aioredis.Redis:
    """Each new connection asks the sentinels who is master; a connection to a former master ends by itself."""
    asking = {
        "socket_connect_timeout": SENTINEL_S,
        "socket_timeout": SENTINEL_S,
        "retry": Retry(NoBackoff(), 0),
        "username": address.options.get("sentinel_username"),
        "password": address.options.get("sentinel_password"),
    }
    sentinel = Sentinel(  # type: ignore[no-untyped-call]
        address.nodes, sentinel_kwargs=asking | tls, **options, **tls
    )
    ending.push_async_callback(sentinel.aclose)
    assert address.master is not None
    client: aioredis.Redis = sentinel.master_for(address.master)
    return client


@contextmanager
def away() -> Iterator[None]:
    """Redis that does not answer, or refuses (full, read-only, loading), in the words of every loop of ours."""
    try:
        yield
    except (RedisConnectionError, RedisTimeoutError, OSError) as error:
        raise Unavailable(f"Redis does not answer: {error}") from error
    except RedisError as error:
        raise Unavailable(f"Redis refuses: {error}") from error
