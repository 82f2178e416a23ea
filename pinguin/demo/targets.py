"""The targets themselves: small servers on loopback, each well or ill in one way."""

from __future__ import annotations

import asyncio
import errno
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from datetime import timedelta
from time import monotonic
from typing import Any, cast

import dns.exception
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

from pinguin.demo import ports
from pinguin.demo.certificates import Authority
from pinguin.demo.ports import HOST
from pinguin.errors import PinguinError

UP_SECONDS, DOWN_SECONDS = 40, 20
SLOW_SECONDS = 0.4
DAY = timedelta(days=1)
KNOWN_NAME, KNOWN_ADDRESS = "steady.demo.test.", "192.0.2.1"

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def serve(base_port: int) -> None:
    """Serve all targets until cancelled. Raises PinguinError where a port is taken."""
    async with serving(base_port):
        await asyncio.Event().wait()


@asynccontextmanager
async def serving(base_port: int) -> AsyncIterator[None]:
    """All targets, listening while inside."""
    ports.check_base(base_port)
    async with AsyncExitStack() as stack:
        for offset, handler, tls in _streams():
            await stack.enter_async_context(_stream(base_port + offset, handler, tls))
        await stack.enter_async_context(_name_server(base_port + ports.NAMES))
        yield


def _streams() -> list[tuple[int, Handler, ssl.SSLContext | None]]:
    pages = Pages()
    authority, alone = Authority.new("Pinguin's demo"), Authority.new(HOST)
    return [
        (ports.PAGES, pages.handle, None),
        (ports.EXPIRING, pages.handle, authority.context(-DAY, 5 * DAY)),
        (ports.EXPIRED, pages.handle, alone.context(-30 * DAY, -3 * DAY)),
        (ports.SELF_SIGNED, pages.handle, alone.context(-DAY, 90 * DAY)),
        (ports.BANNER, _banner, None),
        (ports.MUTE, _mute, None),
    ]


class Pages:
    """A web server whose paths say how they do. `/flapping` is up first."""

    def __init__(self) -> None:
        self._started = monotonic()

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        path = head.split(b" ", 2)[1].decode("latin-1").partition("?")[0]
        if path == "/slow":
            await asyncio.sleep(SLOW_SECONDS)
        status, text = self._answer(path)
        body = f"<!doctype html><title>{text}</title><h1>{text}</h1>\n".encode()
        lines = (f"HTTP/1.1 {status}", "Content-Type: text/html", f"Content-Length: {len(body)}", "Connection: close")
        writer.write("\r\n".join((*lines, "", "")).encode() + (b"" if head.startswith(b"HEAD ") else body))
        await writer.drain()

    def _answer(self, path: str) -> tuple[str, str]:
        if path == "/broken" or (path == "/flapping" and not self._flapping_is_up()):
            return "503 Service Unavailable", "Down for now"
        if path == "/content":
            return "200 OK", "The database does not answer"
        if path in ("/", "/steady", "/slow", "/flapping"):
            return "200 OK", "All is well"
        return "404 Not Found", "Nothing here"

    def _flapping_is_up(self) -> bool:
        return (monotonic() - self._started) % (UP_SECONDS + DOWN_SECONDS) < UP_SECONDS


async def _banner(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"220 demo.test ESMTP ready\r\n")
    await reader.read()


async def _mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Takes everything in and never answers."""
    while await reader.read(65536):
        pass


@contextmanager
def _named(port: int) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        raise PinguinError(f"port {port} on {HOST} is taken; start the demo on others with --port") from None


@asynccontextmanager
async def _stream(port: int, handler: Handler, tls: ssl.SSLContext | None) -> AsyncIterator[None]:
    connections: set[asyncio.Task[Any]] = set()

    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        connections.add(task)
        # A visitor may leave at any time and may send anything; and when we end, so does every conversation.
        with suppress(OSError, EOFError, asyncio.LimitOverrunError, IndexError, asyncio.CancelledError):
            await handler(reader, writer)
        writer.close()
        with suppress(OSError, asyncio.CancelledError):
            await writer.wait_closed()
        connections.discard(task)

    with _named(port):
        server = await asyncio.start_server(one, HOST, port, ssl=tls)
    try:
        yield
    finally:
        server.close()
        for task in connections:
            task.cancel()
        await asyncio.gather(*connections)
        await server.wait_closed()


class _NameServer(asyncio.DatagramProtocol):
    """Knows one name; says of every other one that it does not exist."""

    _transport: asyncio.DatagramTransport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)  # Python 3.11's is none by class

    def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:
        with suppress(dns.exception.DNSException, IndexError):
            self._transport.sendto(_dns_answer(dns.message.from_wire(data)), addr)


def _dns_answer(query: dns.message.Message) -> bytes:
    question = query.question[0]
    answer = dns.message.make_response(query)
    if question.name.to_text().lower() != KNOWN_NAME:
        answer.set_rcode(dns.rcode.NXDOMAIN)
    elif question.rdtype == dns.rdatatype.A:
        answer.answer.append(dns.rrset.from_text(KNOWN_NAME, 60, "IN", "A", KNOWN_ADDRESS))
    return answer.to_wire()


@asynccontextmanager
async def _name_server(port: int) -> AsyncIterator[None]:
    with _named(port):
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(_NameServer, local_addr=(HOST, port))
    try:
        yield
    finally:
        transport.close()
        await asyncio.sleep(0)  # it closes its socket in the loop's next round
