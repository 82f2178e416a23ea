"""The demo's maintenance: one every week, and one that runs while the demo does."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import time, timedelta

from pinguin.db import Connection
from pinguin.maintenance import Manual, Weekly
from pinguin.store import maintenance
from pinguin.store.maintenance import Draft
from pinguin.store.monitors import Listed

WEEKLY, RUNNING = "Weekly updates of the demo", "Repair of the demo's broken page"
REPAIRED = "Broken page (503)"


async def add(conn: Connection, demo: Sequence[Listed]) -> None:
    """For the demo's web pages every Sunday night; and from now on for the one that is being repaired."""
    updates = Weekly(days=[7], at=time(2, 30), duration_s=5400)
    await maintenance.create(conn, Draft(title=WEEKLY, rule=updates, zone="Europe/Berlin", tags=["demo"]))
    repaired = [monitor.id for monitor in demo if monitor.name == REPAIRED]
    words = "Its monitor says maintenance, and what it would be; nobody is alerted."
    draft = Draft(title=RUNNING, description=words, rule=Manual(), monitor_ids=repaired)
    await maintenance.start(conn, await maintenance.create(conn, draft), timedelta(hours=4))


async def remove(conn: Connection) -> None:
    for found in await maintenance.listed(conn):
        if found.title in (WEEKLY, RUNNING):
            await maintenance.archive(conn, found.id)
