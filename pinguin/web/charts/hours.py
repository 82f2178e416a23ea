"""The heat map: how much of each hour of the week was up, told apart by marks as well as by colour."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from pinguin.store.history import Hour
from pinguin.web.words import duration, percent

CELL = 20
MOST_DAYS = 90
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
LEVELS = {
    "up": "100 %",
    "1": "over 99.9 %",
    "2": "over 99 %",
    "3": "less",
    "none": "not monitored",
}
_DOTS = {"1": 2.5, "2": 5.0}
"""Radius of the dot upon a cell that was almost wholly up. One that was less so has a cross."""


@dataclass(frozen=True, slots=True)
class Heat:
    """The map over the last `days` days. rows: by weekday, its 24 hours, None where nothing is known.

    pending: it is but a frame, to be filled.
    """

    svg: Markup
    rows: Sequence[tuple[str, Sequence[Hour | None]]]
    days: int
    zone: str
    pending: bool

    @property
    def levels(self) -> Mapping[str, Markup]:
        """What each look means: its picture by words."""
        return {words: Markup(_look(name, 0, 0)) for name, words in LEVELS.items()}  # noqa: S704 — our own


def draw(found: Sequence[Hour], days: int, zone: str, *, pending: bool = False) -> Heat:
    """pending: a frame of the same size, without cells and without rows to show."""
    if pending:
        return Heat(_FRAME, [(name, []) for name in WEEKDAYS], days, zone, pending)
    cells = {(each.weekday, each.hour): each for each in found}
    rows = [(name, [cells.get((day, hour)) for hour in range(24)]) for day, name in enumerate(WEEKDAYS, 1)]
    parts = [
        _cell(CELL * hour, CELL * day, each, f"{name} {hour:02}:00 to {hour + 1:02}:00")
        for day, (name, hours) in enumerate(rows)
        for hour, each in enumerate(hours)
    ]
    svg = Markup(  # noqa: S704 — numbers, and words that are escaped where they are made
        f'<svg class="plot heat" role="img" aria-label="{escape(_summary(found, days))}"'
        f' viewBox="0 0 {24 * CELL} {7 * CELL}">{"".join(parts)}</svg>'
    )
    return Heat(svg, rows, days, zone, pending)


def level(hour: Hour | None) -> str:
    """One of `LEVELS`."""
    share = hour.uptime if hour else None
    if hour is None or share is None:
        return "none"
    if not hour.down_s:
        return "up"
    return "1" if share > 0.999 else "2" if share > 0.99 else "3"


def _cell(x: int, y: int, hour: Hour | None, when: str) -> str:
    found = level(hour)
    words = f"{when} · " + ("not monitored" if hour is None else f"uptime {percent(hour.uptime)}")
    if hour and hour.down_s:
        words += f" · {duration(hour.down_s)} down of {duration(hour.up_s + hour.down_s)}"
    return (
        f'{_look(found, x, y)}<rect class="hit" x="{x}" y="{y}" width="{CELL}" height="{CELL}">'
        f"<title>{escape(words)}</title></rect>"
    )


def _look(found: str, x: int, y: int) -> str:
    cell = f'<rect class="cell h-{found}" x="{x + 1}" y="{y + 1}" width="{CELL - 2}" height="{CELL - 2}" rx="3"/>'
    if found in _DOTS:
        return f'{cell}<circle class="dot" cx="{x + CELL // 2}" cy="{y + CELL // 2}" r="{_DOTS[found]}"/>'
    if found == "3":
        return f'{cell}<path class="cross" d="M{x + 6} {y + 6}l8 8m0-8l-8 8"/>'
    return cell


def _summary(found: Sequence[Hour], days: int) -> str:
    bad = [each for each in found if each.down_s]
    words = f"Uptime by hour of the week over the last {days} days: "
    if not found:
        return words + "nothing was monitored"
    if not bad:
        return words + "no downtime in any hour"
    worst = min(bad, key=lambda each: each.uptime or 0)
    when = f"{WEEKDAYS[worst.weekday - 1]} {worst.hour:02}:00"
    return f"{words}least on {when}, {percent(worst.uptime)}. The table below has all values."


_FRAME = Markup(  # noqa: S704 — our own
    f'<svg class="plot heat" role="img" aria-label="Uptime by hour of the week, which is still to come"'
    f' viewBox="0 0 {24 * CELL} {7 * CELL}"><pattern id="hour" width="{CELL}" height="{CELL}"'
    f' patternUnits="userSpaceOnUse">{_look("none", 0, 0)}</pattern>'
    f'<rect width="{24 * CELL}" height="{7 * CELL}" fill="url(#hour)"/></svg>'
)
