"""When maintenance is: rules as strict types, and the windows that they make. Pure: no clock, no database.

A rule speaks of wall-clock time in a named zone, so a weekly window stays where it is over daylight-saving changes: a
start in the hour that does not exist moves to the first moment after the gap, one in the hour that comes twice is the
first of the two, and how long it lasts is elapsed time. Windows that overlap or touch are one.
"""

from __future__ import annotations

import calendar
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime, time, timedelta
from itertools import islice, takewhile
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import msgspec
from cronsim import CronSim, CronSimError

from pinguin.errors import InvalidInput
from pinguin.wallclock import instant

AHEAD = timedelta(days=35)
"""How far ahead windows are written down."""
SHORTEST = timedelta(minutes=1)
LONGEST = timedelta(days=14)
"""How long one window of a recurring rule may be."""
LONGEST_ONCE = timedelta(days=366)
ENDLESS = timedelta(days=31)
"""Windows that run into each other for longer than this are refused: then it is no maintenance."""
STARTS_A_DAY = 48
PATIENCE = 100 * STARTS_A_DAY
"""Windows that run into each other without end are not waited for."""
YEARS = range(2000, 2101)
"""The years that a date may name."""
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
"""ISO weekdays, 1 to 7."""
NTHS: Mapping[int, str] = {1: "first", 2: "second", 3: "third", 4: "fourth", -1: "last"}


class Window(NamedTuple):
    """Maintenance from `starts_at` on, until before `ends_at`; UTC."""

    starts_at: datetime
    ends_at: datetime


class Rule(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True, tag_field="kind"):
    """When maintenance is. Raises `InvalidInput` for values that make no sense."""

    def __post_init__(self) -> None:
        wrong = {name: words for name, words in self.wrong().items() if words}
        if wrong:
            raise InvalidInput(wrong)

    def wrong(self) -> dict[str, str | None]:
        """What is wrong with each field, or None."""
        return {}

    def occurrences(self, zone: ZoneInfo, begin: datetime) -> Iterator[Window]:
        """What starts at `begin` or later, in order, not merged; without end, for most rules."""
        return iter(())


class Manual(Rule, kw_only=True, frozen=True, tag="manual"):
    """Only when somebody says so."""


class Once(Rule, kw_only=True, frozen=True, tag="once"):
    """One window. Both are wall-clock times, without a zone."""

    starts: datetime
    ends: datetime

    def wrong(self) -> dict[str, str | None]:
        return {
            "starts": _wrong_year(self.starts),
            "ends": _wrong_year(self.ends) or self._wrong_length(),
        }

    def _wrong_length(self) -> str | None:
        if self.starts.tzinfo or self.ends.tzinfo:
            return "must be wall-clock times without a zone; the rule's zone holds for both"
        if self.ends <= self.starts:
            return "must be later than the start"
        return "must be within a year of the start" if self.ends - self.starts > LONGEST_ONCE else None

    def occurrences(self, zone: ZoneInfo, begin: datetime) -> Iterator[Window]:
        window = Window(instant(self.starts, zone), instant(self.ends, zone))
        if begin <= window.starts_at < window.ends_at:
            yield window


class Recurring(Rule, kw_only=True, frozen=True):
    """duration_s: how long one window is. first_day, last_day: when windows may start, both included."""

    duration_s: int
    first_day: date | None = None
    last_day: date | None = None

    def wrong(self) -> dict[str, str | None]:
        first, last = self.first_day, self.last_day
        reverse = first is not None and last is not None and last < first
        return {
            "duration": _wrong_duration(self.duration_s),
            "first_day": _wrong_year(first),
            "last_day": _wrong_year(last) or ("must not be before the first day" if reverse else None),
        }

    def starts(self, begin: date) -> Iterator[datetime]:
        """Wall-clock starts on `begin` and later, in order."""
        raise NotImplementedError

    def occurrences(self, zone: ZoneInfo, begin: datetime) -> Iterator[Window]:
        first = begin.astimezone(zone).date() - timedelta(days=1)  # where a day is left out, a start moves to the next
        last = self.last_day or date(YEARS[-1], 12, 31)
        length = timedelta(seconds=self.duration_s)
        for local in self.starts(max(first, self.first_day or first)):
            if local.date() > last:
                return
            start = instant(local, zone)
            if start >= begin:
                yield Window(start, start + length)


