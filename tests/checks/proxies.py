"""Proxies on loopback. They connect to 127.0.0.1 whatever name they are asked for, so that only they resolve it."""

from __future__ import annotations

import asyncio
import struct
from contextlib import suppress

from tests.checks.servers import Handler

Pair = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()


async def _join(here: Pair, there: Pair) -> None:
    try:
        await asyncio.gather(_pump(here[0], there[1]), _pump(there[0], here[1]))
    finally:
        there[1].close()


def http_proxy(seen: list[bytes], answer: bytes = b"HTTP/1.1 200 OK\r\n\r\n") -> Handler:
    """CONNECT, and plain requests with a whole URL. answer: what CONNECT gets; it connects only after a 200."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        seen.append(head)
        method, target, _ = head.split(b" ", 2)
        port = int(target.rpartition(b":")[2].partition(b"/")[0])
        if method == b"CONNECT":
            writer.write(answer)
            await writer.drain()
            if b" 200 " not in answer:
                return
        there = await asyncio.open_connection("127.0.0.1", port)
        if method != b"CONNECT":
            there[1].write(head)
        await _join((reader, writer), there)

    return handler


def socks_proxy(seen: list[str], *, login: tuple[bytes, bytes] | None = None, code: int = 0) -> Handler:
    """SOCKS5. seen gets `host:port` of each request; code: what the proxy answers to it."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        _, count = await reader.readexactly(2)
        methods = await reader.readexactly(count)
        wanted = 2 if login else 0
        writer.write(bytes([5, wanted if wanted in methods else 255]))
        if login and wanted in methods and not await _log_in(reader, writer, login):
            return
        _, _, _, kind = await reader.readexactly(4)
        size = (await reader.readexactly(1))[0] if kind == 3 else {1: 4, 4: 16}[kind]
        host = await reader.readexactly(size)
        (port,) = struct.unpack("!H", await reader.readexactly(2))
        seen.append(f"{host.decode() if kind == 3 else host.hex()}:{port}")
        writer.write(bytes([5, code, 0, 1]) + bytes(6))
        await writer.drain()
        if not code:
            await _join((reader, writer), await asyncio.open_connection("127.0.0.1", port))

    return handler


async def _log_in(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, login: tuple[bytes, bytes]) -> bool:
    _, size = await reader.readexactly(2)
    user = await reader.readexactly(size)
    password = await reader.readexactly((await reader.readexactly(1))[0])
    right = (user, password) == login
    writer.write(bytes([1, 0 if right else 1]))
    await writer.drain()
    return right
