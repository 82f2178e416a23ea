"""sql/queries/recording.sql: results, states, transitions and incidents, inside the caller's transaction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
from psycopg.types.json import Jsonb

from pinguin.db import Connection, queries
from pinguin.model import PHASES, Policy, Result, State, Status, Transition

_sql = queries("recording")

_STATE_COLUMNS = (
    *("since", "version", "last_slot", "failures", "successes", "unknowns"),
    *("streak_since", "reason", "message", "latency_ms"),
)

ResultKey = tuple[int, datetime, str]
"""What makes a result one: monitor, slot, region."""


@dataclass(frozen=True, slots=True)
class Standing:
    """A monitor's locked state, the thresholds that it is judged by, and its open incident."""

    state: State
    policy: Policy
    incident_id: int | None


async def lock_states(conn: Connection, monitor_ids: Iterable[int]) -> dict[int, Standing]:
    """The states of these monitors, locked until the transaction ends."""
    cursor = await conn.execute(_sql["lock_states"], {"monitor_ids": sorted(set(monitor_ids))})
    return {row[0]: _standing(row) async for row in cursor}


def _standing(row: Sequence[Any]) -> Standing:
    _, status, since, version, last_slot, failures, successes, unknowns, streak_since = row[:9]
    incident_id, reason, message, latency_ms, *policy = row[9:]
    state = State(
        Status(status), since, version, last_slot, failures, successes, unknowns, streak_since,
        incident_id is not None, reason, message, latency_ms,
    )  # fmt: skip
    return Standing(state, Policy(*policy), incident_id)


async def insert_results(conn: Connection, results: Sequence[Result]) -> set[ResultKey]:
    """Write results; the keys of those that were not there before."""
    columns: dict[str, list[Any]] = {
        "monitor_id": [r.monitor_id for r in results],
        "scheduled_at": [r.scheduled_at for r in results],
        "region": [r.region for r in results],
        "version": [r.version for r in results],
        "status": [r.status.value for r in results],
        "reason": [r.reason for r in results],
        "message": [r.message for r in results],
        "latency_ms": [r.latency_ms for r in results],
        "started_at": [r.started_at for r in results],
        "evidence": [msgspec.json.encode(r.evidence).decode() for r in results],
    }
    for phase in PHASES:
        columns[phase] = [r.phases.get(phase) for r in results]
    cursor = await conn.execute(_sql["insert_results"], columns)
    return {(row[0], row[1], row[2]) async for row in cursor}


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
    states = [s.state for s in standings.values()]
    columns: dict[str, list[Any]] = {name: [getattr(state, name) for state in states] for name in _STATE_COLUMNS}
    columns["monitor_id"] = list(standings)
    columns["status"] = [state.status.value for state in states]
    columns["incident_id"] = [s.incident_id for s in standings.values()]
    await conn.execute(_sql["write_states"], columns)
