"""What people do to many monitors at once: one transaction, a line in the audit log for each monitor."""

from __future__ import annotations

from collections.abc import Sequence

from pinguin.db import Connection
from pinguin.people import Principal
from pinguin.store import audit, bulk, listing
from pinguin.store.audit import Change, Thing
from pinguin.store.bulk import Act, Edit
from pinguin.store.monitors import Filter
from pinguin.web import bulk_form


async def enable(
    conn: Connection, who: Principal, wanted: Filter, ids: Sequence[int] | None, enabled: bool
) -> list[int]:
    """Resume or pause; the ids of those that were not so before."""
    async with conn.transaction():
        changed = await bulk.enable(conn, _own(who), await listing.matching(conn, wanted, ids), enabled)
        changes = [Change(_thing(*each), {"enabled": not enabled}, {"enabled": enabled}) for each in changed]
        await audit.write_all(conn, who, "monitor.resume" if enabled else "monitor.pause", changes)
    return [number for number, _ in changed]


async def archive(conn: Connection, who: Principal, wanted: Filter, ids: Sequence[int] | None) -> list[int]:
    """Delete them, as people see it."""
    async with conn.transaction():
        gone = await bulk.archive(conn, _own(who), await listing.matching(conn, wanted, ids))
        changes = [Change(_thing(each.pop("id"), each["name"]), each, None) for each in gone]
        await audit.write_all(conn, who, "monitor.delete", changes)
    return [each.thing.id or 0 for each in changes]


async def edit(conn: Connection, who: Principal, wanted: Filter, ids: Sequence[int] | None, change: Edit) -> list[int]:
    """The ids of those that it changes. Raises `InvalidInput` where it does not fit one of them: then none is."""
    async with conn.transaction():
        edited = await bulk.edited(conn, await listing.matching(conn, wanted, ids), change)
        bulk_form.check(edited)
        if edited:
            await bulk.edit(conn, _own(who), edited)
        changes = [Change(_thing(each.id, each.name), each.before, each.after) for each in edited]
        await audit.write_all(conn, who, "monitor.edit", changes)
    return [each.id for each in edited]


async def undo(conn: Connection, who: Principal, undo_id: int) -> tuple[Act, list[int], int]:
    """The act that was taken back, of which monitors, and how many stay as somebody made them since.

    Raises `NotFound` where it is too late.
    """
    async with conn.transaction():
        act, done, left = await bulk.undo(conn, _own(who), undo_id)
        changes = [Change(_thing(each.id, each.name), each.changed, each.before) for each in done]
        await audit.write_all(conn, who, f"monitor.undo_{act}", changes)
    return act, [each.id for each in done], left


def _thing(number: int, name: str) -> Thing:
    return Thing("monitor", number, name)


def _own(who: Principal) -> int:
    assert who.user_id is not None
    return who.user_id
