"""The loopback servers that the monitors check. Each monitor has an address of its own, to count its checks by."""

from __future__ import annotations

import asyncio
import socket
import time
from collections import Counter
from contextlib import suppress

ACCEPTS = "0.0.0.0"


def address(monitor_id: int) -> str:
    """All of 127/8 is this machine, on Linux."""
    return f"127.1.{monitor_id // 250}.{monitor_id % 250 + 1}"


def monitor_of(host: str) -> int:
    _, _, high, low = map(int, host.split("."))
    return high * 250 + low - 1


class Listener:
    """Accepts and ends every connection, and keeps when it came and for whom. It can be closed and opened again.

    Not an `asyncio.Server`: one that is closed between the arrival of connections and their turn leaves them open.
    """

    def __init__(self) -> None:
        self.port = 0
        self.connections: list[tuple[float, int]] = []
        self._socket: socket.socket | None = None

    async def open(self) -> None:
        self.port = self.port or _free_port()
        self._socket = socket.create_server((ACCEPTS, self.port), backlog=4096)
        self._socket.setblocking(False)
        asyncio.get_running_loop().add_reader(self._socket, self._accept, self._socket)

    async def close(self) -> None:
        assert self._socket is not None
        asyncio.get_running_loop().remove_reader(self._socket)
        self._socket.close()

    def _accept(self, listening: socket.socket) -> None:
        with suppress(BlockingIOError, ConnectionAbortedError):  # none is left
            while True:
                connection, _ = listening.accept()
                with connection:
                    self.connections.append((time.time(), monitor_of(connection.getsockname()[0])))

    def visits(self, start: float, end: float) -> Counter[int]:
        """Connections in that time, by monitor."""
        return Counter(monitor_id for at, monitor_id in self.connections if start <= at < end)


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
