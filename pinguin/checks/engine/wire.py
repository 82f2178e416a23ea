"""One fresh connection on a non-blocking socket, plain or TLS, without asyncio's transports.

A monitor connects anew for every check, and a transport, its protocol and their buffers cost more than the check
itself. `send` and `receive` try the socket first and wait for the loop only when it would block.
"""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
from collections.abc import Callable
from typing import Any

from pinguin.checks.engine.resolve import Address

CHUNK = 65536
_NONBLOCK: int = getattr(socket, "SOCK_NONBLOCK", 0)


class Wire:
    """A connection. Whoever opens one closes it, on every way out. Calls raise OSError (ssl.SSLError is one)."""

    __slots__ = ("_loop", "address", "sock")

    def __init__(self, sock: socket.socket, address: Address) -> None:
        self.sock: Any = sock
        self.address = address
        self._loop = asyncio.get_running_loop()

    @classmethod
    async def open(cls, address: Address, kind: int = socket.SOCK_STREAM) -> Wire:
        """Connect to `address`. Leaves no socket behind when it fails or is cancelled."""
        sock = socket.socket(address.family, kind | _NONBLOCK)
        wire = cls(sock, address)
        try:
            if not _NONBLOCK:
                sock.setblocking(False)
            await wire._connect()
        except BaseException:
            wire.close()
            raise
        return wire

    async def start_tls(self, context: Any, host: str) -> None:
        """`sock` is a TLS socket from now on; context: an ssl.SSLContext, or what has a `wrap_socket` like its."""
        # On the non-blocking socket itself: half the memory of asyncio's TLS, and no copies.
        self.sock = wrapped = context.wrap_socket(self.sock, server_hostname=host, do_handshake_on_connect=False)
        while True:
            try:
                wrapped.do_handshake()
                return
            except ssl.SSLWantReadError:
                await self._readable()
            except (BlockingIOError, ssl.SSLWantWriteError):
                await self._writable()

    async def send(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            try:
                rest = rest[self.sock.send(rest) :]
            except (BlockingIOError, ssl.SSLWantWriteError):
                await self._writable()
            except ssl.SSLWantReadError:
                await self._readable()

    async def receive(self, most: int = CHUNK) -> bytes:
        """What has arrived; empty when the other side has closed."""
        while True:
            try:
                data: bytes = self.sock.recv(most)
                return data
            except (BlockingIOError, ssl.SSLWantReadError):
                await self._readable()
            except ssl.SSLWantWriteError:
                await self._writable()

    async def readable(self) -> None:
        """Until something arrives, which over TLS need not be data."""
        await self._readable()

    def close(self) -> None:
        self.sock.close()

    async def _connect(self) -> None:
        try:
            self.sock.connect(self.address.sockaddr)
        except BlockingIOError:
            # Nearby it is done by now, and to ask costs less than to be told.
            code = self.sock.connect_ex(self.address.sockaddr)
            if code in (errno.EALREADY, errno.EINPROGRESS):
                await self._writable()
                code = self.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if code not in (0, errno.EISCONN):
                raise OSError(code, "") from None

    async def _readable(self) -> None:
        await self._wait(self._loop.add_reader, self._loop.remove_reader)

    async def _writable(self) -> None:
        await self._wait(self._loop.add_writer, self._loop.remove_writer)

    async def _wait(self, add: Callable[..., Any], remove: Callable[[int], Any]) -> None:
        # By number, not by object: uvloop keeps an object's socket open for as long as it is registered.
        number = self.sock.fileno()
        waiter: asyncio.Future[None] = self._loop.create_future()
        add(number, _wake, waiter)
        try:
            await waiter
        finally:
            remove(number)


def _wake(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():  # cancelled, or woken twice before the loop came round
        waiter.set_result(None)
