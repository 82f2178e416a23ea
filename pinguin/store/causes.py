"""sql/queries/causes.sql: what outages of one time have in common, for `pinguin.cause.guess`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from pinguin.cause import Facts, Failure, Shared
from pinguin.db import Connection, queries

_SQL = queries("causes")

MOST_FAILURES = 2000
MOST_LOOKED_AT = 3000
"""Of more monitors it is not looked up which address, resolver or certificate each had."""


async def facts(conn: Connection, incident_ids: Sequence[int]) -> Facts:
    """Of these incidents, which began at about the same time. Two queries."""
    cursor = await conn.execute(_SQL["failures"], {"incidents": list(incident_ids), "most": MOST_FAILURES})
    return await of_failures(conn, [Failure(*row) for row in await cursor.fetchall()])


async def of_failures(conn: Connection, failures: Sequence[Failure]) -> Facts:
    """Of outages that are known, the first of them first. One query, also where there is nothing to find."""
    ids = sorted({failure.monitor_id for failure in failures})
    at = failures[0].at if failures else datetime.now(UTC)
    cursor = await conn.execute(_SQL["shared"], {"monitors": ids, "at": at, "most": MOST_LOOKED_AT})
    *found, (_, _, _, total) = await cursor.fetchall()
    shared = [Shared(kind, value, frozenset(having), of) for kind, value, having, of in found]
    return Facts(failures, shared, total or len(ids))
