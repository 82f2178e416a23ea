"""Changes of monitors as people and programs make them: with a line in the audit log, in the same transaction."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from pinguin.checks.contract import CheckType
from pinguin.db import Connection
from pinguin.people import Principal
from pinguin.secrets import Keys
from pinguin.store import audit, bulk, monitors
from pinguin.store.audit import Thing
from pinguin.store.monitors import Draft, Monitor
from pinguin.web import audited
from pinguin.web.saved import sealed

Types = Mapping[str, CheckType]


async def create(
    conn: Connection, who: Principal, types: Types, draft: Draft, source: Monitor | None = None, *, keys: Keys
) -> int:
    """The new monitor's id. draft: with its secrets in plain, which are sealed here. source: what it is a clone of.

    Raises `InvalidInput` where there are secrets and no key.
    """
    same = source.options if source and source.type == draft.type else {}
    draft = sealed(draft, types[draft.type], keys, same)
    async with conn.transaction():
        monitor_id = await monitors.create(conn, draft)
        after = audited.monitor(draft, types) | ({"clone_of": source.id} if source else {})
        action = "monitor.clone" if source else "monitor.create"
        await audit.write(conn, who, action, Thing("monitor", monitor_id, draft.name), None, after)
    return monitor_id


async def update(
    conn: Connection, who: Principal, types: Types, monitor_id: int, version: int, updated_at: datetime, draft: Draft,
    *, keys: Keys,
) -> None:  # fmt: skip
    """draft: with its secrets in plain, which are sealed here. Raises as `create` and `monitors.update` do."""
    async with conn.transaction():
        before = await monitors.get(conn, monitor_id)
        draft = sealed(draft, types[draft.type], keys, before.options if before.type == draft.type else {})
        await monitors.update(conn, monitor_id, version, updated_at, draft)
        after = audited.monitor(draft, types, enabled=before.enabled)
        thing = Thing("monitor", monitor_id, draft.name)
        await audit.write(conn, who, "monitor.edit", thing, audited.monitor(before, types), after)


async def enable(conn: Connection, who: Principal, monitor_id: int, enabled: bool) -> None:
    """Resume or pause. Raises `NotFound`."""
    async with conn.transaction():
        before = await monitors.get(conn, monitor_id)
        await monitors.enable(conn, monitor_id, enabled)
        change = {"enabled": before.enabled}, {"enabled": enabled}
        action = "monitor.resume" if enabled else "monitor.pause"
        await audit.write(conn, who, action, audited.monitor_thing(before), *change)


async def archive(conn: Connection, who: Principal, types: Types, monitor_id: int) -> None:
    """Delete it, as people see it; whoever does can take it back for a minute. Raises `NotFound`."""
    async with conn.transaction():
        before = await monitors.get(conn, monitor_id)
        if who.user_id is not None:
            await bulk.archive(conn, who.user_id, [monitor_id])
        else:
            await monitors.archive(conn, monitor_id)
        thing = audited.monitor_thing(before)
        await audit.write(conn, who, "monitor.delete", thing, audited.monitor(before, types), None)
