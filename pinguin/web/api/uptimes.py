"""Uptime by day, and by hour of the week, as a monitor's page shows it: over the days of any time zone."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from pinguin.store import history, monitors
from pinguin.wallclock import zone_of
from pinguin.web.api.operation import Call, operation
from pinguin.web.api.paging import Id
from pinguin.web.api.reading import NoBody, Query

MOST_DAYS = 366


class DaysWanted(Query, kw_only=True, frozen=True):
    zone: Annotated[
        str, Meta(min_length=1, max_length=64, description="whose days and hours, such as Europe/Berlin")
    ] = "UTC"
    days: Annotated[int, Meta(ge=1, le=MOST_DAYS, description="so many, the one that goes on included")] = 90


class UptimeDay(msgspec.Struct, kw_only=True, frozen=True):
    """uptime: 0 to 1; null where nothing was monitored. incident_id, reason: of the one that took most of the day."""

    day: date
    uptime: float | None
    up_s: float
    down_s: float
    incidents: int
    incident_id: Id | None
    reason: str | None


class UptimeHour(msgspec.Struct, kw_only=True, frozen=True):
    """An hour of the week: all of them within those days together."""

    weekday: Annotated[int, Meta(description="1 is Monday")]
    hour: Annotated[int, Meta(description="0 to 23")]
    uptime: float | None
    up_s: float
    down_s: float


class UptimeDays(msgspec.Struct, frozen=True):
    """The oldest first. Counted as `uptime` is."""

    zone: str
    items: list[UptimeDay]


class UptimeHours(msgspec.Struct, frozen=True):
    """Those that were monitored, from Monday on. Counted as `uptime` is."""

    zone: str
    items: list[UptimeHour]


@operation("GET", "/monitors/{id:int}/uptime/days")
async def list_uptime_days(call: Call[DaysWanted, NoBody]) -> UptimeDays:
    """Uptime of each of the last days of a time zone, weighted by time, with the day's incidents."""
    zone = zone_of(call.query.zone).key
    await monitors.get(call.conn, call.id)
    found = await history.days(call.conn, call.id, zone, call.query.days, datetime.now(UTC))
    return UptimeDays(zone, msgspec.convert(found, list[UptimeDay], from_attributes=True))


@operation("GET", "/monitors/{id:int}/uptime/hours")
async def list_uptime_hours(call: Call[DaysWanted, NoBody]) -> UptimeHours:
    """Uptime of each hour of the week over the last days of a time zone, weighted by time."""
    zone = zone_of(call.query.zone).key
    await monitors.get(call.conn, call.id)
    found = await history.hours(call.conn, call.id, zone, call.query.days, datetime.now(UTC))
    found.sort(key=lambda each: (each.weekday, each.hour))
    return UptimeHours(zone, msgspec.convert(found, list[UptimeHour], from_attributes=True))
