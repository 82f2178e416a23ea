"""Judges what was seen by the conditions, and says what that amounts to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from pinguin.checks.conditions.comparing import COMPARE
from pinguin.checks.conditions.parts import MISSING, Condition, Finding, Missing, Several, Unreadable
from pinguin.checks.conditions.telling import sentence, short, shown
from pinguin.checks.engine import jsonpath
from pinguin.checks.engine.pattern import Pattern
from pinguin.errors import CheckFailed

MOST_TOLD = 3

See = Callable[[Condition], Any]


def effort(conditions: Iterable[Condition]) -> int:
    """What judging may cost at worst, in steps of some nanoseconds for each byte that is looked at. TRAP 19"""
    return max(map(_effort, conditions), default=1)


def _effort(condition: Condition) -> int:
    steps = condition.expected.steps if isinstance(condition.expected, Pattern) else 1
    if isinstance(condition.argument, jsonpath.Path):
        steps = max(steps, 10 if condition.argument.singular else 100)
    return steps


def judge(conditions: Iterable[Condition], see: See) -> list[Finding]:
    """Every condition against what `see` gives for it; but nothing of one that is met and that nobody typed."""
    found = []
    for each in conditions:
        value = see(each)
        if each.line or not _is_plainly_met(each, value):
            found.append(_judge(each, value))
    return found


def report(findings: Sequence[Finding], evidence: dict[str, Any], latency_ms: float) -> tuple[str, str] | None:
    """Put the findings on what was typed into the evidence, and say what they amount to.

    Raises CheckFailed where a condition is not met; gives (reason, message) where only those that warn are not.
    """
    if not findings:
        return None  # nearly always
    typed = [finding.facts() for finding in findings if finding.condition.line]
    if typed:
        evidence["conditions"] = typed
    unmet = [finding for finding in findings if not finding.met]
    failed = [finding for finding in unmet if not finding.condition.warns]
    if failed:
        raise CheckFailed(failed[0].condition.subject.reason, _told(failed), latency_ms=latency_ms)
    return (unmet[0].condition.subject.reason, _told(unmet)) if unmet else None


def _told(findings: Sequence[Finding]) -> str:
    more = len(findings) - MOST_TOLD
    rest = [f"{more} more"] if more > 0 else []
    return "; ".join([finding.sentence for finding in findings[:MOST_TOLD]] + rest)


def _is_plainly_met(condition: Condition, value: Any) -> bool:
    """Of a condition on a single value that is there."""
    return not (condition.measures_length or isinstance(value, (Missing, Several))) and _as_expected(condition, value)


def _judge(condition: Condition, value: Any) -> Finding:
    if condition.measures_length:
        value = _length_of(value)
    elif isinstance(value, Several) and not value:
        value = MISSING
    if isinstance(value, Missing):
        # What is not there contains nothing, and equals nothing; what cannot be read may be anything.
        met = condition.negated and not isinstance(value, Unreadable)
        return Finding(condition, value.words, met, "" if met else sentence(condition, value.words, "{name} is {seen}"))
    met = _as_expected(condition, value)
    seen = shown(condition, value)
    return Finding(condition, seen, met, "" if met else sentence(condition, seen))


def _as_expected(condition: Condition, value: Any) -> bool:
    if condition.operator == "exists":
        return not condition.negated
    compare = COMPARE[condition.operator]
    if isinstance(value, Several):
        return all(compare(each, condition.expected) != condition.negated for each in value)
    return compare(value, condition.expected) != condition.negated


def _length_of(value: Any) -> Any:
    if isinstance(value, Missing):
        return value
    return len(value) if isinstance(value, (str, list, dict)) else Unreadable(f"{short(value)}, which has no length")
