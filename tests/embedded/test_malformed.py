"""Bytes that no client should send: at most their sender is dismissed."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Callable

import pytest

from pinguin.embedded.stack import EmbeddedStack
from tests.embedded.clients import HELLO, Conn, bare, message, value

CONNECTIONS = 250


@pytest.mark.parametrize(
    "garbage",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"\0\0\0\7\0\3\0\0",
        b"\xff" * 64,
        b"\0\0\0\x08\0\2\0\0",
    ],
    ids=["http", "tls", "too short", "ones", "protocol 2"],
)
async def test_garbage_at_the_start(embedded: EmbeddedStack, garbage: bytes) -> None:
    async with bare(embedded.database.socket, greet=False) as client:
        await client.send(garbage)
        assert await client.rest() == b""


@pytest.mark.parametrize(
    "garbage",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"Q\0\0\0\3",
        b"Q\x7f\xff\xff\xff",
        message(b"p", b"secret\0"),
        message(b"F", b"\0" * 20),
        message(b"\xe4"),
        message(b"Q", b"no end"),
        message(b"P", b""),
    ],
    ids=["http", "too short", "too long", "password", "function call", "unknown", "no end", "empty"],
)
async def test_garbage_later(embedded: EmbeddedStack, conn: Conn, garbage: bytes) -> None:
    async with bare(embedded.database.socket) as client:
        await client.send(message(b"Q", b"begin; insert into accounts values (1, 1)\0"))
        await client.answer(message(b"Z", b"T"))
        await client.send(garbage)
        assert b"C08P01\0" in await client.rest()
    assert await asyncio.wait_for(value(conn, "select count(*) from accounts"), 30) == 0


async def test_encryption_is_declined_and_may_be_asked_for_twice(embedded: EmbeddedStack) -> None:
    ssl, gss = b"\0\0\0\x08\x04\xd2\x16\x2f", b"\0\0\0\x08\x04\xd2\x16\x30"
    async with bare(embedded.database.socket, greet=False) as client:
        await client.send(gss + ssl + HELLO)
        assert (await client.answer(message(b"Z", b"I"))).startswith(b"NNR")


async def test_byte_by_byte(embedded: EmbeddedStack) -> None:
    async with bare(embedded.database.socket, greet=False) as client:
        for byte in HELLO + message(b"Q", b"select 4711\0"):
            await client.send(bytes([byte]))
            await asyncio.sleep(0)
        assert b"4711" in await client.answer(b"SELECT 1\0" + message(b"Z", b"I"))


def frames(choose: random.Random) -> bytes:
    """Messages of the right form, mostly, with wrong contents, often."""
    kinds = dict(zip("QPBDECSHdcfpFZ", (3, 4, 4, 2, 4, 1, 5, 1, 1, 1, 1, 0.2, 0.2, 0.2), strict=True))
    picked = choose.choices(list(kinds), list(kinds.values()), k=choose.randrange(1, 30))
    return b"".join(message(kind.encode(), body(kind, choose)) for kind in picked)


def body(kind: str, choose: random.Random) -> bytes:
    if choose.random() < 0.25:
        return choose.randbytes(choose.randrange(40))
    make = BODIES.get(kind)
    return make(choose) if make else b""


STATEMENTS = (
    b"select 1",
    b"select $1::int",
    b"begin",
    b"insert into accounts values ($1)",
    b"select * from missing",
    b"commit",
    b"copy accounts from stdin",
    b"copy accounts to stdout",
    b"set timezone = 'Europe/Rome'",
    b"",
)
ARGUMENTS = (
    b"\0\0\0\0\0\0",
    b"\0\0\0\1\0\0\0\x017\0\0",
    b"\0\1\0\1\0\1\0\0\0\4\0\0\0\7\0\0",
    b"\xff\xff\xff\xff",
)
BODIES: dict[str, Callable[[random.Random], bytes]] = {
    "Q": lambda choose: choose.choice(STATEMENTS) + b"\0",
    "P": lambda choose: (
        choose.choice((b"", b"s1"))
        + b"\0"
        + choose.choice(STATEMENTS)
        + b"\0"
        + choose.choice((b"\0\0", b"\0\1\0\0\0\x17", b"\0\5"))
    ),
    "B": lambda choose: b"\0" + choose.choice((b"", b"s1", b"zz")) + b"\0" + choose.choice(ARGUMENTS),
    "D": lambda choose: choose.choice((b"S", b"P", b"X")) + choose.choice((b"", b"s1")) + b"\0",
    "C": lambda choose: choose.choice((b"S", b"P")) + b"s1\0",
    "E": lambda choose: b"\0\0\0\0" + choose.choice((b"\0", b"\5")),
    "d": lambda _: b"1\n",
    "f": lambda _: b"x\0",
}


@pytest.mark.parametrize("seed", [1, 2])
async def test_fuzz(embedded: EmbeddedStack, conn: Conn, seed: int) -> None:
    choose = random.Random(seed)
    conn.prepare_threshold = None
    for number in range(CONNECTIONS):
        async with bare(embedded.database.socket) as client:
            with contextlib.suppress(OSError, TimeoutError):
                await client.send(frames(choose))
                async with asyncio.timeout(0.01):
                    await client.reader.read(65536)
        if number % 10 == 0:
            assert await asyncio.wait_for(value(conn, "select 1"), 30) == 1
    assert await value(conn, "show timezone") == "UTC"
    assert await value(conn, "select count(*) from pg_prepared_statements") == 0
    await asyncio.sleep(0.3)
    assert embedded.database_child.restarts == 0
