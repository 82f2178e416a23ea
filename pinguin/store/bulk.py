"""What is done to many monitors at once, and taken back.

Call each within a transaction, with ids that `listing.matching` has locked. What a bulk change writes is remembered
before, so that `undo` can put back exactly that; monitors that were changed since stay as they are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import msgspec
from psycopg.rows import class_row, dict_row, scalar_row
from psycopg.types.json import Jsonb

from pinguin.db import Connection, queries
from pinguin.errors import NotFound

_SQL = queries("bulk")

Act = Literal["pause", "resume", "edit", "delete"]

UNDO_S = 60
"""Seconds for which a change can be taken back."""
EDITED = ("interval_s", "timeout_s", "regions", "tags", "failure_threshold", "recovery_threshold", "alerts")
"""The columns that an edit of many may write."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """What to change; None, and no tag, leaves it as it is. steps: `AlertRules.steps` in plain JSON types."""

    interval_s: int | None = None
    timeout_s: float | None = None
    regions: Sequence[str] | None = None
    failure_threshold: int | None = None
    recovery_threshold: int | None = None
    add: Sequence[str] = ()
    remove: Sequence[str] = ()
    alerts: bool = False
    steps: Sequence[Mapping[str, Any]] | None = None


@dataclass(frozen=True, slots=True)
class Edited:
    """A monitor that an edit changes: its columns by name, before and after."""

    id: int
    name: str
    passive: bool
    before: dict[str, Any]
    after: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Undo:
    """What somebody can take back until `expires_at`. name: of the first of its monitors."""

    id: int
    act: Act
    expires_at: datetime
    monitors: int
    name: str


@dataclass(frozen=True, slots=True)
class Undone:
    """A monitor that is again as it was: the columns that were put back, and what they were in between."""

    id: int
    name: str
    before: dict[str, Any]
    changed: dict[str, Any]


async def enable(conn: Connection, user_id: int, ids: Sequence[int], enabled: bool) -> list[tuple[int, str]]:
    """Resume or pause; ids and names of those that were not so before."""
    await _lock(conn, ids)
    async with conn.cursor(row_factory=scalar_row) as cursor:
        await cursor.execute(_SQL["changing"], {"ids": list(ids), "enabled": enabled})
        changing = await cursor.fetchall()
    await _remember(conn, user_id, "resume" if enabled else "pause", changing, ["enabled"])
    rows = await (await conn.execute(_SQL["enable"], {"ids": changing, "enabled": enabled})).fetchall()
    return [(int(row[0]), str(row[1])) for row in rows]


async def archive(conn: Connection, user_id: int, ids: Sequence[int]) -> list[dict[str, Any]]:
    """Delete them, as people see it: their history stays. What each was, in few columns."""
    await _lock(conn, ids)
    await _remember(conn, user_id, "delete", ids, ["archived_at"])
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(_SQL["archive"], {"ids": list(ids)})
        return await cursor.fetchall()


async def edited(conn: Connection, ids: Sequence[int], edit: Edit) -> list[Edited]:
    """What the edit would change, by id. Writes nothing."""
    given = {
        "ids": list(ids),
        "interval_s": edit.interval_s,
        "timeout_s": edit.timeout_s,
        "regions": None if edit.regions is None else list(edit.regions),
        "failure_threshold": edit.failure_threshold,
        "recovery_threshold": edit.recovery_threshold,
        "add": list(edit.add),
        "remove": list(edit.remove),
        "alerts": edit.alerts,
        "steps": None if edit.steps is None else Jsonb({"steps": list(edit.steps)}),
    }
    async with conn.cursor(row_factory=class_row(Edited)) as cursor:
        await cursor.execute(_SQL["edited"], given)
        return await cursor.fetchall()


async def edit(conn: Connection, user_id: int, changes: Sequence[Edited]) -> None:
    """Write what `edited` said."""
    ids = [each.id for each in changes]
    await _lock(conn, ids)
    await _remember(conn, user_id, "edit", ids, EDITED)
    rows = Jsonb([{"id": each.id, **each.after} for each in changes], dumps=msgspec.json.encode)
    await conn.execute(_SQL["edit"], {"rows": rows})


async def open_undo(conn: Connection, user_id: int) -> Undo | None:
    """The newest change of theirs that can be taken back."""
    async with conn.cursor(row_factory=class_row(Undo)) as cursor:
        await cursor.execute(_SQL["open_undo"], {"user": user_id})
        return await cursor.fetchone()


async def undo(conn: Connection, user_id: int, undo_id: int) -> tuple[Act, list[Undone], int]:
    """Put back what was changed: the act, its monitors, and how many were changed since and stay as they are.

    Raises `NotFound` where it is too late, was done already, or is not theirs.
    """
    given = {"user": user_id, "undo": undo_id}
    row = await (await conn.execute(_SQL["use_undo"], given)).fetchone()
    if row is None:
        raise NotFound("It is too late to undo this, or it was undone already.")
    size = await (await conn.execute(_SQL["undo_size"], given)).fetchone()
    assert size is not None
    async with conn.cursor(row_factory=class_row(Undone)) as rows:
        await rows.execute(_SQL["undoing"], given)
        done = await rows.fetchall()
    ids = [each.id for each in done]
    await _lock(conn, ids)
    await conn.execute(_SQL["put_back"], given | {"ids": ids})
    await conn.execute(_SQL["hand_back"], given)
    return row[0], done, size[0] - len(done)


async def _lock(conn: Connection, ids: Sequence[int]) -> None:
    """As those who record results do, in their order: else each would wait for the other."""
    for statement in ("lock_pushes", "lock_states"):
        await conn.execute(_SQL[statement], {"ids": list(ids)})


async def _remember(conn: Connection, user_id: int, act: Act, ids: Sequence[int], columns: Sequence[str]) -> None:
    if not ids:
        return
    await conn.execute(_SQL["forget_undos"])
    given = {"user": user_id, "act": act, "seconds": UNDO_S}
    row = await (await conn.execute(_SQL["begin_undo"], given)).fetchone()
    assert row is not None
    await conn.execute(_SQL["remember"], {"undo": row[0], "ids": list(ids), "columns": list(columns)})
