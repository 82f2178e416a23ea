"""Targets that always answer. When none does, the fault is this worker's network, and no monitor is down for it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

CONNECT_S = 3.0
FRESH_S = 2.0


class Canaries:
    """Asks all canaries at once, by TCP; many failed checks share one answer."""

    def __init__(self, targets: Sequence[tuple[str, int]]) -> None:
        self._targets = targets
        self._asked: asyncio.Task[bool] | None = None
        self._answered_at = 0.0

    @classmethod
    def parse(cls, text: str) -> Canaries:
        """From `host:port,host:port` (checked by the settings)."""
        pairs = (item.rpartition(":") for item in text.split(",") if item)
        return cls([(host.strip("[]"), int(port)) for host, _, port in pairs])

    @property
    def complaint(self) -> str:
        names = ", ".join(f"{host}:{port}" for host, port in self._targets)
        return f"this worker's own network is gone: no canary answers ({names})"

    async def all_fail(self) -> bool:
        """True when there are canaries and none of them answers."""
        if not self._targets:
            return False
        now = asyncio.get_running_loop().time()
        if self._asked is None or (self._asked.done() and now - self._answered_at > FRESH_S):
            self._asked = asyncio.create_task(self._ask())
        return await asyncio.shield(self._asked)

    async def _ask(self) -> bool:
        answers = await asyncio.gather(*[_answers(host, port) for host, port in self._targets])
        self._answered_at = asyncio.get_running_loop().time()
        return not any(answers)


async def _answers(host: str, port: int) -> bool:
    try:
        async with asyncio.timeout(CONNECT_S):
            _, writer = await asyncio.open_connection(host, port)
    except (OSError, ValueError):
        return False  # TimeoutError is an OSError; a name that cannot be one is a ValueError
    writer.transport.abort()
    return True
