"""What the templates draw, put together from a fixed number of queries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from markupsafe import Markup

from pinguin.db import Connection
from pinguin.model import PHASES, Status
from pinguin.store import pages
from pinguin.store.monitors import Listed, Monitor
from pinguin.store.pages import Beat, ResultRow
from pinguin.web import beats
from pinguin.web.database import all_of


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the list."""

    monitor: Listed
    bar: Markup
    uptime: float | None


class Piece(NamedTuple):
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


async def rows(conn: Connection, listed: Sequence[Listed]) -> list[Row]:
    """Two queries, however many monitors."""
    ids = [monitor.id for monitor in listed]
    longest = max((monitor.interval_s for monitor in listed), default=0) * 120
    since = datetime.now(UTC) - timedelta(seconds=max(longest, 86400) + 3600)
    found, uptime = await all_of(pages.beats(conn, ids, since, beats.BEATS), pages.uptime_day(conn, ids))
    return [Row(each, bar(each, found[each.id]), uptime.get(each.id)) for each in listed]


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


def bar(monitor: Listed | Monitor, found: Sequence[Beat]) -> Markup:
    live = monitor.real_status not in (Status.PAUSED, Status.PENDING) and not monitor.passive
    return beats.bar(beats.marks(found, None if monitor.passive else monitor.interval_s, live=live))
