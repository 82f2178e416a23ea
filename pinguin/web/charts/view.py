"""Which stretch of time a page shows, how its address says so, and where the numbers for it come from."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from pinguin.errors import InvalidInput
from pinguin.store.history import Grain, Window
from pinguin.wallclock import instant

BUCKETS = 370
"""So many points of time at most in a chart."""
SHORTEST = timedelta(hours=1)
LONGEST = timedelta(days=732)
RAW = timedelta(days=2)
HOURLY = timedelta(days=35)
"""Up to these spans raw results and hourly roll-ups are shown; beyond, daily ones."""

_STEPS = (
    10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 10800, 14400, 21600, 43200, 86400, 172800, 259200, 604800,
)  # fmt: skip
_LEAST: Mapping[Grain, int] = {"raw": 10, "hourly": 3600, "daily": 86400}

RANGES: Mapping[str, tuple[int, str]] = {
    "1h": (3600, "hour"),
    "6h": (6 * 3600, "6 hours"),
    "24h": (86400, "24 hours"),
    "7d": (7 * 86400, "7 days"),
    "30d": (30 * 86400, "30 days"),
    "90d": (90 * 86400, "90 days"),
    "1y": (365 * 86400, "year"),
    "2y": (730 * 86400, "2 years"),
}
"""Stretches that end now: seconds, and what they are called after "the last"."""


@dataclass(frozen=True, slots=True)
class View:
    """From `since` on, before `until`. name: of the range that ends now, "" for a stretch that stands still."""

    since: datetime
    until: datetime
    name: str = ""

    @property
    def span(self) -> timedelta:
        return self.until - self.since

    @property
    def title(self) -> str:
        return f"the last {RANGES[self.name][1]}" if self.name else "this stretch"

    @property
    def address(self) -> dict[str, str]:
        """Its query parameters."""
        return {"range": self.name} if self.name else {"from": stamp(self.since), "to": stamp(self.until)}

    @property
    def columns(self) -> int:
        """Time labels below a chart, at equal distances."""
        return {"7d": 7, "1y": 5, "2y": 4}.get(self.name, 6)

    @property
    def ticks(self) -> str:
        """How those are written."""
        if self.span <= timedelta(hours=36):
            return "time"
        if self.span <= timedelta(days=300):
            return "date" if self.span >= timedelta(days=7) else "hour"
        return "month"

    def beside(self, steps: float, now: datetime) -> View | None:
        """As long a stretch, so many lengths later (or earlier); None where that is in the future."""
        until = min(self.until + self.span * steps, now)
        if until <= self.until and steps > 0:
            return None
        return View(until - self.span, until) if until - self.span > datetime(1971, 1, 1, tzinfo=UTC) else None

    def wider(self, now: datetime) -> View | None:
        """Three times as long; None where that is longer than can be shown."""
        longer = min(self.span * 3, LONGEST)
        if longer <= self.span:
            return None
        until = min(self.until + (longer - self.span) / 2, now)
        return View(until - longer, until)

    def grain(self, now: datetime, raw_days: int) -> Grain:
        if self.span <= RAW and self.since >= now - timedelta(days=raw_days):
            return "raw"
        return "hourly" if self.span <= HOURLY else "daily"

    def window(self, monitor_id: int, interval_s: int, grain: Grain) -> Window:
        """Cut into buckets that begin at whole multiples (UTC) of themselves, each with a check if there can be one."""
        span_s = self.span.total_seconds()
        least = max(_LEAST[grain], interval_s if interval_s <= span_s / 12 else 0)
        bucket_s = next((step for step in _STEPS if step >= least and span_s / step <= BUCKETS), _STEPS[-1])
        ending = math.ceil(self.until.timestamp() / bucket_s) * bucket_s
        origin = math.floor(self.since.timestamp() / bucket_s) * bucket_s
        if self.name:
            origin = max(origin, ending - math.ceil(span_s / bucket_s) * bucket_s)
        return Window(
            monitor_id, datetime.fromtimestamp(origin, UTC), datetime.fromtimestamp(ending, UTC), bucket_s, grain
        )


def stamp(moment: datetime) -> str:
    """To the second, as addresses have it."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def asked(given: Mapping[str, str], zone: ZoneInfo, now: datetime) -> View:
    """By `from` and `to`, or by `range`. Times without a zone are those of `zone`. Raises `InvalidInput`."""
    beginning, end = given.get("from", "").strip(), given.get("to", "").strip()
    if not beginning and not end:
        name = given.get("range", "24h") or "24h"
        if name not in RANGES:
            raise InvalidInput({"range": f"must be one of {', '.join(RANGES)}"})
        return View(now - timedelta(seconds=RANGES[name][0]), now, name)
    since, until = moment("from", beginning, zone), moment("to", end, zone) if end else now
    if since >= now:
        raise InvalidInput({"from": "must be in the past"})
    if since >= until:
        raise InvalidInput({"to": "must be later than from"})
    until = min(until, now)
    if until - since > LONGEST:
        raise InvalidInput({"from": "must be at most 2 years before to"})
    if until - since < SHORTEST:
        middle = since + (until - since) / 2
        until = min(middle + SHORTEST / 2, now)
        since = until - SHORTEST
    return View(since, until)


def moment(name: str, text: str, zone: ZoneInfo) -> datetime:
    """The field `name` as a moment, UTC. Raises `InvalidInput`."""
    found = _parsed(text) or _parsed(text.replace(" ", "+"))  # a plus in an address is read as a space
    if found is None:
        raise InvalidInput({name: "must be a time, such as 2026-01-31T12:00"})
    if not 1971 <= found.year <= 9000:
        raise InvalidInput({name: "must be a time that can be, such as 2026-01-31T12:00"})
    return instant(found, zone) if found.tzinfo is None else found.astimezone(UTC)


def _parsed(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None
