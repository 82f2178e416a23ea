"""What the API shows of incidents."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from pinguin.store import incidents as store
from pinguin.web.api.paging import Id

State = Literal["open", "acknowledged", "ended"]


class Incident(msgspec.Struct, kw_only=True, frozen=True):
    """One unbroken down period of a monitor."""

    id: Id
    state: State
    monitor_id: Id
    monitor: Annotated[str, Meta(description="its name")]
    type: str
    target: str
    tags: list[str]
    archived: Annotated[bool, Meta(description="the monitor was deleted")]
    started_at: Annotated[datetime, Meta(description="slot of the first failed check")]
    confirmed_at: Annotated[datetime, Meta(description="slot that made it sure")]
    ended_at: datetime | None
    reason: str
    message: str
    region: str
    closed_by: Annotated[str | None, Meta(description="recovery, hand, pause or deletion")]
    acknowledged_at: datetime | None
    acknowledged_by: str | None
    snoozed_until: datetime | None
    resolved_by: str | None


class Event(msgspec.Struct, kw_only=True, frozen=True):
    """An entry of the timeline. who: a person, or the channel that was told."""

    id: Id
    at: datetime
    kind: str
    who: str | None
    text: str


class Attempt(msgspec.Struct, kw_only=True, frozen=True):
    """A try to deliver a message, and what the provider answered."""

    at: datetime
    latency_ms: float | None
    outcome: Literal["delivered", "failed", "refused"]
    answer: str


class Notification(msgspec.Struct, kw_only=True, frozen=True):
    """What a channel was to be told. held: why it waits, or was not told. again_at: when it is tried next."""

    id: Id
    channel_id: Id
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
    attempts: list[Attempt]


class Vote(msgspec.Struct, kw_only=True, frozen=True):
    """What a region had found when the outage was sure."""

    region: str
    scheduled_at: datetime
    status: str
    reason: str | None
    message: str | None
    latency_ms: float | None


class Other(msgspec.Struct, kw_only=True, frozen=True):
    """Another monitor's outage that began within five minutes of this one."""

    id: Id
    monitor_id: Id
    name: str
    started_at: datetime
    ended_at: datetime | None
    reason: str
    message: str


class WholeIncident(Incident, kw_only=True, frozen=True):
    """An incident with all that its page shows. previous_…: the monitor's outage before it; lately, lately_s: how many
    it had in the 30 days before, and for how long. events: of a long timeline, the first 20 and the last 280.
    """

    evidence: dict[str, Any]
    postmortem: Annotated[str, Meta(description="Markdown")]
    previous_id: int | None
    previous_at: datetime | None
    previous_s: float | None
    lately: int
    lately_s: float
    cause: Annotated[str | None, Meta(description="what those that fail together have in common, in a sentence")]
    events: list[Event]
    notifications: list[Notification]
    votes: list[Vote]
    together: list[Other]


def row(found: store.Incident) -> dict[str, Any]:
    """What both have, by field."""
    names = (*store.Incident.__dataclass_fields__, "state")
    return {"monitor" if name == "name" else name: getattr(found, name) for name in names}