class Weekly(Recurring, kw_only=True, frozen=True, tag="weekly"):
    """days: ISO weekdays, 1 is Monday."""

    days: list[int]
    at: time

    def wrong(self) -> dict[str, str | None]:
        good = bool(self.days) and all(1 <= day <= 7 for day in self.days)
        return {
            **super().wrong(),
            "days": None if good else "must be at least one day of the week",
            "at": _wrong_time(self.at),
        }

    def starts(self, begin: date) -> Iterator[datetime]:
        return (datetime.combine(day, self.at) for day in _days(begin) if day.isoweekday() in self.days)


class Monthly(Recurring, kw_only=True, frozen=True, tag="monthly"):
    """day: 1 to 31, or -1 for the last one. A month without that day has no window."""

    day: int
    at: time

    def wrong(self) -> dict[str, str | None]:
        good = 1 <= self.day <= 31 or self.day == -1
        return {
            **super().wrong(),
            "day": None if good else "must be 1 to 31, or the last day",
            "at": _wrong_time(self.at),
        }

    def starts(self, begin: date) -> Iterator[datetime]:
        for year, month in _months(begin):
            days = calendar.monthrange(year, month)[1]
            day = days if self.day == -1 else self.day
            if day <= days and date(year, month, day) >= begin:
                yield datetime.combine(date(year, month, day), self.at)


class MonthlyWeekday(Recurring, kw_only=True, frozen=True, tag="monthly_weekday"):
    """nth: 1 to 4, or -1 for the last one. weekday: ISO, 1 is Monday."""

    nth: int
    weekday: int
    at: time

    def wrong(self) -> dict[str, str | None]:
        return {
            **super().wrong(),
            "nth": None if self.nth in NTHS else f"must be the {', '.join(NTHS.values())}",
            "weekday": None if 1 <= self.weekday <= 7 else "must be a day of the week",
            "at": _wrong_time(self.at),
        }

    def starts(self, begin: date) -> Iterator[datetime]:
        for year, month in _months(begin):
            days = [week[self.weekday - 1] for week in calendar.monthcalendar(year, month) if week[self.weekday - 1]]
            day = date(year, month, days[self.nth - 1 if self.nth > 0 else -1])
            if day >= begin:
                yield datetime.combine(day, self.at)


class Cron(Recurring, kw_only=True, frozen=True, tag="cron"):
    """expression: five fields, as crontab has them."""

    expression: str

    def wrong(self) -> dict[str, str | None]:
        return {**super().wrong(), "expression": _wrong_cron(self.expression)}

    def starts(self, begin: date) -> Iterator[datetime]:
        """On naive time: cronsim's own treatment of zones is that of Debian's cron, not ours."""
        yield from CronSim(self.expression, datetime.combine(begin, time()) - timedelta(seconds=1))


AnyRule = Manual | Once | Weekly | Monthly | MonthlyWeekday | Cron
KINDS: Mapping[str, type[Rule]] = {
    "once": Once,
    "weekly": Weekly,
    "monthly": Monthly,
    "monthly_weekday": MonthlyWeekday,
    "cron": Cron,
    "manual": Manual,
}


def parse(values: Mapping[str, Any]) -> AnyRule:
    """A rule from plain JSON types. Raises `InvalidInput`, by field where the types are right."""
    try:
        rule: AnyRule = msgspec.convert(dict(values), AnyRule)
    except msgspec.ValidationError as error:
        raise InvalidInput({"rule": f"is not understood: {error}"}) from None
    return rule


def plain(rule: Rule) -> dict[str, Any]:
    """What `parse` reads."""
    values: dict[str, Any] = msgspec.to_builtins(rule)
    return values


