"""A provider that takes messages."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from pinguin.db import Pool
from tests.receiver import Receiver, receiver
from tests.worker.senders import add_channel


@pytest.fixture
async def provider(pool: Pool) -> AsyncIterator[Receiver]:
    """The one channel leads there."""
    async with receiver() as taken:
        await add_channel(pool, taken.url)
        yield taken
