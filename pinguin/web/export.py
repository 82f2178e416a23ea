"""Incidents as CSV and JSON, a part at a time: no list is too long, and no connection is kept while one is sent."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

from pinguin.db import Pool
from pinguin.store import incidents
from pinguin.store.incidents import Filter, Incident
from pinguin.web import csv_text, json_text
from pinguin.web.database import connection

PART = 500

COLUMNS = (
    "id", "state", "monitor_id", "monitor", "type", "target", "tags", "started_at", "confirmed_at", "ended_at",
    "duration_s", "reason", "message", "region", "closed_by", "acknowledged_at", "acknowledged_by", "snoozed_until",
    "resolved_by",
)  # fmt: skip


async def parts(pool: Pool, wanted: Filter) -> AsyncIterator[list[Incident]]:
    """All of them, newest first. What is opened meanwhile is not among them, and none is there twice."""
    before: tuple[datetime, int] | None = None
    while True:
        async with connection(pool) as conn:
            found = await incidents.listed(conn, wanted, before=before, most=PART)
        yield found
        if len(found) < PART:
            return
        before = found[-1].started_at, found[-1].id


async def as_csv(found: AsyncIterator[list[Incident]]) -> AsyncIterator[bytes]:
    yield csv_text.lines([COLUMNS])
    async for part in found:
        yield csv_text.lines([[csv_text.cell(value) for value in _row(each).values()] for each in part])


def as_json(found: AsyncIterator[list[Incident]]) -> AsyncIterator[bytes]:
    """A list of objects."""
    return json_text.stream(found, _row)


def _row(incident: Incident) -> dict[str, Any]:
    ended = incident.ended_at
    values = {name: getattr(incident, name, None) for name in COLUMNS}
    return values | {
        "monitor": incident.name,
        "duration_s": (ended - incident.started_at).total_seconds() if ended else None,
    }
