"""Servers on loopback that mistreat whoever checks them, and some honest ones, in a process of their own.

    python -m tests.soak.hostile

prints one line of JSON once all of them listen: a monitor for each, as `[[name, hostile, type, options], …]`.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import socket
import ssl
import struct
import tempfile
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import dns.message
import uvloop

from tests.checks.certificates import house
from tests.checks.servers import Answers, Handler, answering, name_server, page, request_of, silent, zone
from tests.ports import free_port

HEAD = b"HTTP/1.1 200 OK\r\n"
BOMB = HEAD + b"Content-Encoding: gzip\r\n\r\n" + gzip.compress(bytes(50_000_000), 9)


def dripping(start: bytes, drop: bytes, pause: float = 0.2) -> Handler:
    """Sends `start`, then one `drop` after the other, for ever."""

    async def handler(reader: StreamReader, writer: StreamWriter) -> None:
        writer.write(start)
        while True:
            writer.write(drop)
            await writer.drain()
            await asyncio.sleep(pause)

    return handler


def cut_off(start: bytes, *, after_request: bool = True) -> Handler:
    """Sends `start`, then a RST."""

    async def handler(reader: StreamReader, writer: StreamWriter) -> None:
        if after_request:
            await reader.read(10)
        writer.write(start)
        with suppress(OSError):
            await writer.drain()
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    return handler


async def looping(reader: StreamReader, writer: StreamWriter) -> None:
    """Redirects to itself."""
    await request_of(reader)
    writer.write(b"HTTP/1.1 302 Found\r\nLocation: /again\r\nContent-Length: 0\r\n\r\n")


async def half_closed(reader: StreamReader, writer: StreamWriter) -> None:
    """Says that it will send no more, and goes on listening."""
    await request_of(reader)
    writer.write_eof()
    await asyncio.sleep(3600)


PLAIN: dict[str, Handler] = {
    "never answers": silent,
    "slow drip of a body": dripping(HEAD + b"Content-Length: 1000000\r\n\r\n", b"x"),
    "slow drip of headers": dripping(HEAD, b"x-drop: 1\r\n"),
    "endless body": dripping(HEAD + b"\r\n", b"x" * 65536, 0),
    "endless headers": dripping(HEAD, b"x-header: " + b"y" * 4000 + b"\r\n", 0),
    "endless early answers": dripping(b"", b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n" * 100, 0),
    "endless chunks": dripping(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1000\r\n" + b"x" * 4096 + b"\r\n", 0),
    "a gzip bomb": answering(BOMB),
    "a Content-Length that lies": answering(HEAD + b"Content-Length: 500\r\n\r\nshort"),
    "broken chunks": answering(HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nno\r\n"),
    "no HTTP at all": answering(b"\xff\xfe\x00 nonsense \r\n\r\n" * 20),
    "invalid UTF-8": answering(page(b"\xff\xfe\xfd", headers="X-Odd: \xff\r\n")),
    "a redirect that goes in a circle": looping,
    "reset on connection": cut_off(b"", after_request=False),
    "reset after the request": cut_off(b""),
    "reset within the headers": cut_off(HEAD + b"Content-Le"),
    "reset within the body": cut_off(HEAD + b"Content-Length: 100\r\n\r\nhalf"),
    "half open": half_closed,
}
SECURE: dict[str, Handler] = {
    "TLS to a plain port": answering(page()),
    "TLS answered with nonsense": dripping(b"\x16\x03\x03\x40\x00", b"\x00" * 100),
    "TLS that never begins": silent,
    "TLS reset": cut_off(b"\x16\x03\x03"),
}
TALKS: dict[str, tuple[str, Handler]] = {
    "smtp that drips": ("smtp", dripping(b"", b"220-still here\r\n")),
    "imap without an end": ("imap", dripping(b"* OK hello\r\n", b"* more\r\n" * 1000, 0)),
    "ldap with a length that lies": ("ldap", answering(b"\x30\x84\xff\xff\xff\xff")),
    "postgres that resets": ("postgres", cut_off(b"")),
}
NAMES: dict[str, Answers] = {
    "DNS that never answers": lambda query, transport: None,
    "DNS with nonsense": lambda query, transport: b"\x00" * 5,
    "DNS that answers another question": lambda query, transport: dns.message.make_response(
        dns.message.make_query("other.test", "A")
    ).to_wire(),
}


def closing(handler: Handler) -> Handler:
    """A handler that takes any first bytes for its request: TLS has no blank line."""

    async def after_some_bytes(reader: StreamReader, writer: StreamWriter) -> None:
        await asyncio.wait_for(reader.read(100), 10)
        reader.feed_data(b"GET / HTTP/1.1\r\n\r\n")
        await handler(reader, writer)

    return after_some_bytes


@asynccontextmanager
async def listening(handler: Handler, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """Like the tests' own, but for thousands of connections: nobody looks at how they end."""

    async def one(reader: StreamReader, writer: StreamWriter) -> None:
        with suppress(OSError, EOFError, RuntimeError, asyncio.LimitOverrunError):  # uvloop's word for a closed one
            await handler(reader, writer)
        writer.transport.abort() if tls else writer.close()

    port = free_port()
    server = await asyncio.start_server(one, "127.0.0.1", port, ssl=tls, backlog=4096)
    try:
        yield port
    finally:
        server.close()


