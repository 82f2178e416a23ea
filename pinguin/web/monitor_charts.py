"""The charts of a monitor's page over a stretch of time, and what that stretch amounts to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from pinguin.db import Connection
from pinguin.model import Status
from pinguin.store import history, maintenance_windows
from pinguin.store.charted import Latency
from pinguin.store.history import Account, Grain, Span, Window
from pinguin.store.monitors import Monitor
from pinguin.wallclock import instant
from pinguin.web.charts import latency, phases
from pinguin.web.charts.plot import Chart
from pinguin.web.charts.view import View, stamp
from pinguin.web.database import all_of

GRAINS = {"raw": "every check", "hourly": "hourly roll-ups (UTC)", "daily": "daily roll-ups (UTC)"}


@dataclass(frozen=True, slots=True)
class Panel:
    """The charts over `view`. names: the phases that there are. coarser: raw results of then are not kept any more."""

    view: View
    window: Window
    latency: Chart
    phases: Chart | None
    names: Sequence[str]
    total: Latency
    account: Account
    zone: ZoneInfo
    now: datetime
    coarser: bool

    @property
    def source(self) -> str:
        return GRAINS[self.window.grain]

    @property
    def moves(self) -> list[tuple[str, View | None]]:
        """Where to go from here without a mouse."""
        return [
            ("Earlier", self.view.beside(-1, self.now)),
            ("Zoom out", self.view.wider(self.now)),
            ("Later", self.view.beside(1, self.now)),
        ]

    @property
    def calendar(self) -> list[tuple[str, View]]:
        return calendar(self.now, self.zone)

    @property
    def bounds(self) -> dict[str, str]:
        """The stretch as addresses of other pages have it, also where it ends now."""
        return {"from": stamp(self.view.since), "to": stamp(self.view.until)}

    def field(self, moment: datetime) -> str:
        """As a form's field for a local time has it."""
        return moment.astimezone(self.zone).strftime("%Y-%m-%dT%H:%M")


@dataclass(frozen=True, slots=True)
class Found:
    """What `draw` makes charts of. rows: for `history.put_together`."""

    window: Window
    rows: Sequence[tuple[Any, ...]]
    spans: Sequence[Span]
    account: Account
    coarser: bool


async def read(conn: Connection, monitor: Monitor, view: View, now: datetime, raw_days: int) -> Found:
    """Four queries."""
    grain = view.grain(now, raw_days)
    # Runs of jobs take hours, for which the roll-ups have no bins; and there are few of them.
    window = view.window(monitor.id, monitor.interval_s, "raw" if monitor.passive else grain)
    rows, spans, account = await all_of(
        history.charted(conn, window, now),
        _shades(conn, monitor.id, window, now),
        history.account(conn, monitor.id, view.since, view.until),
    )
    return Found(window, rows, spans, account, grain != _finest(view))


def draw(found: Found, monitor: Monitor, view: View, zone: ZoneInfo, now: datetime) -> Panel:
    window = found.window
    buckets, total = history.put_together(window, found.rows)
    names = phases.used(total)
    looks: Any = {"interval_s": monitor.interval_s, "columns": view.columns, "now": now}
    drawn = latency.draw(window, buckets, found.spans, names, **looks)
    return Panel(
        view=view,
        window=window,
        latency=drawn,
        phases=phases.draw(window, buckets, found.spans, names, hits=drawn.hits, **looks) if names else None,
        names=names,
        total=total,
        account=found.account,
        zone=zone,
        now=now,
        coarser=found.coarser,
    )


async def _shades(conn: Connection, monitor_id: int, window: Window, now: datetime) -> list[Span]:
    found: list[Span]
    found, planned = await all_of(
        history.spans(conn, window),
        maintenance_windows.of_monitor(conn, monitor_id, window.origin, min(window.ending, now)),
    )
    return found + [Span(each.starts_at, each.ends_at, Status.MAINTENANCE) for each in planned]


def _finest(view: View) -> Grain:
    return view.grain(view.until, 36500)


def calendar(now: datetime, zone: ZoneInfo) -> list[tuple[str, View]]:
    """Stretches of the calendar of `zone`, up to now."""
    today = now.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
    month, year = today.replace(day=1), today.replace(month=1, day=1)
    days = [
        ("today", today, None),
        ("yesterday", today - timedelta(days=1), today),
        ("this week", today - timedelta(days=today.weekday()), None),
        ("this month", month, None),
        ("last month", (month - timedelta(days=1)).replace(day=1), month),
        ("this year", year, None),
        ("last year", year.replace(year=year.year - 1), year),
    ]
    return [
        (title, View(instant(begin, zone), min(instant(end, zone), now) if end else now.astimezone(UTC)))
        for title, begin, end in days
    ]
