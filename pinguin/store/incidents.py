"""sql/queries/incidents.sql: incidents as people read and handle them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from psycopg.rows import class_row

from pinguin.db import Connection, queries
from pinguin.errors import Conflict, NotFound
from pinguin.store.pages import Beat

_SQL = queries("incidents")

STATES = ("open", "acknowledged", "ended")
SLOTS = 30
"""Around a moment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """What of the list is wanted; None is all. since, until: when it began, until excluded."""

    state: str | None = None
    monitor: int | None = None
    tag: str | None = None
    reason: str | None = None
    region: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    search: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """One row of the list. ended_at is None while it is open; closed_by: recovery, hand, pause or deletion."""

    id: int
    monitor_id: int
    name: str
    type: str
    target: str
    tags: list[str]
    archived: bool
    started_at: datetime
    confirmed_at: datetime
    ended_at: datetime | None
    reason: str
    message: str
    region: str
    closed_by: str | None
    acknowledged_at: datetime | None
    acknowledged_by: str | None
    snoozed_until: datetime | None
    resolved_by: str | None

    @property
    def state(self) -> str:
        if self.ended_at:
            return "ended"
        return "acknowledged" if self.acknowledged_at else "open"


@dataclass(frozen=True, slots=True, kw_only=True)
class Whole(Incident):
    """One incident with its monitor.

    previous_…: the monitor's outage before this one, None where it is the first. lately: outages in the 30 days before
    it, lately_s: seconds that those lasted in all.
    """

    evidence: dict[str, Any]
    postmortem: str
    interval_s: int
    failure_threshold: int
    status_now: str
    previous_id: int | None
    previous_at: datetime | None
    previous_s: float | None
    lately: int
    lately_s: float


@dataclass(frozen=True, slots=True)
class Event:
    """An entry of the timeline. who: a person, or the channel that was told. entries: how many there are in all."""

    id: int
    at: datetime
    kind: str
    who: str | None
    text: str
    entries: int


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try to deliver a message."""

    message_id: int
    at: datetime
    latency_ms: float | None
    outcome: str
    answer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """What a channel was to be told. held: why it waits, or was cancelled. again_at: when it is tried next."""

    id: int
    channel_id: int
    channel: str
    channel_kind: str
    kind: str
    step: int
    at: datetime
    due_at: datetime
    status: str
    held: str | None
    told_at: datetime | None
    message_id: int | None
    message_status: str | None
    tries: int
    again_at: datetime | None
    attempts: list[Attempt] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Vote:
    """What a region found."""

    region: str
    scheduled_at: datetime
    status: str
    reason: str | None
    message: str | None
    latency_ms: float | None


@dataclass(frozen=True, slots=True)
class Other:
    """Another monitor's outage at about the same time. in_all: how many there were."""

    id: int
    monitor_id: int
    name: str
    started_at: datetime
    ended_at: datetime | None
    reason: str
    message: str
    in_all: int


async def listed(
    conn: Connection, wanted: Filter, *, before: tuple[datetime, int] | None = None, most: int = 50
) -> list[Incident]:
    """Newest first; `before` is the start and id of the last one seen."""
    given = {
        **{name: getattr(wanted, name) for name in wanted.__dataclass_fields__},
        "before": before and before[0],
        "before_id": before and before[1],
        "most": most,
    }
    async with conn.cursor(row_factory=class_row(Incident)) as cursor:
        await cursor.execute(_SQL["listed"], given, prepare=False)
        return await cursor.fetchall()


async def counts(conn: Connection) -> tuple[int, int]:
    """How many are open, and how many of those are acknowledged."""
    row = await (await conn.execute(_SQL["counts"])).fetchone()
    assert row is not None
    return row[0], row[1]


async def get(conn: Connection, incident_id: int) -> Whole:
    """Raises `NotFound`."""
    async with conn.cursor(row_factory=class_row(Whole)) as cursor:
        await cursor.execute(_SQL["get"], {"id": incident_id})
        found = await cursor.fetchone()
    if found is None:
        raise NotFound(f"There is no incident {incident_id}.")
    return found


async def events(conn: Connection, incident_id: int) -> list[Event]:
    """Oldest first; of a long timeline the first 20 and the last 280."""
    async with conn.cursor(row_factory=class_row(Event)) as cursor:
        await cursor.execute(_SQL["events"], {"id": incident_id})
        return await cursor.fetchall()


async def notifications(conn: Connection, incident_id: int) -> list[Notification]:
    """The newest 100, oldest first, each with the tries of its message, the last one first. Two queries."""
    async with conn.cursor(row_factory=class_row(Notification)) as cursor:
        await cursor.execute(_SQL["notifications"], {"id": incident_id})
        found = await cursor.fetchall()
    async with conn.cursor(row_factory=class_row(Attempt)) as cursor:
        await cursor.execute(_SQL["attempts"], {"id": incident_id})
        for attempt in await cursor.fetchall():
            for each in found:
                if each.message_id == attempt.message_id:
                    each.attempts.append(attempt)
    return found


