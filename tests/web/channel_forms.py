"""What the form of a channel sends, and who receives its messages."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.web.conftest import Client

OWN = {
    "name": "ops", "per_minute": "10", "is_default": "on", "quiet_from": "", "quiet_to": "", "quiet_zone": "",
    "subject_template": "", "body_template": "", **{f"quiet_days.{day}": "on" for day in range(1, 8)},
}  # fmt: skip
WEBHOOK = {
    **OWN, "kind": "webhook", "options.url": "https://chat.test/hook?key=hunter2", "options.method": "POST",
    "options.timeout_s": "10", "options.verify_tls": "on",
}  # fmt: skip
EMAIL = {
    **OWN, "kind": "email", "options.host": "smtp.test", "options.sender": "pinguin@shop.test",
    "options.to": "ops@shop.test", "options.security": "starttls", "options.username": "u",
    "options.password": "hunter2", "options.verify_tls": "on",
}  # fmt: skip


async def base(client: Client, channel: int) -> dict[str, str]:
    """The hidden fields of the edit form."""
    page = (await client.get(f"/channels/{channel}/edit")).text
    return dict(re.findall(r'<input type="hidden" name="(channel|updated_at)" value="([^"]+)"', page))


@asynccontextmanager
async def answering(status: str, text: str) -> AsyncIterator[tuple[str, list[bytes]]]:
    """A receiver that gives every request the same answer."""
    heard: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        size = re.search(rb"content-length: (\d+)", head.lower())
        heard.append(head + (await reader.readexactly(int(size[1])) if size else b""))
        body = text.encode()
        writer.write(f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook", heard
