"""A long list as JSON, part by part."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, TypeVar

import msgspec

T = TypeVar("T")


async def stream(found: AsyncIterator[Sequence[T]], row: Callable[[T], dict[str, Any]]) -> AsyncIterator[bytes]:
    """A list of objects, one a line."""
    first = True
    yield b"["
    async for part in found:
        text = b",\n".join(msgspec.json.encode(row(each)) for each in part)
        if text:
            yield (b"\n" if first else b",\n") + text
            first = False
    yield b"\n]\n"
