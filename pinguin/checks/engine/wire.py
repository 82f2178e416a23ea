"""One fresh connection on a non-blocking socket, plain or TLS, without asyncio's transports.

A monitor connects anew for every check, and a transport, its protocol and their buffers cost more than the check
itself. `send` and `receive` try the socket first and wait for the loop only when it would block.
"""

from __future__ import annotations

import errno
import socket
import ssl
from collections.abc import Awaitable
from typing import Any

from pinguin.checks.contract import Resources
from pinguin.checks.engine.readiness import readiness
from pinguin.checks.engine.resolve import Address

CHUNK = 65536
_NONBLOCK: int = getattr(socket, "SOCK_NONBLOCK", 0)
_UNDER_WAY = {errno.EINPROGRESS, errno.EALREADY}
_CONNECTED = {0, errno.EISCONN}


class Wire:
    """A connection. Whoever opens one closes it, on every way out. Calls raise OSError (ssl.SSLError is one)."""

    __slots__ = ("_number", "_readiness", "_waited", "address", "sock")

    def __init__(self, sock: socket.socket, address: Address, resources: Resources) -> None:
        self.sock: Any = sock
        self.address = address
        self._number = sock.fileno()
        self._readiness = readiness(resources)
        self._waited = False

    @classmethod
    async def open(cls, address: Address, resources: Resources, kind: int = socket.SOCK_STREAM) -> Wire:
        """Connect to `address`. Leaves no socket behind when it fails or is cancelled."""
        sock = socket.socket(address.family, kind | _NONBLOCK)
        wire = cls(sock, address, resources)
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
                await self._until()
            except (BlockingIOError, ssl.SSLWantWriteError):
                await self._until(writable=True)

    async def send(self, data: bytes) -> None:
        rest: bytes | memoryview = data
        while rest:
            try:
                sent = self.sock.send(rest)
                if sent == len(rest):
                    return
                rest = memoryview(rest)[sent:]
            except (BlockingIOError, ssl.SSLWantWriteError):
                await self._until(writable=True)
            except ssl.SSLWantReadError:
                await self._until()

    async def receive(self, most: int = CHUNK) -> bytes:
        """What has arrived; empty when the other side has closed."""
        while True:
            try:
                data: bytes = self.sock.recv(most)
                return data
            except (BlockingIOError, ssl.SSLWantReadError):
                await self._until()
            except ssl.SSLWantWriteError:
                await self._until(writable=True)

    async def readable(self) -> None:
        """Until something arrives, which over TLS need not be data."""
        await self._until()

    def close(self) -> None:
        self.sock.close()

    async def _connect(self) -> None:
        connect, to = self.sock.connect_ex, self.address.sockaddr
        code = connect(to)
        if code in _UNDER_WAY:
            code = connect(to)  # nearby it is done by now, and to ask costs less than to be told
            while code in _UNDER_WAY:
                await self._until(writable=True)
                code = self.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) or connect(to)
        if code not in _CONNECTED:
            raise OSError(code, "")

    def _until(self, *, writable: bool = False) -> Awaitable[None]:
        again, self._waited = self._waited, True
        return self._readiness.until(self._number, writable=writable, again=again)
