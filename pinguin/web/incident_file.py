"""Incidents as a file to keep."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Literal

from litestar.response import Stream

from pinguin.db import Pool
from pinguin.store.incidents import Filter, Incident
from pinguin.web import export


async def download(pool: Pool, wanted: Filter, format: Literal["csv", "json"]) -> Stream:
    """The first part is read before the answer begins, so that what is wrong is still told."""
    found = export.parts(pool, wanted)
    first = await anext(found)

    async def all_parts() -> AsyncIterator[list[Incident]]:
        yield first
        async for part in found:
            yield part

    lines = export.as_csv(all_parts()) if format == "csv" else export.as_json(all_parts())
    media_type = "text/csv" if format == "csv" else "application/json"
    name = f"incidents-{datetime.now(UTC):%Y-%m-%d}.{format}"
    return Stream(lines, media_type=media_type, headers={"Content-Disposition": f'attachment; filename="{name}"'})
