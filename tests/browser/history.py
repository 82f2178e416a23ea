"""Plausible monitors with weeks of history, for screenshots and for the pages' speed."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from psycopg.types.json import Jsonb

from pinguin.db import Pool, connection


@dataclass(frozen=True)
class Outage:
    """began: hours ago. minutes: None for one that goes on."""

    began: float
    minutes: float | None
    reason: str
    message: str
    status: str = "down"


@dataclass(frozen=True)
class Past:
    name: str
    type: str
    target: str
    options: dict[str, Any]
    tags: list[str]
    latency_ms: float
    outages: list[Outage] = field(default_factory=list)
    phases: tuple[float, ...] = (0.04, 0.12, 0.25, 0.5, 0.09)
    evidence: dict[str, Any] = field(default_factory=dict)
    paused: bool = False
    every_s: int = 60


def _page(url: str, days_left: int = 61, status: int = 200) -> tuple[str, str, dict[str, Any], dict[str, Any]]:
    host = url.split("/")[2]
    certificate = {
        "subject": host,
        "issuer": "R11, Let's Encrypt",
        "names": [host],
        "not_after": (datetime.now(UTC) + timedelta(days=days_left)).isoformat(),
        "days_left": days_left,
        "covers_host": True,
    }
    evidence = {"address": "203.0.113.7", "status": status, "http": "1.1", "bytes": 14210, "certificate": certificate}
    return "http", url, {"url": url}, evidence


def _web(name: str, url: str, tags: list[str], latency_ms: float, outages: list[Outage], **given: Any) -> Past:
    kind, target, options, evidence = _page(url, given.pop("days_left", 61))
    return Past(name, kind, target, options, tags, latency_ms, outages, evidence=evidence, **given)


def _port(name: str, host: str, port: int, tags: list[str], latency_ms: float, outages: list[Outage]) -> Past:
    return Past(
        name, "tcp", f"{host}:{port}", {"host": host, "port": port}, tags, latency_ms, outages,
        phases=(0.3, 0.7), evidence={"address": "198.51.100.20", "port": port},
    )  # fmt: skip


TIMEOUT = ("timeout", "no answer within 10 s (connected after 31 ms, waiting for the first byte)")
REFUSED = ("refused", "198.51.100.20 refuses connections on port 5432")

PAST = (
    _web("Shop", "https://shop.example.com/", ["production", "shop"], 182, [
        Outage(403, 47, "status", "status 503 is not in 200-299"), Outage(187, 12, *TIMEOUT),
        Outage(26, 6, "tls", "the TLS handshake failed: connection cut"),
    ]),
    _web("Checkout API", "https://api.example.com/v2/health", ["production", "api"], 64, [
        Outage(290, 21, *TIMEOUT), Outage(0.31, None, "status", "status 502 is not in 200-299"),
    ]),
    _web("Search API", "https://search.example.com/health", ["production", "api"], 420, [
        Outage(60, 90, "slow", "took 2.31 s, more than 1.5 s", "degraded"),
        Outage(0.6, None, "slow", "took 2.84 s, more than 1.5 s", "degraded"),
    ]),
    _web("Marketing site", "https://www.example.com/", ["site"], 96, [Outage(510, 4, *TIMEOUT)], days_left=9),
    _web("Blog", "https://blog.example.com/feed.xml", ["site"], 142, []),
    _web("Staff sign-in", "https://login.example.com/", ["internal"], 71, [Outage(95, 33, *TIMEOUT)]),
    _web("Staging shop", "https://staging.example.com/", ["staging"], 240, [], paused=True),
    _port("Orders database", "db-1.example.internal", 5432, ["production", "data"], 3.1, [Outage(220, 9, *REFUSED)]),
    _port("Reports database", "db-2.example.internal", 5432, ["data"], 3.6, []),
    _port("Mail relay", "mail.example.com", 25, ["mail"], 18, [Outage(330, 140, *REFUSED)]),
    _port("Git over SSH", "git.example.com", 22, ["internal"], 12, []),
    Past("Edge router", "ping", "192.0.2.1", {"host": "192.0.2.1"}, ["network"], 1.9,
         [Outage(120, 3, "packet_loss", "5 of 5 packets were lost")], phases=(), evidence={"sent": 3, "received": 3}),
    Past("Office uplink", "ping", "198.51.100.1", {"host": "198.51.100.1"}, ["network"], 8.4,
         [Outage(0.45, None, "internal", "this worker may not send ICMP", "unknown")], phases=()),
    Past("example.com name servers", "dns", "example.com NS", {"name": "example.com"}, ["network"], 22, [],
         phases=(1.0,), evidence={"answers": ["ns1.example.net", "ns2.example.net"]}),
)  # fmt: skip

_MONITOR = """
insert into monitors (name, type, target, options, tags, interval_s, enabled)
values (%s, %s, %s, %s, %s, %s, %s) returning id
"""
_RESULTS = """
insert into results (monitor_id, scheduled_at, region, version, status, reason, message, latency_ms, dns_ms,
  connect_ms, tls_ms, first_byte_ms, transfer_ms, started_at, recorded_at, evidence)
select %(monitor)s, at, 'local', 1, 'up', null, null, ms, ms * %(dns)s, ms * %(connect)s, ms * %(tls)s,
  ms * %(first)s, ms * %(transfer)s, at + interval '14 ms', at + interval '80 ms', %(evidence)s
