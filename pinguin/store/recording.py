"""sql/queries/recording.sql: results, states, transitions and incidents, inside the caller's transaction."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import msgspec
import structlog

from pinguin.db import Connection, queries
from pinguin.model import Policy, Result, State, Status, Transition, advance
from pinguin.store.expiries import Expiries

_log = structlog.get_logger(__name__)
_sql = queries("recording")

ResultKey = tuple[int, datetime, str]
"""What makes a result one: monitor, slot, region."""


class Standing(msgspec.Struct, frozen=True):
    """A monitor's locked state, the thresholds that it is judged by, and its open incident."""

    state: State
    policy: Policy
    incident_id: int | None


class Change(NamedTuple):
    """A transition, and the result that made it."""

    result: Result
    transition: Transition


async def record(conn: Connection, results: Sequence[Result], expiries: Expiries | None = None) -> bool:
    """Write results and everything that follows from them, inside the caller's transaction: states, transitions,
    incidents and, by triggers, the notifications that these call for. Doing it twice changes nothing.

    expiries: what was written lately of when things end, so that it is not written with every result.
    Whether there was a transition. Raises `psycopg.Error` when the database refuses.
    """
    # Two of the same slot in one batch: the first counts, and it is that one which is written.
    once: dict[ResultKey, Result] = {}
    for result in results:
        once.setdefault(_key(result), result)
    results = list(once.values())
    before, known = await write_results(conn, results)
    if new := (expiries or Expiries()).news(results):
        await conn.execute(_sql["write_expiries"], {"expiries": _document(new)})
    after, changes = dict(before), list[Change]()
    for key in known:
        once.pop(key, None)
    for result in sorted(once.values(), key=lambda result: result.scheduled_at):
        standing = after.get(result.monitor_id)
        if standing is not None:
            state, made = advance(standing.state, result, standing.policy)
            after[result.monitor_id] = Standing(state, standing.policy, standing.incident_id)
            changes += [Change(result, transition) for transition in made]
    await write_changes(conn, changes, after)
    changed = {monitor_id: standing for monitor_id, standing in after.items() if standing is not before[monitor_id]}
    await write_states(conn, changed)
    return any(standing.state.status is not before[monitor_id].state.status for monitor_id, standing in changed.items())


def _key(result: Result) -> ResultKey:
    return result.monitor_id, result.scheduled_at, result.region


async def write_results(conn: Connection, results: Sequence[Result]) -> tuple[dict[int, Standing], set[ResultKey]]:
    """Lock the states of these results' monitors until the transaction ends, and write the results.

    Returns the states as they were, and the keys of the results that were not written: they were there before, or
    their monitors are not.
    """
    monitor_ids = sorted({result.monitor_id for result in results})
    locked = await conn.execute(_sql["lock_states"], {"monitor_ids": monitor_ids})
    standings = _standings((await locked.fetchall())[0][0])
    left = await conn.execute(_sql["insert_results"], {"results": _document(results)})
    return standings, {(row[0], row[1], row[2]) for row in await left.fetchall()}


class _Ids(msgspec.Struct):
    monitor_id: int
    incident_id: int | None


_ids = msgspec.json.Decoder(list[_Ids])
_states = msgspec.json.Decoder(list[State])
_policies = msgspec.json.Decoder(list[Policy])


def _standings(document: str) -> dict[int, Standing]:
    """By monitor, from the rows of `lock_states`. Each decoder takes what it knows of a row."""
    parts = zip(_ids.decode(document), _states.decode(document), _policies.decode(document), strict=True)
    return {ids.monitor_id: Standing(state, policy, ids.incident_id) for ids, state, policy in parts}


async def write_changes(conn: Connection, changes: Sequence[Change], standings: dict[int, Standing]) -> None:
    """Write transitions, and open and close their incidents, which `standings` then know. A thousand monitors that fail
    at once are three statements; only what one monitor did twice comes after what it did first."""
    waves: list[list[Change]] = []
    made: Counter[int] = Counter()
    for change in changes:
        monitor_id = change.result.monitor_id
        if made[monitor_id] == len(waves):
            waves.append([])
        waves[made[monitor_id]].append(change)
        made[monitor_id] += 1
    for wave in waves:
        await _write_wave(conn, wave, standings)


async def _write_wave(conn: Connection, wave: Sequence[Change], standings: dict[int, Standing]) -> None:
    """At most one change of each monitor."""
    if opening := [_incident_row(change) for change in wave if change.transition.opens]:
        opened = await conn.execute(_sql["open_incidents"], {"incidents": _document(opening)})
        for monitor_id, incident_id in await opened.fetchall():
            standings[monitor_id] = msgspec.structs.replace(standings[monitor_id], incident_id=incident_id)
    rows = [_transition_row(change, standings[change.result.monitor_id].incident_id) for change in wave]
    closing = [row for row, change in zip(rows, wave, strict=True) if change.transition.closes]
    if closing:
        await conn.execute(_sql["close_incidents"], {"incidents": _document(closing)})
        for row in closing:
            standings[row["monitor_id"]] = msgspec.structs.replace(standings[row["monitor_id"]], incident_id=None)
    await conn.execute(_sql["insert_transitions"], {"transitions": _document(rows)})
    for row in rows:
        log = _log.warning if row["to_status"] is Status.DOWN else _log.info
        before, after = row["from_status"].value, row["to_status"].value
        log("transition", monitor=row["monitor_id"], before=before, after=after, reason=row["reason"])


def _incident_row(change: Change) -> dict[str, Any]:
    result, transition = change
    return {
        "monitor_id": result.monitor_id,
        "at": transition.at,
        "confirmed_at": transition.confirmed_at,
        "reason": result.reason or "internal",
        "message": result.message or "",
        "region": result.region,
        "evidence": {"phases_ms": result.phases, **result.evidence},
    }


def _transition_row(change: Change, incident_id: int | None) -> dict[str, Any]:
    result, transition = change
    return {
        "monitor_id": result.monitor_id,
        "at": transition.at,
        "confirmed_at": transition.confirmed_at,
        "from_status": transition.from_status,
        "to_status": transition.to_status,
        "reason": transition.reason,
        "message": transition.message,
        "incident_id": incident_id,
    }


def _document(rows: Sequence[Any]) -> str:
    return msgspec.json.encode(rows).decode()


async def write_states(conn: Connection, standings: Mapping[int, Standing]) -> None:
    """Write the states of these (locked) monitors."""
    rows = [
        {"monitor_id": monitor_id, "incident_id": standing.incident_id, **msgspec.structs.asdict(standing.state)}
        for monitor_id, standing in standings.items()
    ]
    await conn.execute(_sql["write_states"], {"states": _document(rows)})
