"""The audit log: what is in it, and entries that no page wrote."""

from __future__ import annotations

from typing import Any

from pinguin.db import Pool, connection
from pinguin.people import Principal, Role
from pinguin.store import audit
from pinguin.store.audit import Change, Thing
from tests.factory import fetch

ADA = Principal(name="ada", role=Role.OWNER, user_id=1, address="192.0.2.7")


async def log(pool: Pool) -> list[tuple[str, str, dict[str, Any]]]:
    """(action, object, changes), the newest last."""
    return [
        (action, name, changes)
        for action, name, changes in await fetch(pool, "select action, object_name, changes from audit order by id")
    ]


async def write(pool: Pool, count: int = 1, **given: Any) -> None:
    """Entries that monitors were made. given: `who` and `action`, if others."""
    async with connection(pool) as conn:
        changes = [Change(Thing("monitor", number, f"m{number}"), None, {"n": number}) for number in range(count)]
        await audit.write_all(conn, given.get("who", ADA), given.get("action", "monitor.create"), changes)
