"""Clients of the embedded database: psycopg, psql, and bare bytes on the socket."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, LiteralString

import psycopg

from tests.lacking import lacks

Conn = psycopg.AsyncConnection[tuple[Any, ...]]

HELLO = b"\0\0\0\x29\0\3\0\0user\0postgres\0database\0postgres\0\0"


async def connect(url: str, **options: Any) -> Conn:
    """In autocommit unless told otherwise."""
    return await psycopg.AsyncConnection.connect(url, **{"autocommit": True, "connect_timeout": 30, **options})


async def row(conn: Conn, query: LiteralString, *params: object) -> tuple[Any, ...]:
    found = await (await conn.execute(query, params or None)).fetchone()
    assert found is not None
    return found


async def value(conn: Conn, query: LiteralString, *params: object) -> Any:
    return (await row(conn, query, *params))[0]


def message(kind: bytes, body: bytes = b"") -> bytes:
    return kind + (len(body) + 4).to_bytes(4, "big") + body


class Bare:
    """A client that sends what no library would."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def answer(self, until: bytes) -> bytes:
        """What comes until these bytes have come."""
        async with asyncio.timeout(30):
            return await self.reader.readuntil(until)

    async def rest(self) -> bytes:
        """What comes until the server closes."""
        async with asyncio.timeout(30):
            return await self.reader.read()


@asynccontextmanager
async def bare(socket: Path, *, greet: bool = True) -> AsyncIterator[Bare]:
    """Greeted: past the start-up. Leaving vanishes without a word."""
    reader, writer = await asyncio.open_unix_connection(socket)
    client = Bare(reader, writer)
    try:
        if greet:
            await client.send(HELLO)
            await client.answer(message(b"Z", b"I"))
        yield client
    finally:
        writer.transport.abort()


def psql_or_skip() -> str:
    return shutil.which("psql") or lacks("psql is missing: scripts/need psql")


async def psql(url: str, *words: str, typed: str = "") -> tuple[int, str, str]:
    """Exit code, output, errors."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        psql_or_skip(), url, "-XAt", "-v", "ON_ERROR_STOP=0", *words, stdin=pipe, stdout=pipe, stderr=pipe
    )
    output, errors = await process.communicate(typed.encode())
    assert process.returncode is not None
    return process.returncode, output.decode(), errors.decode()
