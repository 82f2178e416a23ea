"""When what a check saw runs out: a certificate, a registration. Read from the evidence of results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from time import monotonic
from typing import Any

import msgspec

from pinguin.model import Result

AGAIN_S = 3600.0
"""What has not changed is written again after so long: that says it is still seen, and mends what was rolled back."""
MOST = 50_000
"""Entries that are remembered."""


class Expiry(msgspec.Struct, frozen=True):
    """kind: certificate or domain. expires_at: as the evidence has it, ISO 8601."""

    monitor_id: int
    version: int
    kind: str
    expires_at: str
    subject: str


class Expiries:
    """What this process wrote lately, so that what has not changed costs no statement."""

    def __init__(self) -> None:
        self._written: dict[tuple[int, str, int], tuple[str, float]] = {}

    def news(self, results: Sequence[Result]) -> list[Expiry]:
        """What is to be written of these results, at most one of a monitor and kind; taken for written from now on."""
        found: dict[tuple[int, str], Expiry] = {}
        for result in results:
            evidence = result.evidence
            if "chain" in evidence or "domain" in evidence:
                for expiry in _seen(result):
                    if self._is_new(expiry):
                        found[expiry.monitor_id, expiry.kind] = expiry
        return [found[key] for key in sorted(found)]

    def _is_new(self, expiry: Expiry) -> bool:
        key, now = (expiry.monitor_id, expiry.kind, expiry.version), monotonic()
        known = self._written.get(key)
        if known is not None and known[0] == expiry.expires_at and now - known[1] < AGAIN_S:
            return False
        if len(self._written) >= MOST:
            self._written.clear()
        self._written[key] = (expiry.expires_at, now)
        return True


def _seen(result: Result) -> list[Expiry]:
    """The certificate of the chain that ends first, and the registration."""
    monitor_id, version, evidence = result.monitor_id, result.version, result.evidence
    seen = []
    links = [link for link in evidence.get("chain") or () if link.get("not_after")]
    if links:
        first = links[0] if len(links) == 1 else min(links, key=_not_after)
        seen.append(Expiry(monitor_id, version, "certificate", first["not_after"], first.get("subject", "")))
    domain = evidence.get("domain")
    if domain and domain.get("expires_at"):
        seen.append(Expiry(monitor_id, version, "domain", domain["expires_at"], domain.get("name", "")))
    return seen


def _not_after(link: Mapping[str, Any]) -> str:
    """ISO 8601 in UTC sorts as text."""
    return str(link["not_after"])
