"""How a server of a test ends."""

from __future__ import annotations

import asyncio


async def close(server: asyncio.Server) -> None:
    """Close it once whoever it accepted has its connection: Python 3.11 leaves the socket of one open whose server is
    closed between the two.
    """
    loop = asyncio.get_running_loop()
    for listening in server.sockets:
        loop.remove_reader(listening.fileno())
    for _ in range(2):
        await asyncio.sleep(0)
    server.close()
