"""What a push monitor's page shows: its address, what it waits for, its pings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import msgspec

from pinguin.db import Connection
from pinguin.push import Rules, Run, Watch
from pinguin.store import push
from pinguin.store.monitors import Monitor
from pinguin.store.push import Logged
from pinguin.web.service import Req, of

PINGS = 20
EXCERPT = 500
KINDS = {
    "start": "started",
    "success": "success",
    "fail": "failed",
    "log": "log",
    "exit": "ended",
    "ignored": "ignored",
}
"""What a ping is called on a page."""


@dataclass(frozen=True, slots=True)
class Pushed:
    """The push part of a page. late: expected, not there, and still in its grace. older: where older pings begin."""

    monitor: Monitor
    url: str
    slug_url: str | None
    made_at: datetime
    rules: Rules | None
    watch: Watch | None
    late: bool
    running: Sequence[Run]
    pings: Sequence[Logged]
    older: str
    body_limit: int

    @property
    def kinds(self) -> dict[str, str]:
        return KINDS


async def part(request: Req, conn: Connection, monitor: Monitor, before: datetime | None = None) -> Pushed:
    """Three queries. before: of which ping on; None: the newest ones."""
    address = await push.address(conn, monitor.id)
    watch = await push.watch(conn, monitor.id)
    now = datetime.now(UTC)
    pings = await push.log(conn, monitor.id, before or now + timedelta(days=1), PINGS, EXCERPT)
    settings, base = of(request).settings, base_url(request)
    slug = monitor.options.get("slug") if settings.ping_key else None
    try:
        rules = Rules.of(monitor.options)
    except msgspec.ValidationError:
        rules = None
    waits = watch is not None and monitor.enabled and watch.expected_at is not None and watch.deadline is not None
    return Pushed(
        monitor=monitor,
        url=f"{base}/ping/{address.token}",
        slug_url=f"{base}/ping/{settings.ping_key}/{slug}" if slug else None,
        made_at=address.created_at,
        rules=rules,
        watch=watch if waits else None,
        late=bool(
            waits and watch and watch.expected_at and watch.deadline and watch.expected_at < now < watch.deadline
        ),
        running=[run for run in watch.runs if not run.over] if watch else [],
        pings=pings,
        older=pings[-1].at.isoformat() if len(pings) == PINGS else "",
        body_limit=settings.ping_body_limit,
    )


def base_url(request: Req) -> str:
    """As people and jobs reach us, without a slash at the end."""
    return (of(request).settings.base_url or str(request.base_url)).rstrip("/")
