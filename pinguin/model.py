"""The words of Pinguin as types, and the state machine. No clock, no I/O."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import msgspec

PHASES = ("dns", "connect", "tls", "first_byte", "transfer")
"""The parts of a check that are timed, in the order in which they happen; columns `…_ms` of `results`."""

REASONS: Mapping[str, str] = {
    "timeout": "no answer within the timeout",
    "dns": "the name did not resolve",
    "refused": "the connection was refused",
    "unreachable": "there is no way to the address",
    "reset": "the connection was cut by the other side",
    "tls": "the TLS handshake failed",
    "certificate": "the certificate is not valid for this name and time",
    "certificate_expiry": "the certificate ends soon",
    "expiry": "the registration of the domain has ended, or ends soon",
    "protocol": "the answer is not what the protocol allows",
    "status": "the status code is not an accepted one",
    "redirect": "too many redirects, or one that leads nowhere",
    "body": "the content is not what was asked for",
    "too_large": "the answer is larger than the limit",
    "packet_loss": "too many packets were lost",
    "answer": "the answer is not the expected one",
    "offline": "the worker's own network is gone: none of its canaries answers",
    "quiet": "no result arrived in time; Pinguin's own pipeline is at fault",
    "slow": "slower than the limit",
    "failed": "the job says that it failed",
    "missed": "no ping came in time",
    "too_long": "the job has started and does not end",
    "options": "the monitor's options are not valid",
    "key": "a saved secret does not open: the worker's key is not the one that it was saved under",
    "forbidden": "checks may not connect to this address: the settings of the worker say so",
    "permission": "this machine does not let the worker run the check",
    "internal": "the check itself failed; this is Pinguin's fault, not the target's",
}
"""Every short code of a failure and what it means. Results, transitions and incidents carry one of these."""


class Status(enum.StrEnum):
    """What a monitor, or one result, is. A result is one of the first four."""

    UP = "up"
    DEGRADED = "degraded"
    DOWN = "down"
    UNKNOWN = "unknown"
    PENDING = "pending"
    PAUSED = "paused"
    MAINTENANCE = "maintenance"

    @property
    def answers(self) -> bool:
        return self in (Status.UP, Status.DEGRADED)


class Job(msgspec.Struct, frozen=True):
    """A slot sent to a region's queue. `attempt` counts the times that the same slot was handed out."""

    monitor_id: int
    slot: int  # seconds since 1970, UTC
    version: int
    attempt: int
    region: str

    @property
    def scheduled_at(self) -> datetime:
        return datetime.fromtimestamp(self.slot, UTC)


LEASE_MARGIN_S = 5.0
"""Seconds that a lease lasts beyond the check's own timeout: to wait for a free place and for the commit."""


@dataclass(frozen=True, slots=True)
class Definition:
    """What dispatch knows of a monitor. Slots are phase_s + k · interval_s, in seconds since 1970, UTC."""

    monitor_id: int
    version: int
    interval_s: int
    phase_s: int
    timeout_s: float
    regions: Sequence[str]

    def __str__(self) -> str:
        """As Redis holds it (lua/keys.lua)."""
        lease_ms = round((self.timeout_s + LEASE_MARGIN_S) * 1000)
        return f"{self.version}:{self.interval_s}:{self.phase_s}:{lease_ms}:{','.join(self.regions)}"


@dataclass(slots=True)
class Result:
    """The outcome of one check. latency_ms is None where nothing answered; times are aware, UTC."""

    monitor_id: int
    scheduled_at: datetime
    region: str
    version: int
    status: Status
    started_at: datetime
    latency_ms: float | None = None
    reason: str | None = None
    message: str | None = None
    phases: Mapping[str, float] = field(default_factory=dict)
    evidence: Mapping[str, Any] = field(default_factory=dict)


class Policy(msgspec.Struct, frozen=True):
    """What a monitor's state is judged by.

    failure_threshold, recovery_threshold: checks in a row that it takes to be down, and to end an incident.
    interval_s, timeout_s: when a missing result is a gap that nobody watched.
    passive: its results come when they come, so nothing between them is a gap.
    """

    failure_threshold: int = 2
    recovery_threshold: int = 1
    interval_s: int = 60
    timeout_s: float = 10
    passive: bool = False

    @property
    def quiet_after(self) -> timedelta:
        """How long a monitor may be without a result before it is unknown."""
        return timedelta(seconds=2 * self.interval_s + self.timeout_s)


