"""What a chart of latency shows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Latency:
    """Checks in all, good ones (fine: up or degraded), and the latency of those that have one (good), in ms.

    …_ms: what a phase takes in the mean. None where no check was good.
    """

    checks: int
    fine: int
    down: int
    good: int
    p50: float | None
    p95: float | None
    p99: float | None
    dns_ms: float | None
    connect_ms: float | None
    tls_ms: float | None
    first_byte_ms: float | None
    transfer_ms: float | None


@dataclass(frozen=True, slots=True)
class Bucket(Latency):
    """The checks from `at` on, for one bucket's time."""

    at: datetime