def merged(windows: Iterable[Window]) -> Iterator[Window]:
    """Windows in the order of their starts, those that overlap or touch made one."""
    current: Window | None = None
    for window in windows:
        if current is None:
            current = window
        elif window.starts_at <= current.ends_at:
            current = Window(current.starts_at, max(current.ends_at, window.ends_at))
        else:
            yield current
            current = window
    if current is not None:
        yield current


def windows(rule: Rule, zone: ZoneInfo, begin: datetime, end: datetime) -> list[Window]:
    """What lies after `begin` of the windows that start before `end`; merged, and cut at `begin`."""
    found = merged(_starting(rule, zone, begin - _reach(rule), end))
    return [Window(max(window.starts_at, begin), window.ends_at) for window in found if window.ends_at > begin]


def planned(rule: Rule, zone: ZoneInfo, begin: datetime, end: datetime) -> list[Window]:
    """What starts from `begin` on and before `end`, merged: what to add where all before `begin` is known."""
    return list(merged(_starting(rule, zone, begin, end)))


def _starting(rule: Rule, zone: ZoneInfo, begin: datetime, end: datetime) -> Iterator[Window]:
    return takewhile(lambda window: window.starts_at < end, rule.occurrences(zone, begin))


def _reach(rule: Rule) -> timedelta:
    """How long ago a window that still runs may have begun."""
    return LONGEST_ONCE if isinstance(rule, Once) else LONGEST


def coming(rule: Rule, zone: ZoneInfo, now: datetime, most: int) -> list[Window]:
    """The next `most` windows, the running one included, with their true starts."""
    occurrences = islice(rule.occurrences(zone, now - _reach(rule)), PATIENCE)
    return list(islice((window for window in merged(occurrences) if window.ends_at > now), most))


def check(rule: Rule, zone: ZoneInfo, now: datetime) -> None:
    """Raises `InvalidInput` where the rule has no window to come, or never leaves one."""
    if isinstance(rule, Manual):
        return
    ahead = windows(rule, zone, now, now + AHEAD)
    if isinstance(rule, Recurring) and any(window.ends_at - window.starts_at > ENDLESS for window in ahead):
        raise InvalidInput(
            {"duration": "makes the windows run into each other without end; make them shorter, or rarer"}
        )
    if not ahead and not coming(rule, zone, now, 1):
        name = "ends" if isinstance(rule, Once) else "last_day" if getattr(rule, "last_day", None) else "rule"
        raise InvalidInput({name: "leaves no window to come"})


def _days(begin: date) -> Iterator[date]:
    return (begin + timedelta(days=n) for n in range((date(YEARS[-1] + 1, 1, 1) - begin).days))


def _months(begin: date) -> Iterator[tuple[int, int]]:
    first = begin.year * 12 + begin.month - 1
    return ((n // 12, n % 12 + 1) for n in range(first, (YEARS[-1] + 1) * 12))


def _wrong_year(day: date | None) -> str | None:
    if day is None or day.year in YEARS:
        return None
    return f"must be in the years {YEARS[0]} to {YEARS[-1]}"


def _wrong_time(at: time) -> str | None:
    good = at.tzinfo is None and at.second == 0 and at.microsecond == 0
    return None if good else "must be hours and minutes, without a zone"


def _wrong_duration(seconds: int) -> str | None:
    if SHORTEST.total_seconds() <= seconds <= LONGEST.total_seconds():
        return None
    return f"must be from 1 minute to {LONGEST.days} days"


def _wrong_cron(expression: str) -> str | None:
    if len(expression) > 100 or len(expression.split()) != 5:
        return "must be five fields: minute, hour, day of the month, month, day of the week"
    try:
        cron = CronSim(expression, datetime(2024, 1, 1))
        next(cron)
    except StopIteration:
        return "never comes true"
    except (CronSimError, ValueError, AssertionError) as error:
        return f"is no cron expression: {error}".rstrip(": ")
    if len(cron.minutes) * len(cron.hours) > STARTS_A_DAY:
        return f"starts too often: more than {STARTS_A_DAY} times a day"
    return None
