"""A monitor for each target, with what its check must find."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from pinguin.checks.ping import icmp_permission
from pinguin.demo import ports
from pinguin.demo.ports import HOST
from pinguin.demo.targets import KNOWN_ADDRESS, KNOWN_NAME
from pinguin.model import Status


@dataclass(frozen=True, slots=True)
class DemoMonitor:
    """What to watch, and what comes of it. `options` are plain JSON types, for `CheckType.parse`."""

    name: str
    type: str
    options: dict[str, Any]
    status: Status
    reason: str | None = None
    tags: list[str] = field(default_factory=lambda: ["demo"])
    interval_s: int = 20
    timeout_s: int = 5


def demo_monitors(base_port: int) -> list[DemoMonitor]:
    """The demo's monitors, for targets behind `base_port`."""
    ports.check_base(base_port)
    return [*_web(base_port), *_certificates(base_port), *_network(base_port)]


def _web(base_port: int) -> list[DemoMonitor]:
    pages = f"http://{HOST}:{base_port + ports.PAGES}"
    hung = f"http://{HOST}:{base_port + ports.MUTE}/"
    tags = ["demo", "web"]
    well = {"url": f"{pages}/content", "keyword": "All is well"}
    return [
        DemoMonitor("Steady page", "http", {"url": f"{pages}/steady", "keyword": "All is well"}, Status.UP, tags=tags),
        DemoMonitor("Slow page", "http", {"url": f"{pages}/slow", "slow_ms": 200}, Status.DEGRADED, "slow", tags=tags),
        # Up for 40 s, then down for 20 s, and so on; up when the demo starts.
        DemoMonitor("Flapping page", "http", {"url": f"{pages}/flapping"}, Status.UP, tags=tags, interval_s=10),
        DemoMonitor("Page with the wrong content", "http", well, Status.DOWN, "body", tags=tags),
        DemoMonitor("Broken page (503)", "http", {"url": f"{pages}/broken"}, Status.DOWN, "status", tags=tags),
        DemoMonitor("Page that never answers", "http", {"url": hung}, Status.DOWN, "timeout", tags=tags, timeout_s=2),
    ]


def _certificates(base_port: int) -> list[DemoMonitor]:
    def url(port: int) -> dict[str, Any]:
        return {"url": f"https://{HOST}:{base_port + port}/"}

    tags = ["demo", "certificates"]
    # Its authority is made anew at each start, so nobody can trust it beforehand; the dates count all the same.
    ending = {**url(ports.EXPIRING), "verify_tls": False}
    return [
        DemoMonitor("Certificate near its end", "http", ending, Status.DEGRADED, "certificate_expiry", tags=tags),
        DemoMonitor("Expired certificate", "http", url(ports.EXPIRED), Status.DOWN, "certificate", tags=tags),
        DemoMonitor("Self-signed certificate", "http", url(ports.SELF_SIGNED), Status.DOWN, "certificate", tags=tags),
    ]


def _network(base_port: int) -> list[DemoMonitor]:
    closed = {"host": HOST, "port": base_port + ports.CLOSED}
    banner = {"host": HOST, "port": base_port + ports.BANNER, "expect": "ESMTP ready"}
    resolver = f"{HOST}:{base_port + ports.NAMES}"
    known = {"name": KNOWN_NAME.rstrip("."), "resolver": resolver, "expected": [KNOWN_ADDRESS]}
    unknown = {"name": "gone.demo.test", "resolver": resolver}
    tags = ["demo", "network"]
    return [
        DemoMonitor("Mail server's greeting", "tcp", banner, Status.UP, tags=tags),
        DemoMonitor("Closed port", "tcp", closed, Status.DOWN, "refused", tags=tags),
        DemoMonitor("Name with an address", "dns", known, Status.UP, tags=tags),
        DemoMonitor("Name that does not exist", "dns", unknown, Status.DOWN, "dns", tags=tags),
        _ping(tags),
    ]


def _ping(tags: list[str]) -> DemoMonitor:
    """Whether it works is for the kernel to say: `pinguin doctor` tells what to do."""
    status, reason = (Status.UNKNOWN, "permission") if icmp_permission() else (Status.UP, None)
    return DemoMonitor("This machine", "ping", {"host": HOST}, status, reason, tags=tags)
