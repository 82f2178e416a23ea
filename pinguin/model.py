"""The words of Pinguin as types, and the state machine. No clock, no I/O."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

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
    "protocol": "the answer is not what the protocol allows",
    "status": "the status code is not an accepted one",
    "redirect": "too many redirects, or one that leads nowhere",
    "body": "the content is not what was asked for",
    "too_large": "the answer is larger than the limit",
    "packet_loss": "too many packets were lost",
    "answer": "the answer is not the expected one",
    "slow": "slower than the limit",
    "options": "the monitor's options are not valid",
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


@dataclass(frozen=True, slots=True)
class Job:
    """A slot sent to a region's queue. `attempt` counts the times that the same slot was handed out."""

    monitor_id: int
    slot: int  # seconds since 1970, UTC
    version: int
    attempt: int
    region: str

    @property
    def scheduled_at(self) -> datetime:
        return datetime.fromtimestamp(self.slot, UTC)


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
