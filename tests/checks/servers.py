"""Small servers on loopback, each honest or dishonest in one way. Every test owns its own."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, contextmanager, nullcontext, suppress
from typing import Any

import dns.flags
import dns.message
import dns.rcode
import dns.rrset

from tests import listening
from tests.ports import free_port

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def serving(handler: Handler, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1") -> AsyncIterator[int]:
    """Serves `handler` for each connection; gives the port. Leaves no task and no socket behind."""
    tasks: set[asyncio.Task[None]] = set()

    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        tasks.add(task)
        try:
            with suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
                await handler(reader, writer)
        finally:
            writer.close()
            with suppress(OSError, asyncio.CancelledError):
                await writer.wait_closed()
            tasks.discard(task)

    port = free_port()
    server = await asyncio.start_server(one, host, port, ssl=tls)
    try:
        yield port
    finally:
        await listening.close(server)
        for task in list(tasks):
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        await server.wait_closed()


async def request_of(reader: asyncio.StreamReader) -> bytes:
    """A whole request: its head and, where it announces one, its body."""
    head = await reader.readuntil(b"\r\n\r\n")
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return head + await reader.readexactly(int(line.partition(b":")[2]))
    return head


def answering(*pieces: bytes, pause: float = 0.0) -> Handler:
    """Reads the request, sends the pieces with a pause between them, closes."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_of(reader)
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(pause)

    return handler


def page(body: bytes = b"hello", status: str = "200 OK", headers: str = "") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{headers}\r\n".encode() + body


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Accepts and never answers. TRAP 1"""
    await asyncio.sleep(3600)


async def resetting(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Sends a RST once the request is there."""
    await reader.read(10)
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def recording(seen: list[bytes], *answers: bytes) -> Handler:
    """Notes each request; answers the first one with the first answer, and so on, the last one for good."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await request_of(reader))
        writer.write(answers[min(len(seen), len(answers)) - 1])
        await writer.drain()

    return handler


@contextmanager
def full_backlog() -> Any:
    """A port whose queue is full: the kernel drops further connections without a word."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", free_port()))
        listener.listen(0)
        fillers = []
        try:
            for _ in range(3):
                filler = socket.socket()
                filler.setblocking(False)
                fillers.append(filler)
                with suppress(BlockingIOError):
                    filler.connect(listener.getsockname())
            yield listener.getsockname()[1]
        finally:
            for filler in fillers:
                filler.close()


Answers = Callable[[dns.message.Message, str], bytes | None]


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, answers: Answers) -> None:
        self._answers = answers

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        answer = self._answers(dns.message.from_wire(data), "udp")
        if answer is not None:
            self._transport.sendto(answer, addr)


@asynccontextmanager
async def name_server(answers: Answers, *, tcp: bool = True) -> AsyncIterator[int]:
    """A DNS server over UDP and TCP on one port. `answers` gives the bytes for a query and its transport, or None.

    tcp: False for one whose port is closed there.
    """

    async def stream(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        (size,) = struct.unpack("!H", await reader.readexactly(2))
        answer = answers(dns.message.from_wire(await reader.readexactly(size)), "tcp")
        if answer is None:
            await asyncio.sleep(3600)
        else:
            writer.write(struct.pack("!H", len(answer)) + answer)
            await writer.drain()

    async with serving(stream) if tcp else nullcontext(free_port()) as port:
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(lambda: _Datagrams(answers), local_addr=("127.0.0.1", port))
        try:
            yield port
        finally:
            transport.close()
            await asyncio.sleep(0)


def zone(records: list[str], *, rcode: int = 0, truncated: bool = False) -> Answers:
    """Answers every query with `records`, in zone file form (`name 60 IN A 192.0.2.1`)."""

    def answers(query: dns.message.Message, transport: str) -> bytes:
        response = dns.message.make_response(query, recursion_available=True)
        response.set_rcode(dns.rcode.Rcode(rcode))
        if truncated and transport == "udp":
            response.flags |= dns.flags.TC
            return response.to_wire()
        for record in records:
            name, ttl, _, kind, rest = record.split(" ", 4)
            response.answer.append(dns.rrset.from_text(name, int(ttl), "IN", kind, rest))
        return response.to_wire()

    return answers
