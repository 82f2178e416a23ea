"""What a monitor's page shows, put together from a fixed number of queries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from markupsafe import Markup

from pinguin.db import Connection
from pinguin.errors import InvalidInput
from pinguin.model import Status
from pinguin.store import channels, history, incidents, maintenance_windows, messages, monitors, pages
from pinguin.store.channels import Told
from pinguin.store.history import Place
from pinguin.store.incidents import Filter, Incident
from pinguin.store.maintenance_windows import MonitorWindow
from pinguin.store.messages import Notified
from pinguin.store.monitors import Monitor
from pinguin.store.pages import Ratio, ResultRow, Uptime
from pinguin.web import beats, seen, views
from pinguin.web.charts import days, hours
from pinguin.web.charts.days import Days
from pinguin.web.charts.hours import Heat
from pinguin.web.database import all_of
from pinguin.web.seen import Seen
from pinguin.web.service import aware
from pinguin.web.views import Line

RESULTS = 30
INCIDENTS = 10
YOUNG_S = 180
"""A monitor is new for so long: somebody watches its first minutes, and every number changes much."""


@dataclass(frozen=True, slots=True)
class Head:
    """The top of the page. windows: the maintenance that it is in now."""

    monitor: Monitor
    bar: Markup
    windows: Sequence[MonitorWindow]


@dataclass(frozen=True, slots=True)
class Turn:
    """What changes with a monitor's status, or with what becomes of its incident.

    evidence: by incident. told: whom alerts go to; notified: what was told.
    """

    uptimes: Sequence[tuple[Uptime, Ratio | None]]
    incidents: Sequence[Incident]
    evidence: Mapping[int, Seen]
    told: Sequence[Told]
    notified: Sequence[Notified]

    @property
    def open(self) -> Incident | None:
        newest = self.incidents[0] if self.incidents else None
        return newest if newest and newest.ended_at is None else None


@dataclass(frozen=True, slots=True)
class Story:
    """All of the page but the charts. facts: what the newest check saw. older: whether there are more results."""

    head: Head
    turn: Turn
    lines: Sequence[Line]
    older: str
    facts: Seen
    days: Days


async def story(conn: Connection, monitor: Monitor, zone: ZoneInfo) -> Story:
    parts = [head_of(conn, monitor), recent(conn, monitor), turn(conn, monitor.id), by_day(conn, monitor.id, zone)]
    top, lines, told, by_days = await all_of(*parts)
    return Story(
        head=top,
        turn=told,
        lines=lines,
        older=cursor(lines[-1].result) if len(lines) == RESULTS else "",
        facts=facts(lines),
        days=by_days,
    )


async def head(conn: Connection, monitor_id: int) -> Head:
    return await head_of(conn, await monitors.get(conn, monitor_id))


async def head_of(conn: Connection, monitor: Monitor) -> Head:
    now = datetime.now(UTC)
    found = await history.beats(conn, monitor.id, _lately(monitor, now), beats.BEATS * len(monitor.regions))
    in_maintenance = monitor.status == Status.MAINTENANCE
    windows = await maintenance_windows.of_monitor(conn, monitor.id, now, now) if in_maintenance else []
    return Head(monitor, views.bar(monitor, found), windows)


async def turn(conn: Connection, monitor_id: int) -> Turn:
    ratios, uptimes, found, told, notified = await all_of(
        history.ratios(conn, monitor_id, datetime.now(UTC)),
        pages.uptimes(conn, monitor_id),
        history.incidents(conn, monitor_id, INCIDENTS),
        channels.told(conn, monitor_id),
        messages.notified(conn, monitor_id),
    )
    return Turn(
        uptimes=[(each, ratios.get(each.label)) for each in uptimes],
        incidents=[incident for incident, _ in found],
        evidence={incident.id: seen.of(evidence) for incident, evidence in found},
        told=told,
        notified=notified,
    )


async def mark(conn: Connection, monitor: Monitor) -> object:
    """What `turn` shows, in short: where this is the same, there is nothing to tell. A new monitor has more to tell."""
    found = await incidents.listed(conn, Filter(monitor=monitor.id), most=1)
    state = [(each.id, each.state, each.snoozed_until) for each in found]
    notified = await messages.notified(conn, monitor.id)
    age = (datetime.now(UTC) - monitor.created_at).total_seconds()
    return monitor.status, monitor.real_status, state, notified, min(age, YOUNG_S) // 5


def facts(lines: Sequence[Line]) -> Seen:
    """What the newest of these checks saw."""
    return seen.newest([line.result for line in lines])


async def recent(conn: Connection, monitor: Monitor, *, since: datetime | None = None) -> list[Line]:
    """Up to `RESULTS` lines, newest first: from a check before `since` on, or as far back as beats are shown."""
    now = datetime.now(UTC)
    begin = since - timedelta(seconds=monitor.interval_s) if since else _lately(monitor, now)
    found = await history.results(conn, monitor.id, before=(now + timedelta(days=1), None), since=begin, most=RESULTS)
    return [Line(result, views.phases(result)) for result in found]


async def by_day(conn: Connection, monitor_id: int, zone: ZoneInfo) -> Days:
    found = await history.days(conn, monitor_id, zone.key, days.DAYS, datetime.now(UTC))
    return days.draw(found, zone)


async def by_hour(conn: Connection, monitor_id: int, zone: ZoneInfo, most_days: int) -> Heat:
    """The heat map; `frame` has the same size."""
    found = await history.hours(conn, monitor_id, zone.key, most_days, datetime.now(UTC))
    return hours.draw(found, most_days, zone.key)


def frame(zone: ZoneInfo) -> Heat:
    """Where the heat map comes to be: it takes longer than the rest of the page."""
    return hours.draw([], hours.MOST_DAYS, zone.key, pending=True)


def cursor(last: ResultRow) -> str:
    return f"{last.scheduled_at.isoformat()}_{last.region}"


def place(text: str) -> Place | None:
    """What `cursor` wrote. Raises `InvalidInput`."""
    if not text:
        return None
    moment, _, region = text.partition("_")
    at = aware(moment.replace(" ", "+"))
    if at is None or not 1970 <= at.year <= 9000 or not region.isprintable():
        raise InvalidInput({"before": "is not a place among the results; start from the monitor's page"})
    return at, region or None


def _lately(monitor: Monitor, now: datetime) -> datetime:
    """So long ago that the newest results are behind it; a monitor long paused does not read all there is."""
    if monitor.passive:  # whose runs may be weeks apart; and there are few of them
        return now - timedelta(days=91)
    return now - timedelta(seconds=max(monitor.interval_s * 120, 86400))
