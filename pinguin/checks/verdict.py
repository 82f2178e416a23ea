"""What several check types judge alike."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from ipaddress import IPv6Address

from pinguin.checks.counting import counted
from pinguin.checks.engine.certificate import now
from pinguin.checks.engine.chain import Link
from pinguin.checks.engine.stopwatch import in_words


def too_slow(latency_ms: float, slow_ms: int) -> tuple[str, str] | None:
    """Why an answering target is degraded, where it took longer than `slow_ms`; 0 is no limit."""
    if not slow_ms or latency_ms <= slow_ms:
        return None
    took, most = in_words(latency_ms), in_words(slow_ms)
    return (
        "slow",
        f"took {took}, more than {most}" if took != most else f"took {latency_ms:.2f} ms, more than {slow_ms} ms",
    )


def wrong_host(host: str) -> str | None:
    """What is wrong with a name or address that somebody entered, or None."""
    if "://" in host:
        return "must be a name or an address alone, without http:// or the like"
    if any(letter.isspace() or ord(letter) < 33 or letter in "/?#@[],;*" for letter in host):
        return "must be a name or an address alone"
    if host.count(":") == 1:
        return "must be a name or an address alone, without a port"
    if ":" in host and not _is_ipv6(host):
        return "is not a valid address"
    if "%" in host and ":" not in host:
        return "is not a valid name"
    if host.startswith(".") or ".." in host or not host or any(len(label) > 63 for label in host.split(".")):
        return "is not a valid name"
    return None


def _is_ipv6(host: str) -> bool:
    try:
        zone = IPv6Address(host).scope_id
    except ValueError:
        return False
    return ":" not in (zone or "")


def soon_over(chain: Sequence[Link], days: int) -> tuple[str, str] | None:
    """Why a chain whose first certificate to end has fewer than `days` left is degraded; 0 is no limit."""
    if not days or not chain:
        return None
    link = min(chain, key=lambda each: each.not_after)
    left = link.days_left(now())
    if left >= days:
        return None
    return ("certificate_expiry", f"the certificate {link.subject} {ending(link.not_after, left)}")


def ending(day: datetime, left: int) -> str:
    """`ends in 4 days, on 2026-11-28`. left: negative once it is over."""
    told = f"expired {counted(-left, 'day')} ago" if left < 0 else f"ends in {counted(left, 'day')}"
    return f"{told}, on {day:%Y-%m-%d}"
