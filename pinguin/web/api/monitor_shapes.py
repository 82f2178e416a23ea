"""What the API shows of monitors, and what it takes to list and to try them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from pinguin.checks.contract import CheckType
from pinguin.checks.runner import Report
from pinguin.model import AlertRules, Status
from pinguin.people import Principal, Role
from pinguin.store import monitors as store
from pinguin.store.audit import Hidden
from pinguin.web import audited
from pinguin.web.api.definitions import MonitorDefinition
from pinguin.web.api.paging import Id, Paged
from pinguin.web.api.reading import Body

Words = Annotated[str, Meta(min_length=1, max_length=200)]


class MonitorFilter(Paged, kw_only=True, frozen=True):
    q: Annotated[Words | None, Meta(description="part of the name, the target or a tag")] = None
    status: Status | None = None
    type: Annotated[Words | None, Meta(description="a check type")] = None
    tag: Annotated[list[Words], Meta(max_length=20, description="has all of these; may be given several times")] = (
        msgspec.field(default_factory=list)
    )
    sort: Annotated[
        Literal["status", "name", "latency", "uptime", "change", "interval"],
        Meta(description="worst status, name, slowest, lowest uptime of the last day, latest change, shortest first"),
    ] = "status"


class MonitorState(msgspec.Struct, kw_only=True, frozen=True):
    """What it is now. reason, message, latency_ms: of its last result."""

    status: Annotated[Status, Meta(description="what people see; maintenance while it is in maintenance")]
    real_status: Annotated[Status, Meta(description="what the checks say, in maintenance too")]
    since: datetime
    reason: str | None
    message: str | None
    latency_ms: float | None
    last_slot: Annotated[datetime | None, Meta(description="when the newest result that counts was due")]


class MonitorNow(MonitorState, kw_only=True, frozen=True):
    maintenance_until: datetime | None
    failures: Annotated[int, Meta(description="failed checks in a row")]
    successes: Annotated[int, Meta(description="good checks in a row")]
    incident_started_at: Annotated[datetime | None, Meta(description="of the open incident")]


class MonitorListed(MonitorState, kw_only=True, frozen=True):
    """A monitor in a list."""

    id: Id
    name: str
    type: str
    target: Annotated[str, Meta(description="what is watched, without secrets")]
    interval_s: int
    regions: list[str]
    tags: list[str]
    passive: Annotated[bool, Meta(description="it is told, not checked")]


class Monitor(msgspec.Struct, kw_only=True, frozen=True):
    """A monitor. secrets: names of options that are stored and never shown."""

    id: Id
    name: str
    type: str
    target: Annotated[str, Meta(description="what is watched, without secrets")]
    options: Annotated[
        dict[str, Any], Meta(description="as the type has them; for viewers, addresses without user and query")
    ]
    secrets: list[str]
    interval_s: int
    timeout_s: float
    regions: list[str]
    failure_threshold: int
    recovery_threshold: int
    tags: list[str]
    alerts: AlertRules
    depends_on: list[Id]
    passive: bool
    enabled: bool
    version: Annotated[int, Meta(description="grows with each edit of what is checked, or when")]
    created_at: datetime
    updated_at: datetime
    state: MonitorNow


class MonitorPatch(Body, kw_only=True, frozen=True):
    """What of a monitor changes; null: as by default."""

    name: str | UnsetType = UNSET
    type: str | UnsetType = UNSET
    options: dict[str, Any] | UnsetType | None = UNSET
    interval_s: int | UnsetType | None = UNSET
    timeout_s: float | UnsetType | None = UNSET
    regions: list[str] | UnsetType | None = UNSET
    failure_threshold: int | UnsetType | None = UNSET
    recovery_threshold: int | UnsetType | None = UNSET
    tags: list[str] | UnsetType | None = UNSET
    alerts: dict[str, Any] | UnsetType | None = UNSET
    depends_on: list[Id] | UnsetType | None = UNSET
    enabled: bool | UnsetType = UNSET


class TrialWanted(MonitorDefinition, kw_only=True, frozen=True):
    """A monitor as it would be saved; it needs no name. monitor: one that is saved, whose secrets may be used."""

    name: str = "Try"
    monitor: Id | None = None


class Trial(msgspec.Struct, kw_only=True, frozen=True):
    """What a check found. phases: milliseconds by phase."""

    status: Literal["up", "degraded", "down", "unknown"]
    reason: str | None
    message: str | None
    latency_ms: float | None
    phases: dict[str, float]
    evidence: dict[str, Any]

    @classmethod
    def of(cls, report: Report) -> Trial:
        return msgspec.convert(report, cls, from_attributes=True)


class CheckAsked(msgspec.Struct, frozen=True):
    """asked: it comes. busy: one is under way. unscheduled: the monitor is paused, or too new; ask again in seconds."""

    check: Literal["asked", "busy", "unscheduled"]


def mark_of(monitor: store.Monitor) -> str:
    """Changes with every edit."""
    return f"monitor {monitor.id} {monitor.version} {monitor.updated_at.isoformat()}"


def listed(row: store.Listed) -> MonitorListed:
    return msgspec.convert(row, MonitorListed, from_attributes=True)


def shown(monitor: store.Monitor, types: Mapping[str, CheckType], who: Principal) -> Monitor:
    kind = types.get(monitor.type)
    options = readable(monitor.options, kind, openly=who.may(Role.EDITOR)) if kind else {}
    hidden = audited.fields(monitor.options, kind.options) if kind else {}
    secrets = [name for name, value in hidden.items() if is_secret(value) and monitor.options[name]]
    given = {name: getattr(monitor, name) for name in Monitor.__struct_fields__ if hasattr(monitor, name)}
    state = msgspec.convert(monitor, MonitorNow, from_attributes=True)
    rules = _rules(monitor.alerts)
    return Monitor(**{**given, "options": options, "secrets": secrets, "alerts": rules, "state": state})


def _rules(stored: Mapping[str, Any]) -> AlertRules:
    """What cannot be read as it is stored is as by default: alerts go by that too."""
    try:
        return msgspec.convert(dict(stored), AlertRules)
    except msgspec.ValidationError:
        return AlertRules()


def readable(options: Mapping[str, Any], kind: CheckType, *, openly: bool = True) -> dict[str, Any]:
    """`options` without their secrets. openly: addresses whole, with user and query, as editors see them."""
    return opened(audited.fields(options, kind.options), openly=openly)


def opened(found: Mapping[str, Any], *, openly: bool) -> dict[str, Any]:
    """What `audited.fields` hid, without what is secret."""
    return {name: _open(value, openly) for name, value in found.items() if not is_secret(value)}


def is_secret(value: Any) -> bool:
    return isinstance(value, Hidden) and not value.shown


def _open(value: Any, openly: bool) -> Any:
    if isinstance(value, Hidden):
        return value.value if openly else value.shown
    if isinstance(value, Mapping):
        return {name: _open(item, openly) for name, item in value.items() if not is_secret(item)}
    if isinstance(value, list | tuple):
        return [_open(item, openly) for item in value if not is_secret(item)]
    return value