from (
  select at, (%(ms)s * (0.86 + 0.16 * sin(extract(epoch from at) / 13750.99) + 0.1 * random()
    + case when random() < 0.03 then random() * 1.6 else 0 end))::real as ms
  from generate_series(%(begin)s::timestamptz, %(end)s::timestamptz, %(step)s * interval '1 second') at) slots
"""
_BROKEN = """
update results set status = %(status)s::monitor_status, reason = %(reason)s, message = %(message)s,
  latency_ms = case when %(status)s = 'degraded' then latency_ms * 6 end, tls_ms = null, first_byte_ms = null,
  transfer_ms = null
where monitor_id = %(monitor)s and scheduled_at >= %(start)s and scheduled_at < %(end)s
"""
_INCIDENT = """
insert into incidents (monitor_id, started_at, confirmed_at, ended_at, reason, message, region, evidence, closed_by)
values (%s, %s, %s, %s, %s, %s, 'local', %s, %s) returning id
"""
_TRANSITION = """
insert into transitions (monitor_id, at, confirmed_at, from_status, to_status, reason, message, incident_id)
values (%s, %s, %s, %s, %s, %s, %s, %s)
"""
_STATE = """
update monitor_states s set status = %(status)s, since = %(since)s, reason = %(reason)s, message = %(message)s,
  incident_id = %(incident)s, last_slot = r.scheduled_at, latency_ms = r.latency_ms
from (select scheduled_at, latency_ms from results where monitor_id = %(monitor)s
  order by scheduled_at desc limit 1) r
where s.monitor_id = %(monitor)s
"""


async def write(pool: Pool, *, days: float = 30, coarse_s: int = 300, wanted: tuple[Past, ...] = PAST) -> list[int]:
    """Add `wanted` with `days` of results: every minute for the last day, every `coarse_s` before. Their ids."""
    now = datetime.now(UTC).replace(second=7, microsecond=0)
    ids = [await _write(pool, past, now, days, coarse_s) for past in wanted]
    async with connection(pool) as conn:
        await conn.execute("call refresh_continuous_aggregate('results_hourly', null, null)")
        await conn.execute("call refresh_continuous_aggregate('results_daily', null, null)")
        async with conn.transaction():
            await conn.execute("set local default_statistics_target = 10")  # a tenth of the rows are looked at
            await conn.execute("analyze")
    return ids


async def _write(pool: Pool, past: Past, now: datetime, days: float, coarse_s: int) -> int:
    begin, yesterday = now - timedelta(days=days), now - min(timedelta(days=1), timedelta(days=days))
    async with connection(pool) as conn:
        values = (past.name, past.type, past.target, Jsonb(past.options), past.tags, past.every_s, True)
        row = await (await conn.execute(_MONITOR, values)).fetchone()
        assert row is not None
        monitor: int = row[0]
        await conn.execute("delete from transitions where monitor_id = %s", (monitor,))
        await conn.execute("update monitors set created_at = %s where id = %s", (begin, monitor))
        await conn.execute(_TRANSITION, (monitor, begin, begin, "pending", "up", None, None, None))
        shares = dict(zip(("dns", "connect", "tls", "first", "transfer"), [*past.phases, *[None] * 5], strict=False))
        given = {"monitor": monitor, "ms": past.latency_ms, "evidence": Jsonb(past.evidence), **shares}
        if days > 1:
            await conn.execute(_RESULTS, given | {"begin": begin, "end": yesterday, "step": coarse_s})
        end = now - timedelta(hours=9) if past.paused else now
        first = yesterday + timedelta(seconds=60)
        await conn.execute(_RESULTS, given | {"begin": first, "end": end, "step": 60})
        last: dict[str, Any] = {"status": "up", "since": begin, "reason": None, "message": None, "incident": None}
        for outage in past.outages:
            if outage.began < days * 24:
                last = await _break(conn, monitor, outage, now, past.evidence)
        await conn.execute(_STATE, last | {"monitor": monitor})
        if past.paused:
            await conn.execute("update monitors set enabled = false where id = %s", (monitor,))
            await conn.execute("update monitor_states set since = %s where monitor_id = %s", (end, monitor))
            await conn.execute("update transitions set at = %s where monitor_id = %s and at > %s", (end, monitor, end))
    return monitor


async def _break(conn: Any, monitor: int, outage: Outage, now: datetime, evidence: dict[str, Any]) -> dict[str, Any]:
    start = now - timedelta(hours=outage.began)
    end = None if outage.minutes is None else start + timedelta(minutes=outage.minutes)
    named = {"status": outage.status, "reason": outage.reason, "message": outage.message}
    await conn.execute(_BROKEN, named | {"monitor": monitor, "start": start, "end": end or now + timedelta(days=1)})
    incident = None
    if outage.status == "down":
        seen = {key: value for key, value in evidence.items() if key != "certificate"}
        closed = "recovery" if end else None
        values = (
            monitor,
            start,
            start + timedelta(seconds=60),
            end,
            outage.reason,
            outage.message,
            Jsonb(seen),
            closed,
        )
        incident = (await (await conn.execute(_INCIDENT, values)).fetchone())[0]
    confirmed = start + timedelta(seconds=60)
    await conn.execute(
        _TRANSITION, (monitor, start, confirmed, "up", outage.status, outage.reason, outage.message, incident)
    )
    if end is None:
        return named | {"since": start, "incident": incident}
    await conn.execute(_TRANSITION, (monitor, end, end, outage.status, "up", None, None, incident))
    return {"status": "up", "since": end, "reason": None, "message": None, "incident": None}
