"""sql/queries/causes.sql: what outages of one time have in common, for `pinguin.cause.guess`."""

from __future__ import annotations

from collections.abc import Sequence

from pinguin.cause import Facts, Failure, Shared
from pinguin.db import Connection, queries

_SQL = queries("causes")

MOST_FAILURES = 2000
MOST_LOOKED_AT = 3000
"""Of more monitors it is not looked up which address, resolver or certificate each had."""


async def facts(conn: Connection, incident_ids: Sequence[int]) -> Facts:
    """Of these incidents, which began at about the same time. Three queries, or one where there is one incident."""
    given = {"incidents": list(incident_ids), "most": MOST_FAILURES}
    cursor = await conn.execute(_SQL["failures"], given)
    failures = [Failure(*row) for row in await cursor.fetchall()]
    ids = sorted({failure.monitor_id for failure in failures})
    if len(ids) < 2:
        return Facts(failures, (), len(ids))
    wanted = {"monitors": ids, "at": failures[0].at, "most": MOST_LOOKED_AT}
    cursor = await conn.execute(_SQL["shared"], wanted)
    shared = [Shared(kind, value, frozenset(having), of) for kind, value, having, of in await cursor.fetchall()]
    total = await (await conn.execute(_SQL["monitors"], wanted)).fetchone()
    assert total is not None
    return Facts(failures, shared, total[0])
