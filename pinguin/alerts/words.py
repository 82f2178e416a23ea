"""Times, durations and reasons as somebody reads them who was woken by them. All times are in UTC, and say so."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from pinguin.alerts.contract import Item
from pinguin.model import PHASES, REASONS

_UNITS = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))
_PHASE_WORDS = {"dns": "name look-up", "tls": "TLS", "first_byte": "first byte"}


def duration(seconds: float) -> str:
    """The two largest units: 45 s, 3 min 20 s, 2 h 5 min, 12 d 4 h."""
    left = max(0, round(seconds))
    counts: list[tuple[int, str]] = []
    for size, unit in _UNITS:
        count, left = divmod(left, size)
        if count or counts:
            counts.append((count, unit))
    return " ".join(f"{count} {unit}" for count, unit in counts[:2] if count) or "0 s"


def milliseconds(ms: float) -> str:
    """0.4 ms, 84 ms, 1.24 s."""
    if ms >= 999.5:
        return f"{ms / 1000:.2f} s"
    return f"{ms:.0f} ms" if ms >= 9.95 else f"{ms:.1f} ms"


def exact(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def day(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d")


def clock(moment: datetime, now: datetime) -> str:
    """12:00 UTC; with the date where that is not today's."""
    return _short(moment, now) + " UTC"


def span(start: datetime, end: datetime, now: datetime) -> str:
    """12:00–12:07 UTC (7 min); with seconds where both are in one minute, with dates where they are not today's."""
    start, end = start.astimezone(UTC), end.astimezone(UTC)
    length = duration((end - start).total_seconds())
    form = "%H:%M:%S" if (end - start).total_seconds() < 60 else "%H:%M"
    if start.date() == end.date():
        date = "" if end.date() == now.astimezone(UTC).date() else f"{day(start)} "
        return f"{date}{start.strftime(form)}–{end.strftime(form)} UTC ({length})"
    return f"{day(start)} {start.strftime(form)} – {day(end)} {end.strftime(form)} UTC ({length})"


def ago(moment: datetime, now: datetime) -> str:
    seconds = (now - moment).total_seconds()
    return "just now" if seconds < 5 else f"{duration(seconds)} ago"


def why(item: Item) -> str:
    """The reason in a sentence; empty where there is none."""
    if item.message:
        return one_line(item.message)
    return REASONS.get(item.reason, item.reason) if item.reason else ""


def ends(item: Item, now: datetime) -> str:
    """Of a certificate or a domain: ends in 7 days, on 2026-01-08."""
    days = item.days_left
    if days is None and item.expires_at is not None:
        days = (item.expires_at - now).days
    if days is None:
        return why(item) or "ends soon"
    on = f", on {day(item.expires_at)}" if item.expires_at else ""
    if days < 0:
        return f"ended {_days(-days)} ago{on}"
    return (f"ends in {_days(days)}" if days else "ends within a day") + on


def phases(times: Mapping[str, float]) -> str:
    """name look-up 3 ms, connect 12 ms, TLS 20 ms, …"""
    known = [(_PHASE_WORDS.get(phase, phase), times[phase]) for phase in PHASES if phase in times]
    return ", ".join(f"{word} {milliseconds(ms)}" for word, ms in known)


def certificate(facts: Mapping[str, Any]) -> str:
    """The subject, issuer and end of a certificate, as far as a check found them."""
    subject, issuer, end = (facts.get(name) for name in ("subject", "issuer", "not_after"))
    parts = [one_line(str(subject))] if subject else []
    parts += [f"issued by {one_line(str(issuer))}"] if issuer else []
    parts += [f"valid until {_date(str(end))}"] if end else []
    return ", ".join(parts)


def one_line(text: str, longest: int = 500) -> str:
    """`text` without line breaks and control characters."""
    words = " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
    return words if len(words) <= longest else words[: longest - 1] + "…"


def count(number: int, word: str) -> str:
    return f"{number} {word}" + ("" if number == 1 else "s")


def _date(text: str) -> str:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return one_line(text, 40)
    return exact(moment if moment.tzinfo else moment.replace(tzinfo=UTC))


def _days(number: int) -> str:
    return count(number, "day")


def _short(moment: datetime, now: datetime) -> str:
    moment = moment.astimezone(UTC)
    return moment.strftime("%H:%M" if moment.date() == now.astimezone(UTC).date() else "%Y-%m-%d %H:%M")
