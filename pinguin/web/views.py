"""What the templates draw, put together from a fixed number of queries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from markupsafe import Markup

from pinguin.db import Connection
from pinguin.errors import InvalidInput
from pinguin.model import PHASES, Status
from pinguin.store import incidents, maintenance_windows, monitors, pages
from pinguin.store.incidents import Filter, Incident
from pinguin.store.maintenance_windows import MonitorWindow
from pinguin.store.monitors import Listed, Monitor
from pinguin.store.pages import Beat, Ratio, ResultRow, Span, Uptime
from pinguin.web import beats, chart
from pinguin.web.chart import Chart, Range
from pinguin.web.service import aware

Place = tuple[datetime, str | None]
"""A slot and a region of it: after which result a page of results begins."""
RESULTS = 30
INCIDENTS = 10


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the list."""

    monitor: Listed
    bar: Markup
    uptime: float | None


@dataclass(frozen=True, slots=True)
class Head:
    """The top of a monitor's page. windows: the maintenance that it is in now."""

    monitor: Monitor
    bar: Markup
    windows: Sequence[MonitorWindow]


@dataclass(frozen=True, slots=True)
class Piece:
    """One phase of a check: where it begins and how long it is, of 100."""

    name: str
    ms: float
    start: float
    width: float


@dataclass(frozen=True, slots=True)
class Line:
    """A result with its phases."""

    result: ResultRow
    phases: Sequence[Piece]


@dataclass(frozen=True, slots=True)
class Latency:
    """The chart's section of a monitor's page."""

    range: Range
    chart: Chart
    percentiles: pages.Latency


@dataclass(frozen=True, slots=True)
class Turn:
    """What changes with a monitor's status."""

    uptimes: Sequence[tuple[Uptime, Ratio | None]]
    incidents: Sequence[Incident]


@dataclass(frozen=True, slots=True)
class Story:
    """All that a monitor's page shows."""

    head: Head
    latency: Latency
    uptimes: Sequence[tuple[Uptime, Ratio | None]]
    incidents: Sequence[Incident]
    lines: Sequence[Line]
    older: str
    certificate: dict[str, Any] | None


async def rows(conn: Connection, listed: Sequence[Listed]) -> list[Row]:
    """Two queries, however many monitors."""
    ids = [monitor.id for monitor in listed]
    found = await pages.beats(conn, ids, beats.BEATS)
    uptime = await pages.uptime_day(conn, ids)
    return [Row(each, _bar(each, found[each.id]), uptime.get(each.id)) for each in listed]


async def head(conn: Connection, monitor_id: int) -> Head:
    monitor = await monitors.get(conn, monitor_id)
    found = await pages.beats(conn, [monitor_id], beats.BEATS)
    now = datetime.now(UTC)
    in_maintenance = monitor.status == Status.MAINTENANCE
    windows = await maintenance_windows.of_monitor(conn, monitor_id, now, now) if in_maintenance else []
    return Head(monitor, _bar(monitor, found[monitor_id]), windows)


async def latency(conn: Connection, monitor: Monitor, span: Range) -> Latency:
    now = datetime.now(UTC)
    window = span.window(monitor.id, now)
    if monitor.passive:  # runs take hours, for which the roll-ups have no bins; and there are few of them
        window = replace(window, grain="raw")
    buckets, total = await pages.latency(conn, window)
    spans = await pages.spans(conn, window)
    planned = await maintenance_windows.of_monitor(conn, monitor.id, window.origin, min(window.ending, now))
    spans += [Span(each.starts_at, each.ends_at, Status.MAINTENANCE) for each in planned]
    drawn = chart.draw(window, buckets, spans, interval_s=monitor.interval_s, columns=span.columns, now=now)
    return Latency(span, drawn, total)


async def story(conn: Connection, monitor_id: int, span: Range, before: Place | None) -> Story:
    top = await head(conn, monitor_id)
    turned = await turn(conn, monitor_id)
    lines = await recent(conn, monitor_id, before=before)
    return Story(
        head=top,
        latency=await latency(conn, top.monitor, span),
        uptimes=turned.uptimes,
        incidents=turned.incidents,
        lines=lines,
        older=_place(lines[-1].result) if len(lines) == RESULTS else "",
        certificate=_certificate(lines),
    )


async def turn(conn: Connection, monitor_id: int) -> Turn:
    ratios = await pages.check_ratios(conn, monitor_id)
    uptimes = [(each, ratios.get(each.label)) for each in await pages.uptimes(conn, monitor_id)]
    return Turn(uptimes, await incidents.listed(conn, Filter(monitor=monitor_id), most=INCIDENTS))


async def recent(
    conn: Connection, monitor_id: int, *, before: Place | None = None, since: datetime | None = None
) -> list[Line]:
    """Up to `RESULTS` lines, newest first. Looks back no more than 90 days."""
    ending = before or (datetime.now(UTC) + timedelta(days=1), None)
    found = await pages.results(
        conn, monitor_id, before=ending, since=since or ending[0] - timedelta(days=91), most=RESULTS
    )
    return [Line(result, phases(result)) for result in found]


def _place(last: ResultRow) -> str:
    return f"{last.scheduled_at.isoformat()}_{last.region}"


def place(cursor: str) -> Place | None:
    """What `_place` wrote. Raises `InvalidInput`."""
    if not cursor:
        return None
    moment, _, region = cursor.partition("_")
    at = aware(moment)
    if at is None or at.year < 1970 or not region.isprintable():
        raise InvalidInput({"before": "is not a place among the results; start from the monitor's page"})
    return at, region or None


def phases(result: ResultRow) -> list[Piece]:
    """The timed parts of a result, one after the other."""
    times = [(name, getattr(result, f"{name}_ms")) for name in PHASES]
    return in_a_row([(name, ms) for name, ms in times if ms is not None])


def in_a_row(times: Sequence[tuple[str, float]]) -> list[Piece]:
    total = sum(ms for _, ms in times) or 1.0
    pieces, start = [], 0.0
    for name, ms in times:
        width = 100 * ms / total
        pieces.append(Piece(name, ms, round(start, 1), round(width, 1)))
        start += width
    return pieces


def _bar(monitor: Listed | Monitor, found: Sequence[Beat]) -> Markup:
    live = monitor.real_status not in (Status.PAUSED, Status.PENDING) and not monitor.passive
    return beats.bar(beats.marks(found, None if monitor.passive else monitor.interval_s, live=live))


def _certificate(lines: Sequence[Line]) -> dict[str, Any] | None:
    """The certificate of the newest result that saw one."""
    for line in lines:
        found = line.result.evidence.get("certificate")
        if isinstance(found, dict):
            return found
    return None
