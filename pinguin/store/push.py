"""sql/queries/push.sql: pings and what follows from them, inside the caller's transaction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import structlog
from psycopg.rows import class_row, dict_row

from pinguin import push
from pinguin.db import Connection, queries
from pinguin.errors import NotFound
from pinguin.model import Result
from pinguin.push import Ping, Rules, Run, Taken, Verdict, Watch
from pinguin.store import recording

_log = structlog.get_logger(__name__)
_sql = queries("push")

REGION = "push"
"""Where the results of pings come from."""
MARGIN = timedelta(seconds=1)
"""How long after a deadline it is judged: a ping that came in time may not be written yet."""
DOUBT = timedelta(hours=1)
"""How far the clocks of Redis and the database may be apart for a ping that was written twice to be noticed."""


@dataclass(slots=True)
class Watched:
    """A push monitor whose row is locked. active: neither paused nor deleted."""

    monitor_id: int
    version: int
    active: bool
    token: UUID | None
    slug: str | None
    rules: Rules | None
    now: datetime
    watch: Watch


@dataclass(frozen=True, slots=True)
class Address:
    token: UUID
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Due:
    """What the leader asks every second. since, until: when pings could be taken; None: nobody ever took any."""

    since: datetime | None
    until: datetime | None
    any: bool


@dataclass(frozen=True, slots=True)
class Logged:
    """A ping as the page lists it. body: its beginning; size: of all of it, in bytes."""

    at: datetime
    kind: str
    exit_code: int | None
    run_id: UUID | None
    duration_ms: float | None
    method: str
    remote: str | None
    user_agent: str
    body: str
    size: int


@dataclass(slots=True)
class _Changes:
    """What a transaction is to write."""

    pings: list[dict[str, Any]]
    results: list[Result]
    watched: dict[int, Watched]


async def receive(conn: Connection, pings: Sequence[Ping]) -> dict[UUID, int | None]:
    """Write pings in their order, and everything that follows from them. Doing it twice changes nothing for those
    that had to wait (`at`).

    Returns, by ping, the monitor that it was for; None where there is none.
    """
    watched = await _addressed(conn, pings)
    by_address: dict[UUID | str | None, Watched] = {each.token: each for each in watched}
    by_address |= {each.slug: each for each in watched if each.slug}
    found = {ping.id: by_address.get(ping.token or ping.slug) for ping in pings}
    written = await _written(conn, [ping for ping in pings if ping.at is not None], watched)
    changes = _Changes([], [], {})
    for ping in pings:
        target = found[ping.id]
        if target is not None and ping.id not in written:
            _take(target, ping, changes)
    await _write(conn, changes, push.ALWAYS)
    return {ping_id: None if each is None else each.monitor_id for ping_id, each in found.items()}


async def _addressed(conn: Connection, pings: Sequence[Ping]) -> list[Watched]:
    tokens = list({ping.token for ping in pings if ping.token})
    slugs = list({ping.slug for ping in pings if ping.slug})
    cursor = await conn.execute(_sql["lock_addressed"], {"tokens": tokens, "slugs": slugs})
    return await _watched(conn, [row[0] for row in await cursor.fetchall()])


async def _watched(conn: Connection, monitor_ids: Sequence[int]) -> list[Watched]:
    """The monitors, whose rows are locked."""
    if not monitor_ids:
        return []
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(_sql["watches"], {"monitors": list(monitor_ids)})
        return [_read(row) for row in await cursor.fetchall()]


def _read(row: dict[str, Any]) -> Watched:
    try:
        rules = Rules.of(row["options"])
    except msgspec.ValidationError as error:  # nobody wrote it with a form of ours
        _log.error("push_options_not_understood", monitor=row["monitor_id"], error=str(error))
        rules = None
    return Watched(
        row["monitor_id"], row["monitor_version"], row["active"], row["token"], row["options"].get("slug"), rules,
        row["now"], _watch(row),
    )  # fmt: skip


def _watch(row: Mapping[str, Any]) -> Watch:
    fields = {name: row[name] for name in Watch.__struct_fields__ if name != "runs"}
    return Watch(**fields, runs=tuple(msgspec.convert(row["runs"], list[Run])))


async def _written(conn: Connection, waited: Sequence[Ping], watched: Sequence[Watched]) -> set[UUID]:
    if not waited or not watched:
        return set()
    given = {
        "monitors": [each.monitor_id for each in watched],
        "since": min(ping.at for ping in waited if ping.at) - DOUBT,
        "ids": [ping.id for ping in waited],
    }
    return {row[0] for row in await (await conn.execute(_sql["written"], given)).fetchall()}


def _take(target: Watched, ping: Ping, changes: _Changes) -> None:
    changes.watched[target.monitor_id] = target
    if target.rules is None or not target.active:
        # Kept for people; nothing follows from it.
        target.watch, taken = push.receive(target.watch, Rules(), msgspec.structs.replace(ping, kind="log"), target.now)
        changes.pings.append(_ping_row(target, ping, msgspec.structs.replace(taken, kind="ignored")))
        return
    if target.watch.version != target.version:
        target.watch = push.plan(target.watch, target.rules, target.version)
    target.watch, taken = push.receive(target.watch, target.rules, ping, target.now)
    changes.pings.append(_ping_row(target, ping, taken))
    if taken.verdict is not None:
        changes.results.append(_result(target, taken.verdict))


def _ping_row(target: Watched, ping: Ping, taken: Taken) -> dict[str, Any]:
    return {
        "monitor_id": target.monitor_id,
        "at": taken.at,
        "id": ping.id,
        "kind": taken.kind,
        "exit_code": ping.exit_code,
        "run_id": ping.run_id,
        "duration_ms": None if taken.duration is None else taken.duration / timedelta(milliseconds=1),
        "method": ping.method,
        "remote": ping.remote,
        "user_agent": ping.user_agent,
        "body": ping.body,
    }


def _result(target: Watched, verdict: Verdict) -> Result:
    duration_ms = verdict.duration / timedelta(milliseconds=1) if verdict.duration else None
    return Result(
        target.monitor_id,
        verdict.at,
        REGION,
        target.version,
        verdict.status,
        started_at=verdict.at,
        latency_ms=duration_ms,
        reason=verdict.reason,
        message=verdict.message,
        evidence=verdict.evidence,
    )


async def _write(conn: Connection, changes: _Changes, open_since: datetime) -> None:
    if changes.watched:
        rows = [_watch_row(each, open_since) for each in changes.watched.values()]
        await conn.execute(_sql["write"], {"pings": _json(changes.pings), "watches": _json(rows)})
    if changes.results:
        await recording.record(conn, changes.results)


def _watch_row(target: Watched, open_since: datetime) -> dict[str, Any]:
    look_at = None
    if target.rules is not None and target.active:
        look_at = push.look_at(target.watch, target.rules, open_since)
    return {"monitor_id": target.monitor_id, **msgspec.structs.asdict(target.watch), "look_at": look_at}


def _json(rows: Iterable[dict[str, Any]]) -> str:
    return msgspec.json.encode(list(rows)).decode()


async def due(conn: Connection) -> Due:
    cursor = await conn.execute(_sql["due"], {"margin": MARGIN})
    row = await cursor.fetchone()
    assert row is not None
    return Due(*row)


async def judge(
    conn: Connection, open_since: datetime | None, until: datetime | None, most: int
) -> tuple[int, list[int]]:
    """Judge the silence of up to `most` monitors, and plan those that were edited.

    open_since, until: when pings could be taken; None: only plan.
    Returns how many were looked at, and the monitors that have a new result.
    """
    given = {"until": until, "most": most}
    rows = await (await conn.execute(_sql["lock_due"], given)).fetchall()
    changes = _Changes([], [], {})
    for target in await _watched(conn, [row[0] for row in rows]):
        changes.watched[target.monitor_id] = target
        if target.rules is not None and target.active:
            _judge(target, target.rules, open_since, until, changes)
    await _write(conn, changes, open_since or push.ALWAYS)
    return len(rows), sorted({result.monitor_id for result in changes.results})


def _judge(
    target: Watched, rules: Rules, open_since: datetime | None, until: datetime | None, changes: _Changes
) -> None:
    if target.watch.version != target.version:
        target.watch = push.plan(target.watch, rules, target.version)
    if open_since is not None and until is not None:
        target.watch, verdicts = push.judge(target.watch, rules, until, open_since)
        changes.results += [_result(target, verdict) for verdict in verdicts]


async def say_open(conn: Connection, able_for: timedelta, patience: timedelta) -> None:
    """Pings can be taken, and could be for so long. patience: a shorter break is none."""
    await conn.execute(_sql["open"], {"able_for": able_for, "patience": patience})


async def open_ago(conn: Connection) -> timedelta | None:
    """How long ago pings could be taken; None where there is no push monitor that waits for any."""
    row = await (await conn.execute(_sql["open_now"])).fetchone()
    return None if row is None else row[0]


async def address(conn: Connection, monitor_id: int) -> Address:
    """Raises `NotFound` where the monitor takes no pings."""
    async with conn.cursor(row_factory=class_row(Address)) as cursor:
        found = await (await cursor.execute(_sql["address"], {"monitor": monitor_id})).fetchone()
    if found is None:
        raise NotFound(f"Monitor {monitor_id} takes no pings.")
    return found


async def rotate(conn: Connection, monitor_id: int) -> UUID:
    """A new address in the place of the old one. Raises `NotFound`."""
    row = await (await conn.execute(_sql["rotate"], {"monitor": monitor_id})).fetchone()
    if row is None:
        raise NotFound(f"Monitor {monitor_id} takes no pings.")
    token: UUID = row[0]
    return token


async def watch(conn: Connection, monitor_id: int) -> Watch | None:
    async with conn.cursor(row_factory=dict_row) as cursor:
        row = await (await cursor.execute(_sql["watch"], {"monitor": monitor_id})).fetchone()
    return None if row is None else _watch(row)


async def log(conn: Connection, monitor_id: int, before: datetime, most: int, excerpt: int) -> list[Logged]:
    """Up to `most` pings, newest first, with `excerpt` characters of each body."""
    given = {"monitor": monitor_id, "before": before, "most": most, "excerpt": excerpt}
    async with conn.cursor(row_factory=class_row(Logged)) as cursor:
        return await (await cursor.execute(_sql["log"], given)).fetchall()


async def body(conn: Connection, monitor_id: int, at: datetime) -> str:
    """All that is kept of a ping's body. Raises `NotFound`."""
    row = await (await conn.execute(_sql["body"], {"monitor": monitor_id, "at": at})).fetchone()
    if row is None:
        raise NotFound("There is no such ping (any more).")
    return str(row[0])


async def by_slug(conn: Connection, slugs: Iterable[str]) -> dict[str, int]:
    """How many monitors have each of these; without those that none has."""
    return dict(await (await conn.execute(_sql["by_slug"], {"slugs": list(slugs)})).fetchall())


async def lock_slugs(conn: Connection) -> None:
    """Nobody else makes a push monitor until the transaction ends."""
    await conn.execute(_sql["lock_slugs"])


async def how_many(conn: Connection) -> int:
    """The push monitors that there are."""
    row = await (await conn.execute(_sql["how_many"])).fetchone()
    assert row is not None
    return int(row[0])
