"""Rules and windows of maintenance as people read them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from pinguin import maintenance
from pinguin.errors import InvalidInput
from pinguin.maintenance import NTHS, WEEKDAYS, Recurring, Rule
from pinguin.wallclock import zone_of


def in_zone(starts_at: datetime, ends_at: datetime, zone: str) -> str:
    """When it is, by the clocks of `zone`: "Sun 29 Mar 2026 01:30 – 04:30 CEST"."""
    try:
        there = zone_of(zone)
    except InvalidInput:  # a zone that this machine does not know
        there = zone_of("UTC")
    start, end = starts_at.astimezone(there), ends_at.astimezone(there)
    first = f"{start:%a %-d %b %Y %H:%M}"
    last = f"{end:%H:%M}" if start.date() == end.date() else f"{end:%a %-d %b %Y %H:%M}"
    change = f" {start.tzname()}" if start.utcoffset() != end.utcoffset() else ""
    return f"{first}{change} – {last} {end.tzname()}"


def in_words(rule: Rule | None) -> str:
    """When it is: "every Monday and Friday at 02:30, for 2 h"."""
    values: dict[str, Any] = maintenance.plain(rule) if rule else {}
    at = str(values.get("at", ""))[:5]
    match values.get("kind"):
        case "weekly":
            words = f"every {_listed([WEEKDAYS[day - 1] for day in sorted(set(values['days']))])} at {at}"
        case "monthly":
            day = "the last day" if values["day"] == -1 else f"day {values['day']}"
            words = f"on {day} of every month at {at}"
        case "monthly_weekday":
            words = f"on the {NTHS[values['nth']]} {WEEKDAYS[values['weekday'] - 1]} of every month at {at}"
        case "cron":
            words = f"cron {values['expression']}"
        case kind:
            return {"once": "once", "manual": "by hand"}.get(kind or "", "no rule")
    assert isinstance(rule, Recurring)
    until = f", until {rule.last_day}" if rule.last_day else ""
    return words + (f", from {rule.first_day}" if rule.first_day else "") + until


def _listed(names: Sequence[str]) -> str:
    if len(names) == 7:
        return "day"
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
