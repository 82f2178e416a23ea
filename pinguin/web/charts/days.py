"""A bar a day: how much of it was up, told apart by shape as well as by colour."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from urllib.parse import quote
from zoneinfo import ZoneInfo

from markupsafe import Markup, escape

from pinguin.store.history import Day
from pinguin.wallclock import instant
from pinguin.web.charts.view import View, stamp
from pinguin.web.pattern import Pattern
from pinguin.web.words import STATUS_WORDS, duration, number, percent

DAYS = 90
STEP = 10
HEIGHT = 40

_SHAPES = {
    "up": "M{0} 2h8v36h-8z",
    "brief": "M{0} 14h8v24h-8z",
    "long": "M{0} 27h8v11h-8z",
    "none": "M{0} 18h8v4h-8z",
}
_DOWN = {"brief": "M{0} 2h8v9h-8z", "long": "M{0} 2h8v22h-8z", "down": "M{0} 2h8v14l-8 5zM{0} 25l8-5v18h-8z"}
"""A whole bar; one with a small or a large red top; a broken red one; a line where nothing was monitored."""
KINDS = {
    "up": "no downtime",
    "brief": "under 1 % down",
    "long": "1 to 10 % down",
    "down": "more",
    "none": "not monitored",
}


@dataclass(frozen=True, slots=True)
class Days:
    """The bars. view: of a day, to look at it closer. worst_s: the longest part of a day that an incident took."""

    svg: Markup
    rows: Sequence[tuple[Day, View]]
    zone: str

    @property
    def kinds(self) -> dict[str, Markup]:
        """What each shape means: its picture by words."""
        return {words: Markup(_bar(name, 1)) for name, words in KINDS.items()}  # noqa: S704 — our own

    def table(self, page: str, own_zone: str) -> Markup:
        """A row a day, today first, each leading to the day on `page`. own_zone: what the address asks for, or ""."""
        kept = f"&zone={quote(own_zone, safe='')}" if own_zone else ""
        rows = [
            _row(day, f"{page}?from={_quoted(view.since)}&to={_quoted(view.until)}{kept}#chart")
            for day, view in reversed(self.rows)
        ]
        return Markup("").join(rows)


def draw(found: Sequence[Day], zone: ZoneInfo) -> Days:
    parts = [
        f'{_bar(kind(day), place * STEP + 1)}<rect class="hit" data-day="{day.day}" x="{place * STEP}" y="0"'
        f' width="{STEP}" height="{HEIGHT}"><title>{escape(_words(day))}</title></rect>'
        for place, day in enumerate(found)
    ]
    svg = Markup(  # noqa: S704 — numbers, and words that are escaped where they are made
        f'<svg class="plot days" role="img" aria-label="{escape(_summary(found))}"'
        f' viewBox="0 0 {len(found) * STEP} {HEIGHT}" preserveAspectRatio="none">{"".join(parts)}</svg>'
    )
    return Days(svg, list(zip(found, _views(found, zone), strict=True)), zone.key)


def _bar(what: str, x: int) -> str:
    drawn = ""
    if what in _SHAPES:
        drawn += f'<path class="d-{"none" if what == "none" else "up"}" d="{_SHAPES[what].format(x)}"/>'
    if what in _DOWN:
        drawn += f'<path class="d-down" d="{_DOWN[what].format(x)}"/>'
    return drawn


def kind(day: Day) -> str:
    """Which shape it has: one of `KINDS`."""
    if day.uptime is None:
        return "none"
    if not day.down_s:
        return "up"
    return "brief" if day.uptime > 0.99 else "long" if day.uptime > 0.9 else "down"


_ROW = Pattern(
    '<tr><td><a id="day-%s" href="%s">%s</a></td><td class="right">%s</td><td class="right">%s</td>'
    '<td class="right">%s</td><td class="grow">%s</td></tr>'
)
_WORST = Pattern('<a href="/incidents/%s">%s</a>, %s')


def _row(day: Day, address: str) -> Markup:
    worst = _WORST(day.incident_id, day.message or day.reason, duration(day.seconds)) if day.incident_id else ""
    down = duration(None if day.uptime is None else day.down_s)
    return _ROW(day.day, address, day.day, percent(day.uptime), down, number(day.incidents), worst)


@lru_cache(maxsize=1024)
def _quoted(moment: datetime) -> str:
    """As an address has it. Midnights are the same on many pages."""
    return stamp(moment).replace(":", "%3A")


def _views(found: Sequence[Day], zone: ZoneInfo) -> list[View]:
    """Of each of these days, which follow each other."""
    if not found:
        return []
    dates = [*(day.day for day in found), found[-1].day + timedelta(days=1)]
    midnights = [instant(datetime(each.year, each.month, each.day), zone) for each in dates]
    return [View(since, until) for since, until in pairwise(midnights)]


def _words(day: Day) -> str:
    if day.uptime is None:
        return f"{day.day} · not monitored"
    parts = [f"{day.day}", f"uptime {percent(day.uptime)}"]
    if day.down_s:
        parts.append(f"{STATUS_WORDS['down']} for {duration(day.down_s)}")
    if day.incidents:
        parts.append(f"{number(day.incidents)} incident{'' if day.incidents == 1 else 's'}")
        parts.append(f"worst: {day.message or day.reason}, {duration(day.seconds)}")
    return " · ".join(parts)


def _summary(found: Sequence[Day]) -> str:
    known = [day for day in found if day.uptime is not None]
    bad = [day for day in known if day.down_s]
    if not known:
        return f"Uptime by day: nothing was monitored in the last {len(found)} days"
    words = f"Uptime by day: of {len(known)} monitored days {len(bad)} had downtime"
    if bad:
        worst = min(bad, key=lambda day: day.uptime or 0)
        words += f", most of it {worst.day}, {percent(worst.uptime)} up"
    return f"{words}. The table below has all values."
