"""What is said on Redis while something is done."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from pinguin.broker import Broker

END = [2**62]
"""Monitors of an event of ours, behind which there is nothing more."""


@asynccontextmanager
async def listening(broker: Broker) -> AsyncIterator[list[tuple[str, Sequence[int]]]]:
    """Kind and monitors of each event of the block, once it has ended."""
    heard: list[tuple[str, Sequence[int]]] = []
    async with broker.subscribe() as subscription:
        yield heard
        await broker.announce_results(END)
        async with asyncio.timeout(60):
            while (event := await subscription.next(60)) is None or event.monitors != END:
                if event is not None:
                    heard.append((event.kind, event.monitors))
