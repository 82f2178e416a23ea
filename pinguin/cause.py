"""What monitors that fail together have in common: the most telling trait, in a sentence with numbers. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from pinguin.model import REASONS


@dataclass(frozen=True, slots=True)
class Failure:
    """A monitor that failed: when its outage began, and the code of its reason."""

    monitor_id: int
    at: datetime
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Shared:
    """A trait: which of the failed monitors have it, and of how many monitors in all it is one.

    kind: one of `KINDS`. value: the host, the tag, …
    """

    kind: str
    value: str
    monitor_ids: frozenset[int]
    of: int


@dataclass(frozen=True, slots=True)
class Facts:
    """failures: all that failed at about the same time. monitors: how many monitors there are."""

    failures: Sequence[Failure]
    shared: Sequence[Shared]
    monitors: int


@dataclass(frozen=True, slots=True)
class Guess:
    """What they probably failed of, in a sentence; and who of them."""

    words: str
    monitor_ids: frozenset[int]

    def __str__(self) -> str:
        return self.words


@dataclass(frozen=True, slots=True)
class _Words:
    """How a trait is said: monitors `who`, and that no `other` failed."""

    who: str
    other: str


KINDS = {
    "dependency": _Words("that are, or depend on, {}", "other monitor"),
    "host": _Words("on host {}", "other host"),
    "address": _Words("at address {}", "other address"),
    "resolver": _Words("that ask resolver {}", "other resolver's"),
    "issuer": _Words("with a certificate by {}", "other authority's"),
    "region": _Words("checked from {}", "other region's"),
    "tag": _Words("tagged {}", "monitor without that tag"),
}
"""Traits, what says most first: of two that tell the same, the first is said."""

LIKELY = 0.5
"""How well a trait must fit: harmonic mean of how many of the failed have it, and how many of those with it failed."""
CHANCE = 0.01
"""How likely it may be at most that so many have it by chance, all traits that were looked at taken together."""
FEW = 3
"""Of fewer failures a common reason, or that nothing else was left, says nothing."""
LONGEST = 80


def guess(facts: Facts) -> Guess | None:
    """The trait that tells most, or None where nothing does.

    "12 of 12 monitors on host db1.example failed within 40 s; no other host did"
    """
    failures = _first_of_each(facts.failures)
    if len(failures) < 2:
        return None
    total = max(facts.monitors, len(failures))
    if len(failures) == total:
        return _everything(failures)
    telling = [
        (_fit(each, failures), each) for each in facts.shared if _tells(each, failures, total, len(facts.shared))
    ]
    if not telling:
        return _same_reason(failures)
    order = list(KINDS)
    _, found = min(telling, key=lambda one: (-round(one[0], 3), order.index(one[1].kind), one[1].value))
    return _say(found, failures)


def _first_of_each(failures: Iterable[Failure]) -> dict[int, Failure]:
    found: dict[int, Failure] = {}
    for failure in sorted(failures, key=lambda each: (each.at, each.reason), reverse=True):
        found[failure.monitor_id] = failure
    return found


def _fit(trait: Shared, failures: dict[int, Failure]) -> float:
    have = len(trait.monitor_ids & failures.keys())
    return 2 * have / (len(failures) + max(trait.of, have))


def _tells(trait: Shared, failures: dict[int, Failure], total: int, looked_at: int) -> bool:
    have = len(trait.monitor_ids & failures.keys())
    if have < 2 or 2 * have < len(failures) or _fit(trait, failures) < LIKELY:
        return False
    return _by_chance(have, min(max(trait.of, have), total), len(failures), total) * looked_at <= CHANCE


def _by_chance(have: int, with_it: int, failed: int, total: int) -> float:
    """How likely `have` or more of `failed` monitors, drawn blindly from `total`, are among the `with_it`."""
    least, most = max(have, failed - (total - with_it)), min(with_it, failed)
    ways = (_log_ways(with_it, k) + _log_ways(total - with_it, failed - k) for k in range(least, most + 1))
    return math.fsum(math.exp(each - _log_ways(total, failed)) for each in ways)


def _log_ways(of: int, taken: int) -> float:
    return math.lgamma(of + 1) - math.lgamma(taken + 1) - math.lgamma(of - taken + 1)


def _say(trait: Shared, failures: dict[int, Failure]) -> Guess:
    words, ids = KINDS[trait.kind], trait.monitor_ids & failures.keys()
    others = len(failures) - len(ids)
    rest = f"no {words.other} did" if not others else f"{others} other{'s' if others > 1 else ''} did"
    who = words.who.format(_one_line(trait.value))
    span = _span([failures[each] for each in ids])
    return Guess(f"{len(ids)} of {max(trait.of, len(ids))} monitors {who} failed {span}; {rest}", frozenset(ids))


def _everything(failures: dict[int, Failure]) -> Guess | None:
    if len(failures) < FEW:
        return None
    return Guess(f"all {len(failures)} monitors failed {_span(failures.values())}", frozenset(failures))


def _same_reason(failures: dict[int, Failure]) -> Guess | None:
    reason = next(iter(failures.values())).reason
    if len(failures) < FEW or not reason or any(each.reason != reason for each in failures.values()):
        return None
    words = REASONS.get(reason, _one_line(reason))
    span = _span(failures.values())
    return Guess(f"all {len(failures)} that failed {span} did for the same reason: {words}", frozenset(failures))


def _span(failures: Iterable[Failure]) -> str:
    times = [each.at for each in failures]
    seconds = math.ceil((max(times) - min(times)).total_seconds())
    if seconds < 1:
        return "in the same second"
    return f"within {seconds} s" if seconds < 120 else f"within {math.ceil(seconds / 60)} min"


def _one_line(value: str) -> str:
    plain = "".join(each if each.isprintable() else "\ufffd" for each in value)
    return plain if len(plain) <= LONGEST else plain[: LONGEST - 1] + "…"
