"""The loopback servers that the monitors check. Each monitor has an address of its own, to count its checks by."""

from __future__ import annotations

import asyncio
import socket
import time
from collections import Counter

ACCEPTS = "0.0.0.0"


def address(monitor_id: int) -> str:
    """All of 127/8 is this machine, on Linux."""
    return f"127.1.{monitor_id // 250}.{monitor_id % 250 + 1}"


def monitor_of(host: str) -> int:
    _, _, high, low = map(int, host.split("."))
    return high * 250 + low - 1


class Listener:
    """Accepts and ends every connection, and keeps when it came and for whom. It can be closed and opened again."""

    def __init__(self) -> None:
        self.port = 0
        self.connections: list[tuple[float, int]] = []
        self._server: asyncio.Server | None = None

    async def open(self) -> None:
        self.port = self.port or _free_port()
        self._server = await asyncio.get_running_loop().create_server(
            lambda: _Visit(self), ACCEPTS, self.port, backlog=4096
        )

    async def close(self) -> None:
        assert self._server is not None
        self._server.close()
        await self._server.wait_closed()

    def visits(self, start: float, end: float) -> Counter[int]:
        """Connections in that time, by monitor."""
        return Counter(monitor_id for at, monitor_id in self.connections if start <= at < end)


class _Visit(asyncio.Protocol):
    def __init__(self, listener: Listener) -> None:
        self._listener = listener

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        host = transport.get_extra_info("sockname")[0]
        self._listener.connections.append((time.time(), monitor_of(host)))
        transport.close()


def _free_port() -> int:
    """Below 32768: a connection to a closed port that is its own source would succeed."""
    for port in range(19000, 20000):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((ACCEPTS, port))
                probe.listen()
            except OSError:
                continue
            return port
    raise RuntimeError("no port is free between 19000 and 20000")
