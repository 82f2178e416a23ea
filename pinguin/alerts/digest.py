"""Many items in one message: counted, grouped by what they have in common, and bounded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Sequence
from datetime import datetime
from typing import TypeVar

from pinguin.alerts.contract import KINDS, Item, Message
from pinguin.alerts.sheet import LONGEST_SUBJECT, Fact, Group, Link, Sheet, footer
from pinguin.alerts.voices import OPENING, entry, tone, voice_of
from pinguin.alerts.words import ago, exact, one_line

K = TypeVar("K", bound=Hashable)

MOST_LINES = 100
"""Lines of a digest; how many more there are is said below them."""
NAMED = 3
"""Monitors that the subject of a digest names."""

_ORDER = {kind: place for place, kind in enumerate(KINDS)}


def digest(message: Message) -> Sheet:
    items = in_order(message.items)
    groups, more = _bounded(list(_groups(items, message.sent_at)))
    subject = one_line(_subject(items), LONGEST_SUBJECT)
    base = message.base_url.rstrip("/")
    return Sheet(
        subject=subject,
        title=subject,
        tone=tone(items[0]),
        facts=[Fact("When", _when(items, message.sent_at))],
        groups=groups,
        more=more,
        links=[Link("Open in Pinguin", f"{base}/incidents")] if base else [],
        footer=footer(message),
    )


def in_order(items: Sequence[Item]) -> list[Item]:
    """The gravest first."""
    return sorted(items, key=lambda item: (_ORDER.get(item.kind, len(_ORDER)), item.monitor.lower()))


def _matter(item: Item) -> str:
    """DOWN, WAS DOWN, UP, …: what the lines of one heading share."""
    said = voice_of(item)
    return f"WAS {said.state.upper()}" if item.ended_at and item.kind in OPENING else said.word


def _subject(items: Sequence[Item]) -> str:
    """50 DOWN, 3 UP: 45 of them share the host db1 (or the names of some)"""
    counts = Counter(map(_matter, items))
    head = ", ".join(f"{number} {matter}" for matter, number in counts.items())
    cause, shared = Counter(item.cause for item in items).most_common(1)[0]
    if cause and shared * 2 >= len(items):
        return f"{head}: {cause}"
    names = ", ".join(one_line(item.monitor, 40) for item in items[:NAMED])
    more = len(items) - NAMED
    return f"{head}: {names}" + (f" and {more} more" if more > 0 else "")


def _when(items: Sequence[Item], now: datetime) -> str:
    first, last = min(item.at for item in items), max(item.at for item in items)
    if (last - first).total_seconds() < 1:
        return f"{exact(first)} ({ago(first, now)})"
    return f"{exact(first)} to {exact(last)} ({ago(last, now)})"


def _groups(items: Sequence[Item], now: datetime) -> Iterator[Group]:
    """By what is the matter, then by what its items have in common; those with most in common first."""
    for matter, same in _by(items, _matter):
        causes = sorted(_by(same, lambda item: item.cause), key=lambda found: (found[0] is None, -len(found[1])))
        for cause, found in causes:
            words = one_line(cause, 200) if cause else ("others" if len(causes) > 1 else "")
            heading = f"{matter} ({len(found)})" + (f": {words}" if words else "")
            yield Group(heading, tone(found[0]), [entry(item, now) for item in found])


def _by(items: Sequence[Item], key: Callable[[Item], K]) -> list[tuple[K, list[Item]]]:
    """In the order in which the keys come."""
    found: dict[K, list[Item]] = {}
    for item in items:
        found.setdefault(key(item), []).append(item)
    return list(found.items())


def _bounded(groups: Sequence[Group]) -> tuple[list[Group], int]:
    """At most `MOST_LINES` lines, and how many there are beyond them."""
    kept, left = [], MOST_LINES
    for group in groups:
        if left > 0:
            kept.append(Group(group.heading, group.tone, group.lines[:left]))
            left -= len(kept[-1].lines)
    return kept, sum(len(group.lines) for group in groups) - sum(len(group.lines) for group in kept)
