"""Clients that go without a word: their transaction is undone and the others go on."""

from __future__ import annotations

import asyncio

import pytest

from pinguin.embedded.stack import EmbeddedStack
from tests.embedded.clients import Conn, bare, message, value

READY = message(b"Z", b"I")
OPEN = message(b"Z", b"T")


async def test_in_a_transaction_while_others_wait(embedded: EmbeddedStack, conn: Conn) -> None:
    for number in range(10):
        async with bare(embedded.database.socket) as client:
            await client.send(message(b"Q", b"begin; insert into accounts values (%d, 1)\0" % number))
            await client.answer(OPEN)
            waiting = asyncio.create_task(value(conn, "select count(*) from accounts"))
            await asyncio.sleep(0.01)
            assert not waiting.done()
        assert await asyncio.wait_for(waiting, 30) == 0


async def test_in_a_copy(embedded: EmbeddedStack, conn: Conn) -> None:
    async with bare(embedded.database.socket) as client:
        await client.send(message(b"Q", b"copy accounts from stdin\0"))
        await client.answer(b"\0\0\0")
        await client.send(message(b"d", b"900\t1\n"))
    assert await asyncio.wait_for(value(conn, "select count(*) from accounts"), 30) == 0


@pytest.mark.parametrize(
    "said",
    [
        b"P\0\0\0\x10\0sel",
        b"Q",
        message(b"P", b"\0select 1/0\0\0\0"),
        message(b"P", b"\0select nonsense from\0\0\0"),
        message(b"P", b"\0insert into accounts values (5, 5)\0\0\0")
        + message(b"B", b"\0\0\0\0\0\0\0\0")
        + message(b"E", b"\0\0\0\0\0"),
        message(b"Q", b"begin\0") + message(b"Q", b"select 1/0\0"),
        message(b"Q", b"begin\0") + message(b"Q", b"copy accounts from stdin\0"),
    ],
    ids=["mid-message", "one byte", "after Parse", "after an error", "before Sync", "failed", "copy in transaction"],
)
async def test_anywhere(embedded: EmbeddedStack, conn: Conn, said: bytes) -> None:
    async with bare(embedded.database.socket) as client:
        await client.send(said)
        await asyncio.sleep(0.02)
    assert await asyncio.wait_for(value(conn, "select count(*) from accounts"), 30) == 0


async def test_after_the_commit_was_sent(embedded: EmbeddedStack, conn: Conn) -> None:
    """What reached the server counts, as it does in PostgreSQL."""
    async with bare(embedded.database.socket) as client:
        await client.send(message(b"Q", b"insert into accounts values (1, 1)\0") + message(b"X"))
        await client.rest()
    assert await value(conn, "select count(*) from accounts") == 1


async def test_while_it_waits(embedded: EmbeddedStack, conn: Conn) -> None:
    async with conn.transaction():
        await conn.execute("select 1")
        async with bare(embedded.database.socket) as client:
            await client.send(message(b"Q", b"begin; insert into accounts values (1, 1)\0"))
            await asyncio.sleep(0.02)
    assert await asyncio.wait_for(value(conn, "select count(*) from accounts"), 30) == 0


async def test_one_that_reads_nothing_does_not_stop_the_others(embedded: EmbeddedStack, conn: Conn) -> None:
    async with bare(embedded.database.socket) as client:
        client.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await client.send(message(b"Q", b"select repeat('x', 3000000)\0") * 5)
        assert await asyncio.wait_for(value(conn, "select 5"), 30) == 5
