"""A provider on loopback: takes what webhooks send, and answers as it is told."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from tests import listening

Answer = tuple[int, dict[str, str]]
"""Status and headers."""


@dataclass
class Receiver:
    """What came, in order. `behave` is asked for each answer; it may take its time."""

    url: str = ""
    came: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    behave: Callable[[dict[str, Any]], Awaitable[Answer]] | None = None
    news: asyncio.Event = field(default_factory=asyncio.Event)

    def kinds(self) -> list[list[str]]:
        """The kinds of the items of each message."""
        return [[item["kind"] for item in message["items"]] for message in self.came]

    async def until(self, messages: int, within_s: float = 30) -> None:
        """Wait for so many messages in all."""
        async with asyncio.timeout(within_s):
            while len(self.came) < messages:
                self.news.clear()
                await self.news.wait()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            fields = dict(line.lower().split(": ", 1) for line in head.split("\r\n")[1:] if ": " in line)
            body = await reader.readexactly(int(fields.get("content-length", "0")))
            message = json.loads(body)
            self.came.append(message)
            self.keys.append(fields["idempotency-key"])
            self.news.set()
            status, headers = await self.behave(message) if self.behave else (200, {})
            lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
            writer.write(f"HTTP/1.1 {status} It\r\n{lines}Content-Length: 2\r\nConnection: close\r\n\r\nok".encode())
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def receiver(port: int = 0) -> AsyncIterator[Receiver]:
    """A receiver for as long as the block lasts."""
    taken = Receiver()
    server = await asyncio.start_server(taken._serve, "127.0.0.1", port)
    try:
        taken.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook"
        yield taken
    finally:
        await listening.close(server)
