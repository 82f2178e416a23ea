"""Every monitor for Prometheus, as text. Written by hand: with ten thousand monitors, objects would take a second."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from time import monotonic

from pinguin.db import Pool
from pinguin.store import metrics
from pinguin.store.metrics import Measured
from pinguin.web.database import connection

KEPT_S = 5.0
"""So long an answer is good: of several that scrape at a time, one asks the database."""

_ESCAPED = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})
_UP = {"up": 1, "degraded": 1, "down": 0}

Value = Callable[[Measured], float | None]
FAMILIES: Sequence[tuple[str, str, Value]] = (
    (
        "pinguin_monitor_up",
        "1 while it is up or degraded, 0 while it is down, whatever maintenance there is; absent while nobody knows",
        lambda each: _UP.get(each.real_status),
    ),
    ("pinguin_monitor_since_timestamp_seconds", "When its status began", lambda each: each.since),
    (
        "pinguin_monitor_latency_seconds",
        "Of its last check that was answered",
        lambda each: None if each.latency_ms is None else each.latency_ms / 1000,
    ),
    (
        "pinguin_monitor_uptime_ratio",
        "Of the last 24 hours, weighted by time; absent where nothing was monitored",
        lambda each: each.uptime,
    ),
    ("pinguin_monitor_last_check_timestamp_seconds", "When its newest result was due", lambda each: each.last_slot),
    (
        "pinguin_monitor_certificate_expiry_timestamp_seconds",
        "When the certificate ends that it saw last",
        lambda each: each.certificate,
    ),
    (
        "pinguin_monitor_domain_expiry_timestamp_seconds",
        "When the registration ends that it saw last",
        lambda each: each.domain,
    ),
)


@dataclass(slots=True)
class MonitorMetrics:
    """What was answered last, and when."""

    _text: bytes = b""
    _at: float | None = None
    _asking: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def text(self, pool: Pool) -> bytes:
        async with self._asking:
            if self._at is None or monotonic() - self._at > KEPT_S:
                async with connection(pool) as conn:
                    found = await metrics.monitors(conn)
                self._text, self._at = "".join(lines(found)).encode(), monotonic()
        return self._text


def lines(monitors: Sequence[Measured]) -> Iterator[str]:
    """The exposition format, version 0.0.4."""
    labels = [_labels(each) for each in monitors]
    yield "# HELP pinguin_monitor_status 1 for the status that people see\n# TYPE pinguin_monitor_status gauge\n"
    for each, named in zip(monitors, labels, strict=True):
        yield f'pinguin_monitor_status{{{named},status="{each.status}"}} 1\n'
    for name, about, value in FAMILIES:
        yield f"# HELP {name} {about}\n# TYPE {name} gauge\n"
        for each, named in zip(monitors, labels, strict=True):
            if (number := value(each)) is not None:
                yield f"{name}{{{named}}} {number!r}\n"


def _labels(each: Measured) -> str:
    return f'id="{each.id}",name="{each.name.translate(_ESCAPED)}",type="{each.type.translate(_ESCAPED)}"'