async def all_of_them(stack: AsyncExitStack, folder: Path) -> list[tuple[str, bool, str, dict[str, Any]]]:
    monitors: list[tuple[str, bool, str, dict[str, Any]]] = []

    async def listen(handler: Handler, tls: ssl.SSLContext | None = None) -> int:
        return await stack.enter_async_context(listening(handler, tls))

    root, middle, leaf = house()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    (folder / "chain").write_text(leaf.pem + middle.pem)
    (folder / "key").write_text(leaf.key_pem)
    context.load_cert_chain(folder / "chain", folder / "key")
    own = {"ca_certificates": root.pem, "server_name": "www.example.test"}
    port = await listen(answering(page()), context)
    monitors.append(("honest https", False, "http", {"url": f"https://127.0.0.1:{port}/", **own}))
    monitors.append(("honest tls", False, "tls", {"host": "127.0.0.1", "port": port, **own}))
    port = await listen(answering(page()))
    monitors.append(("honest tcp", False, "tcp", {"host": "127.0.0.1", "port": port}))
    monitors.append(("honest ping", False, "ping", {"host": "127.0.0.1"}))
    names = await stack.enter_async_context(name_server(zone(["example.test. 60 IN A 192.0.2.1"])))
    monitors.append(("honest dns", False, "dns", {"name": "example.test", "resolver": f"127.0.0.1:{names}"}))
    for name, handler in PLAIN.items():
        monitors.append((name, True, "http", {"url": f"http://127.0.0.1:{await listen(handler)}/", "keyword": "hello"}))
    port = await listen(cut_off(HEAD), context)
    monitors.append(("reset within TLS", True, "http", {"url": f"https://127.0.0.1:{port}/", **own}))
    monitors.append(("another authority", True, "http", {"url": f"https://127.0.0.1:{port}/"}))
    for name, handler in SECURE.items():
        port = await listen(closing(handler))
        monitors.append((name, True, "http", {"url": f"https://127.0.0.1:{port}/"}))
        monitors.append((f"{name}, looked at", True, "tls", {"host": "127.0.0.1", "port": port}))
    for name, (protocol, handler) in TALKS.items():
        port = await listen(closing(handler) if protocol in ("ldap", "postgres") else handler)
        monitors.append((name, True, "tcp", {"host": "127.0.0.1", "port": port, "tls": protocol}))
    for name, answers in NAMES.items():
        port = await stack.enter_async_context(name_server(answers))
        monitors.append((name, True, "dns", {"name": "example.test", "resolver": f"127.0.0.1:{port}"}))
    monitors.append(("a closed port", True, "tcp", {"host": "127.0.0.1", "port": free_port()}))
    return monitors


async def serve(say: Callable[[str], None]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        async with AsyncExitStack() as stack:
            say(json.dumps(await all_of_them(stack, Path(folder))))
            await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(serve(lambda line: print(line, flush=True)))