async def beats(
    conn: Connection, incident: Whole, around: tuple[tuple[datetime, int], tuple[datetime, int]]
) -> list[list[Beat]]:
    """The results of some thirty slots around each of two moments, that many of them before it; newest first."""
    given: dict[str, Any] = {"monitor": incident.monitor_id}
    for place, (moment, before) in enumerate(around):
        after, slot = SLOTS - before, timedelta(seconds=2 * incident.interval_s)
        given |= {f"before_{place}": before, f"moment_{place}": moment, f"after_{place}": after}
        given |= {f"since_{place}": moment - before * slot, f"until_{place}": moment + after * slot}
    cursor = await conn.execute(_SQL["beats"], given, prepare=False)
    rows = await cursor.fetchall()
    return [[Beat(*row[1:]) for row in rows if row[0] == place] for place in range(len(around))]


async def votes(conn: Connection, incident: Incident) -> list[Vote]:
    """What each region had found when the outage was sure."""
    bounds = {"started_at": incident.started_at, "confirmed_at": incident.confirmed_at}
    async with conn.cursor(row_factory=class_row(Vote)) as cursor:
        await cursor.execute(_SQL["votes"], {"monitor": incident.monitor_id, **bounds}, prepare=False)
        return await cursor.fetchall()


async def together(conn: Connection, incident_id: int, most: int = 100) -> list[Other]:
    """Outages of other monitors that began within five minutes of this one, the nearest first."""
    async with conn.cursor(row_factory=class_row(Other)) as cursor:
        await cursor.execute(_SQL["together"], {"id": incident_id, "most": most})
        return await cursor.fetchall()


async def mark(conn: Connection, incident_id: int) -> tuple[str, str]:
    """Two texts: the first changes with what can be done about it, the second with all else that its page shows."""
    row = await (await conn.execute(_SQL["mark"], {"id": incident_id})).fetchone()
    if row is None:
        raise NotFound(f"There is no incident {incident_id}.")
    return row[0], row[1]


async def acknowledge(conn: Connection, incident_ids: Sequence[int], who: str, note: str) -> list[int]:
    """Somebody takes care of these: no reminder and no escalation any more.

    Returns those that were open and not acknowledged; the others stay as they are.
    """
    async with conn.transaction():
        await conn.execute(_SQL["lock_states"], {"ids": list(incident_ids)})
        cursor = await conn.execute(_SQL["acknowledge"], {"ids": list(incident_ids), "who": who, "note": note})
        done = [row[0] for row in await cursor.fetchall()]
        await conn.execute(_SQL["hold_back"], {"ids": done})
    return done


async def take_back(conn: Connection, incident_id: int, who: str, note: str) -> bool:
    """Nobody takes care any more: escalation and reminders go on. False where it was not acknowledged, or is over."""
    given = {"id": incident_id, "who": who, "note": note}
    return await _changed(conn, "take_back", given, "go_on", "remind_again", "wake_up")


async def snooze(conn: Connection, incident_id: int, who: str, until: datetime | None) -> bool:
    """Tell nothing of it until then, and then who knows of it that it lasts; None wakes it. False where it is over, or
    was not asleep.
    """
    given = {"id": incident_id, "who": who, "until": until}
    return await _changed(conn, "snooze", given, "forget_wakening", "wake_up")


async def _changed(conn: Connection, change: str, given: dict[str, Any], *then: str) -> bool:
    """Make a change that writes an event, and what follows from it; False where nothing was to be changed."""
    async with conn.transaction():
        event = await (await conn.execute(_SQL[change], given)).fetchone()
        if event is None:
            return False
        for following in then:
            await conn.execute(_SQL[following], {"id": given["id"], "event": event[0]})
    return True


async def comment(conn: Connection, incident_id: int, who: str, words: str) -> None:
    """Raises `NotFound`."""
    cursor = await conn.execute(_SQL["comment"], {"id": incident_id, "who": who, "words": words})
    if await cursor.fetchone() is None:
        raise NotFound(f"There is no incident {incident_id}.")


async def resolve(conn: Connection, incident_id: int, who: str, words: str) -> int | None:
    """Close it by hand; its monitor, or None where it was over already.

    The monitor is then pending with nothing counted: it takes the whole failure threshold to open another one.
    """
    async with conn.transaction():
        state = await (await conn.execute(_SQL["lock_state"], {"id": incident_id})).fetchone()
        if state is None:
            raise NotFound(f"There is no incident {incident_id}.")
        closed = await (await conn.execute(_SQL["resolve"], {"id": incident_id, "who": who})).fetchone()
        if closed is None:
            return None
        await conn.execute(_SQL["say_why"], {"id": incident_id, "words": words})
    return int(closed[0])


async def write_postmortem(conn: Connection, incident_id: int, words: str, seen: str) -> None:
    """Raises `Conflict` unless `seen` is what is written there now, `NotFound`."""
    given = {"id": incident_id, "words": words, "seen": seen}
    cursor = await conn.execute(_SQL["write_postmortem"], given)
    if await cursor.fetchone() is None:
        await get(conn, incident_id)
        raise Conflict("Somebody changed this note after you opened it.")
