"""Results and roll-ups of a monitor as files, a part at a time: no connection is kept while one is sent."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import asdict, fields, replace
from datetime import UTC, datetime
from typing import Any, Literal

import msgspec
from litestar.response import Stream

from pinguin.db import Pool
from pinguin.store import records
from pinguin.store.records import Grain, Raw, RolledUp, Wanted
from pinguin.web import csv_text, json_text
from pinguin.web.database import connection

PART = 500
MOST = 500_000
"""Rows of one file; for more there are more windows."""

Format = Literal["csv", "json"]
Row = Raw | RolledUp


async def download(pool: Pool, wanted: Wanted, grain: Grain, format: Format) -> Stream:
    """The first part is read before the answer begins, so that what is wrong is still told."""
    found = parts(pool, wanted, grain)
    first = await anext(found)

    async def every_part() -> AsyncIterator[Sequence[Row]]:
        yield first
        async for part in found:
            yield part

    lines = as_csv(every_part(), grain) if format == "csv" else json_text.stream(every_part(), asdict)
    name = f"monitor-{wanted.monitor_id}-{grain}-{datetime.now(UTC):%Y-%m-%d}.{format}"
    media_type = "text/csv" if format == "csv" else "application/json"
    return Stream(lines, media_type=media_type, headers={"Content-Disposition": f'attachment; filename="{name}"'})


async def parts(pool: Pool, wanted: Wanted, grain: Grain) -> AsyncIterator[Sequence[Row]]:
    """The newest first, up to `MOST` rows. None is there twice, whatever comes meanwhile."""
    wanted = replace(wanted, most=PART)
    for _ in range(MOST // PART):
        async with connection(pool) as conn:
            found: Sequence[Row]
            if grain == "raw":
                found = await records.raw(conn, wanted)
            else:
                found = await records.rolled_up(conn, wanted, grain)
        yield found
        if len(found) < PART:
            return
        wanted = replace(wanted, before=(found[-1].at, found[-1].region))


async def as_csv(found: AsyncIterator[Sequence[Row]], grain: Grain) -> AsyncIterator[bytes]:
    yield csv_text.lines([[each.name for each in fields(Raw if grain == "raw" else RolledUp)]])
    async for part in found:
        yield csv_text.lines([[_cell(value) for value in asdict(each).values()] for each in part])


def _cell(value: Any) -> str:
    return csv_text.cell(msgspec.json.encode(value).decode() if isinstance(value, dict) else value)
