"""Wall-clock time in named zones, over daylight-saving changes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

from pinguin.errors import InvalidInput


@cache
def zones() -> frozenset[str]:
    """The names of the time zones there are, without those that mean something else on each machine."""
    return frozenset(available_timezones() - {"localtime", "Factory"})


def zone_of(name: str) -> ZoneInfo:
    """Raises `InvalidInput` for what is no zone: names are looked up as files, so only those of the list are."""
    if name not in zones():
        raise InvalidInput({"zone": f"{name[:40]!r} is no time zone; write one like Europe/Berlin, or UTC"})
    return ZoneInfo(name)


def instant(local: datetime, zone: ZoneInfo) -> datetime:
    """The moment (UTC) at which clocks in `zone` show `local`: the first, or the end of a gap that swallows it."""
    moment = local.replace(tzinfo=zone, fold=0).astimezone(UTC)
    if moment.astimezone(zone).replace(tzinfo=None, fold=0) == local:
        return moment
    before = local.replace(tzinfo=zone, fold=1).astimezone(UTC)
    return _change_between(before, moment, zone)


def _change_between(before: datetime, after: datetime, zone: ZoneInfo) -> datetime:
    """The first moment with the offset of `after`, to the second."""
    offset = after.astimezone(zone).utcoffset()
    while after - before > timedelta(seconds=1):
        middle = before + timedelta(seconds=(after - before) // timedelta(seconds=2))
        if middle.astimezone(zone).utcoffset() == offset:
            after = middle
        else:
            before = middle
    return after
