"""A job that pings: a backup every half a minute, which takes three seconds."""

from __future__ import annotations

import asyncio
from uuid import uuid4

from pinguin.checks import check_type
from pinguin.db import Connection, Pool, connection
from pinguin.errors import Unavailable
from pinguin.push import Kind, Ping
from pinguin.store import monitors, push
from pinguin.store.monitors import Draft

NAME = "Backup that pings"
TAGS = ["demo", "jobs"]
OPTIONS = {"period_s": 30, "grace_s": 30}
RUN_S, PAUSE_S = 3.0, 27.0


async def add(conn: Connection) -> int:
    options = check_type("push").parse(OPTIONS)
    draft = Draft(
        name=NAME,
        type="push",
        target=options.target(),
        options=OPTIONS,
        interval_s=options.interval_s(),
        timeout_s=10,
        regions=["local"],
        failure_threshold=1,
        recovery_threshold=1,
        tags=TAGS,
        passive=True,
    )
    return await monitors.create(conn, draft)


async def ping_forever(pool: Pool, monitor_id: int) -> None:
    """As the job itself would, but without the way over HTTP; ends by being cancelled."""
    while True:
        await _ping(pool, monitor_id, "start")
        await asyncio.sleep(RUN_S)
        await _ping(pool, monitor_id, "success", "42 files, 1.3 GB\n")
        await asyncio.sleep(PAUSE_S)


async def _ping(pool: Pool, monitor_id: int, kind: Kind, body: str = "") -> None:
    try:
        async with connection(pool) as conn, conn.transaction():
            token = (await push.address(conn, monitor_id)).token
            await push.receive(conn, [Ping(id=uuid4(), token=token, kind=kind, body=body, user_agent="demo")])
    except Unavailable:
        return  # the next one comes soon
