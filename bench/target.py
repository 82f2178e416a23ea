"""A web server on loopback that does as little as it can, in a process of its own: what the checks ask."""

from __future__ import annotations

import asyncio
import ctypes
import multiprocessing
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.sharedctypes import Synchronized
from typing import cast

import uvloop

ADDRESSES = [f"127.0.0.{n}" for n in range(1, 9)]
"""Several, so that connections in TIME_WAIT do not use up the ports of one."""
_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n"


@dataclass(frozen=True)
class Target:
    port: int
    _served: Synchronized[int]

    @property
    def served(self) -> int:
        """Requests answered so far."""
        return self._served.value


@contextmanager
def target() -> Iterator[Target]:
    """A running server."""
    context = multiprocessing.get_context("spawn")
    served: Synchronized[int] = context.Value(ctypes.c_int64)
    port = _free_port()
    ready = context.Event()
    process = context.Process(target=_serve, args=(port, served, ready), daemon=True)
    process.start()
    try:
        if not ready.wait(20):
            raise RuntimeError("the target did not start")
        yield Target(port, served)
    finally:
        process.terminate()
        process.join()


def _free_port() -> int:
    """Below 32768: no connection of our own can have taken it."""
    for port in range(18000, 19000):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("0.0.0.0", port))
            except OSError:
                continue
            return port
    raise RuntimeError("no port is free between 18000 and 19000")


class _Answer(asyncio.Protocol):
    def __init__(self, served: Synchronized[int]) -> None:
        self._served = served

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is not a subclass

    def data_received(self, data: bytes) -> None:
        self._transport.write(_ANSWER)
        self._transport.close()
        self._served.value += 1


def _serve(port: int, served: Synchronized[int], ready: multiprocessing.synchronize.Event) -> None:
    async def forever() -> None:
        loop = asyncio.get_running_loop()
        await loop.create_server(lambda: _Answer(served), ADDRESSES, port, backlog=4096)
        ready.set()
        await asyncio.Event().wait()

    uvloop.run(forever())
