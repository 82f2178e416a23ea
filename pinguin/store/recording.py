"""sql/queries/recording.sql: results, states, transitions and incidents, inside the caller's transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import msgspec
import structlog
from psycopg.types.json import Jsonb

from pinguin.db import Connection, queries
from pinguin.model import Policy, Result, State, Status, Transition, advance
from pinguin.store.expiries import Expiries

_log = structlog.get_logger(__name__)
_sql = queries("recording")

ResultKey = tuple[int, datetime, str]
"""What makes a result one: monitor, slot, region."""


@dataclass(frozen=True, slots=True)
class Standing:
    """A monitor's locked state, the thresholds that it is judged by, and its open incident."""

    state: State
    policy: Policy
    incident_id: int | None


async def record(conn: Connection, results: Sequence[Result], expiries: Expiries | None = None) -> bool:
    """Write results and everything that follows from them, inside the caller's transaction: states, transitions,
    incidents and, by triggers, the notifications that these call for. Doing it twice changes nothing.

    expiries: what was written lately of when things end, so that it is not written with every result.
    Whether there was a transition. Raises `psycopg.Error` when the database refuses.
    """
    before, written = await write_results(conn, results)
    if new := (expiries or Expiries()).news(results):
        await conn.execute(_sql["write_expiries"], {"expiries": msgspec.json.encode(new).decode()})
    after = dict(before)
    for result in sorted(results, key=lambda result: result.scheduled_at):
        if result.monitor_id in after and _key(result) in written:
            after[result.monitor_id] = await _advanced(conn, after[result.monitor_id], result)
    changed = {monitor_id: standing for monitor_id, standing in after.items() if standing is not before[monitor_id]}
    await write_states(conn, changed)
    return any(standing.state.status is not before[monitor_id].state.status for monitor_id, standing in changed.items())


def _key(result: Result) -> ResultKey:
    return result.monitor_id, result.scheduled_at, result.region


async def _advanced(conn: Connection, standing: Standing, result: Result) -> Standing:
    state, transitions = advance(standing.state, result, standing.policy)
    for transition in transitions:
        incident_id = await record_transition(conn, standing, result, transition)
        standing = replace(standing, incident_id=incident_id)
        log = _log.warning if transition.to_status is Status.DOWN else _log.info
        log(
            "transition",
            monitor=result.monitor_id,
            before=transition.from_status.value,
            after=transition.to_status.value,
            reason=transition.reason,
        )
    return replace(standing, state=state)


async def write_results(conn: Connection, results: Sequence[Result]) -> tuple[dict[int, Standing], set[ResultKey]]:
    """Lock the states of these results' monitors until the transaction ends, and write the results.

    Returns the states as they were, and the keys of the results that were not there before.
    """
    monitor_ids = sorted({result.monitor_id for result in results})
    states = await conn.execute(_sql["lock_states"], {"monitor_ids": monitor_ids})
    document = msgspec.json.encode([_result_row(result) for result in results]).decode()
    written = await conn.execute(_sql["insert_results"], {"results": document})
    standings = {row[0]: _standing(row) for row in await states.fetchall()}
    return standings, {(row[0], row[1], row[2]) for row in await written.fetchall()}


def _result_row(result: Result) -> dict[str, Any]:
    return {
        "monitor_id": result.monitor_id,
        "scheduled_at": result.scheduled_at,
        "region": result.region,
        "version": result.version,
        "status": result.status,
        "reason": result.reason,
        "message": result.message,
        "latency_ms": result.latency_ms,
        "started_at": result.started_at,
        "evidence": result.evidence,
        **result.phases,
    }


def _standing(row: Sequence[Any]) -> Standing:
    _, status, since, version, last_slot, failures, successes, unknowns, streak_since = row[:9]
    incident_id, reason, message, latency_ms, *policy = row[9:]
    state = State(
        Status(status), since, version, last_slot, failures, successes, unknowns, streak_since,
        incident_id is not None, reason, message, latency_ms,
    )  # fmt: skip
    return Standing(state, Policy(*policy), incident_id)


async def record_transition(conn: Connection, standing: Standing, result: Result, transition: Transition) -> int | None:
    """Write a transition, and open or close its incident; the id of the incident open afterwards."""
    incident_id = standing.incident_id
    if transition.opens:
        incident_id = await _open_incident(conn, result, transition)
    if transition.closes:
        await conn.execute(_sql["close_incident"], {"incident_id": incident_id, "at": transition.at})
    await conn.execute(
        _sql["insert_transition"],
        {
            "monitor_id": result.monitor_id,
            "at": transition.at,
            "confirmed_at": transition.confirmed_at,
            "from_status": transition.from_status.value,
            "to_status": transition.to_status.value,
            "reason": transition.reason,
            "message": transition.message,
            "incident_id": incident_id,
        },
    )
    return None if transition.closes else incident_id


async def _open_incident(conn: Connection, result: Result, transition: Transition) -> int:
    cursor = await conn.execute(
        _sql["open_incident"],
        {
            "monitor_id": result.monitor_id,
            "at": transition.at,
            "confirmed_at": transition.confirmed_at,
            "reason": result.reason or "internal",
            "message": result.message or "",
            "region": result.region,
            "evidence": Jsonb({"phases_ms": dict(result.phases), **result.evidence}),
        },
    )
    row = await cursor.fetchone()
    assert row is not None
    return int(row[0])


async def write_states(conn: Connection, standings: Mapping[int, Standing]) -> None:
    """Write the states of these (locked) monitors."""
    rows = [
        {"monitor_id": monitor_id, "incident_id": standing.incident_id, **msgspec.structs.asdict(standing.state)}
        for monitor_id, standing in standings.items()
    ]
    await conn.execute(_sql["write_states"], {"states": msgspec.json.encode(rows).decode()})
