"""The tags that the list offers to filter by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from time import monotonic

from pinguin.db import Connection
from pinguin.store import monitors

AGE_S = 60.0
"""After so many seconds they are read anew, whatever the list's mark says."""


@dataclass(slots=True)
class Tags:
    """The tags on offer: they change with the list's mark alone, and to find them takes longer than the list."""

    _known: tuple[str, float, Sequence[str]] = field(default=("", 0.0, ()))

    async def read(self, conn: Connection, mark: str) -> Sequence[str]:
        known, until, tags = self._known
        if known != mark or monotonic() >= until:
            tags = await monitors.tags(conn)
            self._known = mark, monotonic() + AGE_S, tags
        return tags
