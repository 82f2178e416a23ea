"""What people and programs do about incidents: with a line in the audit log, in the same transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from pinguin.db import Connection
from pinguin.people import Principal
from pinguin.store import audit, incidents

LONGEST_NOTE = 1000
LONGEST_COMMENT = 5000


async def acknowledge(conn: Connection, who: Principal, ids: Sequence[int], words: str) -> list[int]:
    """Those that were open, and that nobody had acknowledged."""
    async with conn.transaction():
        done = await incidents.acknowledge(conn, ids, who.name, words)
        await _noted(conn, who, "acknowledge", done, {"note": words})
    return done


async def take_back(conn: Connection, who: Principal, incident_id: int, words: str) -> bool:
    """False where it was not acknowledged, or is over."""
    async with conn.transaction():
        done = await incidents.take_back(conn, incident_id, who.name, words)
        await _noted(conn, who, "take_back", [incident_id] * done, {"note": words})
    return done


async def snooze(conn: Connection, who: Principal, incident_id: int, until: datetime) -> bool:
    """False where it is over."""
    async with conn.transaction():
        done = await incidents.snooze(conn, incident_id, who.name, until)
        await _noted(conn, who, "snooze", [incident_id] * done, {"until": until.isoformat()})
    return done


async def wake(conn: Connection, who: Principal, incident_id: int) -> bool:
    """False where it is over, or was not asleep."""
    async with conn.transaction():
        done = await incidents.snooze(conn, incident_id, who.name, None)
        await _noted(conn, who, "wake", [incident_id] * done, {})
    return done


async def comment(conn: Connection, who: Principal, incident_id: int, words: str) -> None:
    """Raises `NotFound`."""
    async with conn.transaction():
        await incidents.comment(conn, incident_id, who.name, words)
        await _noted(conn, who, "comment", [incident_id], {"comment": words})


async def resolve(conn: Connection, who: Principal, incident_id: int, words: str) -> int | None:
    """Its monitor; None where it was over already."""
    async with conn.transaction():
        monitor_id = await incidents.resolve(conn, incident_id, who.name, words)
        done = [incident_id] if monitor_id is not None else []
        await _noted(conn, who, "resolve", done, {"comment": words})
    return monitor_id


async def write_postmortem(conn: Connection, who: Principal, incident_id: int, words: str, seen: str) -> None:
    """Raises `Conflict` unless `seen` is what is written there now, `NotFound`."""
    async with conn.transaction():
        await incidents.write_postmortem(conn, incident_id, words, seen)
        await _noted(conn, who, "post_mortem", [incident_id], {"post_mortem": words})


async def _noted(conn: Connection, who: Principal, act: str, ids: Sequence[int], after: Mapping[str, Any]) -> None:
    known = {name: value for name, value in after.items() if value}
    changes = [audit.Change(audit.Thing("incident", each), None, known) for each in ids]
    await audit.write_all(conn, who, f"incident.{act}", changes)
