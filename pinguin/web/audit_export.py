"""The audit log as CSV and JSON, a part at a time: no connection is kept while it is sent."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import msgspec

from pinguin.db import Pool
from pinguin.store import audit
from pinguin.store.audit import Entry, Filter
from pinguin.web import csv_text, json_text
from pinguin.web.database import connection

PART = 1000
COLUMNS = (
    "id", "at", "actor", "user_id", "token_id", "token_name", "address", "action", "object_kind", "object_id",
    "object_name", "tries", "changes",
)  # fmt: skip


async def parts(pool: Pool, wanted: Filter) -> AsyncIterator[list[Entry]]:
    """All of it, the newest first."""
    before = None
    while True:
        async with connection(pool) as conn:
            found = await audit.page(conn, wanted, before=before, most=PART)
        yield found
        if len(found) < PART:
            return
        before = found[-1].id


async def as_csv(found: AsyncIterator[list[Entry]]) -> AsyncIterator[bytes]:
    yield csv_text.lines([COLUMNS])
    async for part in found:
        yield csv_text.lines([[_cell(name, value) for name, value in _row(each).items()] for each in part])


def as_json(found: AsyncIterator[list[Entry]]) -> AsyncIterator[bytes]:
    """A list of objects."""
    return json_text.stream(found, _row)


def _row(entry: Entry) -> dict[str, Any]:
    return {name: getattr(entry, name) for name in COLUMNS}


def _cell(name: str, value: Any) -> str:
    return csv_text.cell(msgspec.json.encode(value).decode() if name == "changes" else value)
