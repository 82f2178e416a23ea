"""Results, their roll-ups and uptime of one monitor: pages of them, files of them, any window."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

import msgspec
from litestar.response import Stream
from msgspec import Meta

from pinguin.errors import InvalidInput
from pinguin.store import monitors, records
from pinguin.store.records import Wanted
from pinguin.web import results_export
from pinguin.web.api.operation import JSON, Call, operation
from pinguin.web.api.paging import Page, Paged, cut, place
from pinguin.web.api.reading import NoBody, Query
from pinguin.web.database import connection

Moment = Annotated[datetime, Meta(tz=True)]

SPANS = {"raw": timedelta(days=1), "hourly": timedelta(days=30), "daily": timedelta(days=366)}
"""How far back an answer reaches where nothing is said."""

POLICY = (
    "Weighted by time: up / (up + down). up and degraded count as up, down as down; unknown, pending, paused, and "
    "maintenance that is to be left out, are not monitored time and count as neither. "
    "SQL: select * from uptime(array[monitor], from, to)"
)


class Window(Query, kw_only=True, frozen=True):
    from_: Annotated[Moment | None, Meta(description="the first moment, RFC 3339")] = msgspec.field(
        default=None, name="from"
    )
    to: Annotated[Moment | None, Meta(description="the first moment after it; now, if it is left out")] = None


class ResultsWanted(Paged, kw_only=True, frozen=True):
    from_: Annotated[Moment | None, Meta(description="the first moment, RFC 3339")] = msgspec.field(
        default=None, name="from"
    )
    to: Annotated[Moment | None, Meta(description="the first moment after it; now, if it is left out")] = None
    region: Annotated[str, Meta(min_length=1, max_length=50)] | None = None


class FileWanted(Window, kw_only=True, frozen=True):
    grain: Literal["raw", "hourly", "daily"] = "raw"
    format: Literal["csv", "json"] = "csv"
    region: Annotated[str, Meta(min_length=1, max_length=50)] | None = None


class Result(msgspec.Struct, kw_only=True, frozen=True):
    """One check. at: when it was due. Times in ms, as far as the check came; evidence: what was seen."""

    at: datetime
    region: str
    status: Literal["up", "degraded", "down", "unknown"]
    reason: str | None
    message: str | None
    latency_ms: float | None
    dns_ms: float | None
    connect_ms: float | None
    tls_ms: float | None
    first_byte_ms: float | None
    transfer_ms: float | None
    started_at: datetime
    recorded_at: datetime
    version: Annotated[int, Meta(description="of the monitor, when it was checked")]
    evidence: dict[str, Any]


class RollUp(msgspec.Struct, kw_only=True, frozen=True):
    """An hour or a day (UTC) from `at` on, in one region: checks by status, and in ms the latency of the good ones.

    Percentiles are within 3 % of the exact ones.
    """

    at: datetime
    region: str
    checks: int
    up: int
    degraded: int
    down: int
    unknown: int
    latency_ms_mean: float | None
    latency_ms_min: float | None
    latency_ms_max: float | None
    latency_ms_p50: float | None
    latency_ms_p95: float | None
    latency_ms_p99: float | None
    dns_ms_mean: float | None
    connect_ms_mean: float | None
    tls_ms_mean: float | None
    first_byte_ms_mean: float | None
    transfer_ms_mean: float | None


class Uptime(msgspec.Struct, kw_only=True, frozen=True):
    """uptime: 0 to 1; null where nothing was monitored. seconds: by status. policy: what counts as what."""

    from_: datetime = msgspec.field(name="from")
    to: datetime
    uptime: float | None
    up_s: float
    down_s: float
    unmonitored_s: float
    seconds: dict[str, float]
    policy: str


class Place(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """After which row a page begins."""

    at: Moment
    region: str

    @property
    def pair(self) -> tuple[datetime, str]:
        return self.at, self.region


@operation("GET", "/monitors/{id:int}/results")
async def list_results(call: Call[ResultsWanted, NoBody]) -> Page[Result]:
    """Every check of a monitor, the newest first; of the last day, unless a window is given."""
    found = await records.raw(call.conn, await _wanted(call, "raw"))
    rows, following = cut(found, call.query.limit, lambda row: Place(row.at, row.region))
    return Page(msgspec.convert(rows, list[Result], from_attributes=True), call.following(following))


@operation("GET", "/monitors/{id:int}/results/hourly")
async def list_hours(call: Call[ResultsWanted, NoBody]) -> Page[RollUp]:
    """The checks of a monitor by hour, the newest first; of the last 30 days, unless a window is given."""
    return await _rolled_up(call, "hourly")


@operation("GET", "/monitors/{id:int}/results/daily")
async def list_days(call: Call[ResultsWanted, NoBody]) -> Page[RollUp]:
    """The checks of a monitor by day (UTC), the newest first; of the last year, unless a window is given."""
    return await _rolled_up(call, "daily")


async def _rolled_up(call: Call[ResultsWanted, NoBody], grain: Literal["hourly", "daily"]) -> Page[RollUp]:
    found = await records.rolled_up(call.conn, await _wanted(call, grain), grain)
    rows, following = cut(found, call.query.limit, lambda row: Place(row.at, row.region))
    return Page(msgspec.convert(rows, list[RollUp], from_attributes=True), call.following(following))


async def _wanted(call: Call[ResultsWanted, NoBody], grain: records.Grain) -> Wanted:
    asked = call.query
    since, until = window(asked.from_, asked.to, SPANS[grain])
    before = place(asked.cursor, Place)
    await monitors.get(call.conn, call.id)
    return Wanted(
        monitor_id=call.id,
        since=since,
        until=until,
        region=asked.region,
        before=before.pair if before else None,
        most=asked.limit + 1,
    )


@operation("GET", "/monitors/{id:int}/results/file", holds="nothing", media=("text/csv", JSON))
async def download_results(call: Call[FileWanted, NoBody]) -> Stream:
    """Results or roll-ups as a file: CSV, or a JSON list. At most 500,000 rows; for more, ask for several windows."""
    asked = call.query
    since, until = window(asked.from_, asked.to, SPANS[asked.grain])
    async with connection(call.web.pool) as conn:
        await monitors.get(conn, call.id)
    wanted = Wanted(monitor_id=call.id, since=since, until=until, region=asked.region)
    return await results_export.download(call.web.pool, wanted, asked.grain, asked.format)


@operation("GET", "/monitors/{id:int}/uptime")
async def show_uptime(call: Call[Window, NoBody]) -> Uptime:
    """Uptime over any window, weighted by time, with the policy that it is counted by; the last 30 days by default."""
    since, until = window(call.query.from_, call.query.to, timedelta(days=30))
    await monitors.get(call.conn, call.id)
    found = await records.uptime(call.conn, call.id, since, until)
    values = {name: getattr(found, name) for name in found.__dataclass_fields__}
    return Uptime(from_=since, to=until, policy=POLICY, **values)


def window(since: datetime | None, until: datetime | None, span: timedelta) -> tuple[datetime, datetime]:
    """What is asked for; `span` long, and until now, where nothing is said. Raises `InvalidInput`."""
    until = until or datetime.now(UTC)
    since = since or max(until - span, datetime(1970, 1, 1, tzinfo=UTC))
    if since >= until:
        raise InvalidInput({"from": "must be earlier than `to`"})
    return since, until