class AlertStep(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One step of an escalation: whom to tell once an outage has lasted `after_s` seconds unacknowledged."""

    after_s: Annotated[int, msgspec.Meta(ge=0, le=7 * 86400)] = 0
    channels: Sequence[int] = ()
    groups: Sequence[int] = ()


class SlowRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Slow, when this percentile of the latency over the last `window_s` seconds is above `above_ms`."""

    above_ms: Annotated[float, msgspec.Meta(gt=0, le=300_000)]
    percentile: Annotated[float, msgspec.Meta(ge=1, le=99.9)] = 95
    window_s: Annotated[int, msgspec.Meta(ge=60, le=86400)] = 900


class AlertRules(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Who is told of a monitor, and of what; `monitors.alerts` holds what differs from these defaults.

    steps: None is the default channels, an empty list nobody.
    flap_outages: so many within flap_window_s seconds are told as one: flapping; 0 turns that off.
    certificate_days: of a certificate or a domain that ends in so many days.
    """

    steps: Sequence[AlertStep] | None = None
    remind_every_s: Annotated[int, msgspec.Meta(ge=0, le=7 * 86400)] = 0
    on_degraded: bool = True
    on_unknown: bool = False
    flap_outages: Annotated[int, msgspec.Meta(ge=0, le=100)] = 5
    flap_window_s: Annotated[int, msgspec.Meta(ge=60, le=86400)] = 3600
    certificate_days: Sequence[Annotated[int, msgspec.Meta(ge=0, le=365)]] = (21, 14, 7, 3, 1)
    slow_percentile: SlowRule | None = None


class State(msgspec.Struct, frozen=True):
    """What a monitor is, and what has been counted towards its next status.

    last_slot: the newest slot that counted. failures, successes, unknowns: checks in a row up to it.
    streak_since: the slot of the first check of a failing or recovering streak that is not confirmed yet.
    down: an incident is open; it stays so while the status is unknown.
    """

    status: Status
    since: datetime
    version: int
    last_slot: datetime | None = None
    failures: int = 0
    successes: int = 0
    unknowns: int = 0
    streak_since: datetime | None = None
    down: bool = False
    reason: str | None = None
    message: str | None = None
    latency_ms: float | None = None


@dataclass(frozen=True, slots=True)
class Transition:
    """A change of status. at: when it began; confirmed_at: the slot that made it sure."""

    at: datetime
    confirmed_at: datetime
    from_status: Status
    to_status: Status
    reason: str | None = None
    message: str | None = None
    opens: bool = False
    closes: bool = False


def advance(state: State, result: Result, policy: Policy) -> tuple[State, tuple[Transition, ...]]:
    """The state after `result`, and the transitions that it made: none, one, or two where a gap ends.

    A result of an older version, or of a slot no newer than the last, changes nothing. Unknown results (no evidence)
    leave the counts of good and failed checks as they are. After a gap, the time that nobody watched is unknown.
    """
    stale = state.last_slot is not None and result.scheduled_at <= state.last_slot
    if result.version < state.version or stale or state.status is Status.PAUSED:
        return state, ()
    state, gap = _notice_gap(state, result, policy)
    state, change = _take_in(state, result, policy)
    if gap is None and change is None:
        return state, ()  # nearly always
    return state, tuple(transition for transition in (gap, change) if transition is not None)


def _notice_gap(state: State, result: Result, policy: Policy) -> tuple[State, Transition | None]:
    """Unknown from the first slot that has no result, if so many are missing that the monitor had gone quiet.

    What was counted before the gap does not count after it: else a streak would span the time that nobody watched.
    """
    last = state.last_slot
    if policy.passive or last is None or result.scheduled_at - last <= policy.quiet_after:
        return state, None
    state = msgspec.structs.replace(state, failures=0, successes=0, unknowns=0, streak_since=None)
    if state.status is Status.UNKNOWN:
        return state, None
    at = max(last + timedelta(seconds=policy.interval_s), state.since)
    message = f"no result from {at:%Y-%m-%d %H:%M:%S} to {result.scheduled_at:%Y-%m-%d %H:%M:%S} UTC"
    transition = Transition(at, result.scheduled_at, state.status, Status.UNKNOWN, "quiet", message)
    return msgspec.structs.replace(state, status=Status.UNKNOWN, since=at), transition


def _take_in(state: State, result: Result, policy: Policy) -> tuple[State, Transition | None]:
    failures, successes, unknowns = counts = _count(state, result)
    status, down = _judge(state, counts, result, policy)
    turning = (failures == 1 and state.failures == 0) or (successes == 1 and state.successes == 0)
    streak_since = result.scheduled_at if turning else state.streak_since
    changed = status is not state.status
    settled = result.status is not Status.UNKNOWN and result.status.answers != down
    began = None if status is Status.UNKNOWN else streak_since
    since = max(began or result.scheduled_at, state.since) if changed else state.since
    after = State(  # in their order, for this is done with every result
        status,
        since,
        result.version,
        result.scheduled_at,
        failures,
        successes,
        unknowns,
        None if settled else streak_since,
        down,
        result.reason,
        result.message,
        result.latency_ms,
    )
    if not changed:
        return after, None
    return after, Transition(
        since,
        max(since, result.scheduled_at),
        state.status,
        status,
        result.reason,
        result.message,
        opens=down and not state.down,
        closes=state.down and not down,
    )


def _count(state: State, result: Result) -> tuple[int, int, int]:
    """Failures, successes and unknowns in a row, with `result` counted."""
    if result.status is Status.DOWN:
        return state.failures + 1, 0, 0
    if result.status is Status.UNKNOWN:
        return state.failures, state.successes, state.unknowns + 1
    return 0, state.successes + 1, 0


def _judge(state: State, counts: tuple[int, int, int], result: Result, policy: Policy) -> tuple[Status, bool]:
    """The status that the counts amount to, and whether an incident is open."""
    failures, successes, unknowns = counts
    if result.status is Status.UNKNOWN:
        return (Status.UNKNOWN if unknowns >= policy.failure_threshold else state.status), state.down
    if result.status is Status.DOWN:
        if state.down or failures >= policy.failure_threshold:
            return Status.DOWN, True
        return state.status, False
    if state.down and successes < policy.recovery_threshold:
        return Status.DOWN, True
    return result.status, False
