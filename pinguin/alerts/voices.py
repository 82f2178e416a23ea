"""How each kind of item speaks: the word that leads, and the sentence after it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from pinguin.alerts.contract import Item
from pinguin.alerts.words import clock, duration, ends, one_line, span, why

Tone = Literal["bad", "warn", "good", "plain"]

LATE = timedelta(minutes=5)
"""From then on the subject itself says since when."""


@dataclass(frozen=True, slots=True)
class Voice:
    """word: leads the subject. state: what is (or was) the matter; empty where it is neither begun nor ended."""

    word: str
    tone: Tone
    state: str = ""


OPENING: Mapping[str, Voice] = {
    "down": Voice("DOWN", "bad", "down"),
    "unknown": Voice("UNKNOWN", "warn", "unknown"),
    "flapping": Voice("FLAPPING", "warn", "flapping"),
    "degraded": Voice("DEGRADED", "warn", "degraded"),
    "slow": Voice("SLOW", "warn", "slow"),
    "pipeline": Voice("PINGUIN", "bad", "in trouble"),
}
CLOSING: Mapping[str, Voice] = {
    "up": Voice("UP", "good", "down"),
    "known": Voice("KNOWN AGAIN", "good", "unknown"),
    "stable": Voice("STABLE", "good", "flapping"),
    "ok": Voice("OK", "good", "degraded"),
    "fast": Voice("FAST AGAIN", "good", "slow"),
    "pipeline_over": Voice("PINGUIN OK", "good", "in trouble"),
}
REMINDER = Voice("STILL DOWN", "bad", "down")
EXPIRY: Mapping[str, Voice] = {
    "certificate": Voice("CERTIFICATE", "warn"),
    "domain": Voice("DOMAIN", "warn"),
}
TEST = Voice("TEST", "plain")
RESOLVED = Voice("RESOLVED", "plain", "down")
"""By hand: somebody says so, and no check."""


def voice(kind: str) -> Voice:
    if kind == "reminder":
        return REMINDER
    found = OPENING.get(kind) or CLOSING.get(kind) or EXPIRY.get(kind)
    return found or (TEST if kind == "test" else Voice(kind.replace("_", " ").upper(), "plain"))


def voice_of(item: Item) -> Voice:
    return RESOLVED if item.resolved_by else voice(item.kind)


def tone(item: Item) -> Tone:
    """What is over is no alarm any more."""
    return "plain" if item.ended_at and item.kind in OPENING else voice_of(item).tone


def headline(item: Item, now: datetime) -> str:
    """The subject of one item: `DOWN shop: connection refused by 10.0.0.5:443 after 3 ms`."""
    return _line(item, now, one_line(item.monitor, 80))


def entry(item: Item, now: datetime) -> str:
    """The same as a line of a digest, below the heading that says what is the matter."""
    name, told = one_line(item.monitor, 80), one_line(why(item), 160)
    if item.kind in OPENING or item.kind == "reminder":
        when = span(item.at, item.ended_at, now) if item.ended_at else f"since {clock(item.at, now)}"
        return f"{name}: {when}" + (f", {told}" if told else "")
    return f"{name}: {_sentence(item, now)}"


def _line(item: Item, now: datetime, name: str) -> str:
    words, told = voice_of(item).word, why(item)
    if item.kind in OPENING and item.ended_at:
        what = "WAS DOWN" if item.kind == "down" else f"WAS {voice(item.kind).state.upper()}"
        return _joined(f"{what} {name} {span(item.at, item.ended_at, now)}", told)
    if item.kind == "reminder":
        return _joined(f"{words} {name}{_for(item, now)}", told)
    if item.kind in OPENING:
        since = f" since {clock(item.at, now)}" if now - item.at >= LATE else ""
        return _joined(f"{words} {name}{since}", told)
    return f"{words} {name}: {_sentence(item, now)}"


def _sentence(item: Item, now: datetime) -> str:
    """What comes behind the name of something that is over, ends, or is only a try."""
    if item.kind in EXPIRY:
        return ends(item, now)
    if item.kind in CLOSING:
        return _over(item, now)
    return why(item) or ("this channel works" if item.kind == "test" else clock(item.at, now))


def _over(item: Item, now: datetime) -> str:
    """was down 12:00–12:07 UTC (7 min)"""
    state = voice(item.kind).state
    if item.duration_s is None:
        return f"no longer {state}, since {clock(item.at, now)}"
    by = f", resolved by {one_line(item.resolved_by, 80)}" if item.resolved_by else ""
    return f"was {state} {span(item.at - timedelta(seconds=item.duration_s), item.at, now)}{by}"


def _for(item: Item, now: datetime) -> str:
    return f" for {duration(_lasts(item, now))}"


def _lasts(item: Item, now: datetime) -> float:
    """Seconds that it has lasted now, which may be longer than when the facts were gathered."""
    return max(item.duration_s or 0.0, (now - item.at).total_seconds())


def _joined(head: str, told: str) -> str:
    return f"{head}: {told}" if told else head
