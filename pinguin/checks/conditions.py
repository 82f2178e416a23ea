"""Conditions: what somebody expects of an answer, one a line, in words that a person likes to type.

    status < 400
    header content-type contains json
    body not contains error
    json $.items | length >= 3
    warn time < 500 ms

A line is a subject, an operator and what is expected; `warn` before it makes the target degraded instead of down.
A check type says which subjects it has (`Subject`), reads the lines when the options are read
(`conditions_syntax.parse`), and later gives the value of each (`judge`). Every condition is reported with the value
that was seen.
"""

from __future__ import annotations

import json
import operator
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from pinguin.checks.counting import counted
from pinguin.checks.engine import jsonpath
from pinguin.checks.engine.pattern import Pattern
from pinguin.checks.engine.stopwatch import in_words
from pinguin.checks.evidence import text
from pinguin.errors import CheckFailed

MOST_CONDITIONS = 30
LONGEST_SHOWN = 100
MOST_TOLD = 3

Kind = Literal["number", "ms", "days", "bytes", "text", "json"]


class Missing:
    """The answer has no such thing. words: how that is told."""

    __slots__ = ("words",)

    def __init__(self, words: str = "missing") -> None:
        self.words = words


class Unreadable(Missing):
    """It cannot be looked at (a body that is no JSON): no condition on it is met, not even `missing`."""


MISSING = Missing()
SEEN = "\0"


class Several(list[Any]):
    """The values that a wide path (`*`, `..`, a filter) led to. Each must be as expected."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What a condition may look at.

    kind: of the value, and so of what it is compared with. Values are an int or float ("number"; "ms", "days",
    "bytes": in that unit), a str, or for "json" anything JSON; `MISSING` where there is none.
    argument: "" where there is none, "word" for one word behind the name, "path" for a JSONPath.
    reason: the code of `pinguin.model.REASONS` where a condition on it is not met.
    says: how a value is told; {name}, {seen}. show: a value in words, where the kind's are not enough.
    wide: it is long, or within something long: that must be kept, and a text of it is not told.
    """

    name: str
    kind: Kind
    help: str
    argument: Literal["", "word", "path"] = ""
    reason: str = "answer"
    says: str = "{name} is {seen}"
    wide: bool = False
    show: Callable[[Any], str] | None = None


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition, ready to be judged.

    line: as it was typed, "" for one that stands for another option: it is told only where it is not met.
    expected: typed by the subject's kind. complaint: the sentence where it is not met, with `SEEN` in it; "" for
    the usual one.
    """

    subject: Subject
    operator: str
    expected: Any
    line: str = ""
    argument: Any = None
    measures_length: bool = False
    negated: bool = False
    warns: bool = False
    label: str = ""
    expectation: str = ""
    complaint: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """A condition, what was seen, and whether it is met. sentence: what is wrong, "" where nothing is."""

    condition: Condition
    seen: str
    met: bool
    sentence: str

    def facts(self) -> dict[str, Any]:
        """For the evidence."""
        return {"condition": self.condition.line, "seen": self.seen, "met": self.met}


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
    shown = [finding.facts() for finding in findings if finding.condition.line]
    if shown:
        evidence["conditions"] = shown
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
        return Finding(
            condition, value.words, met, "" if met else _sentence(condition, value.words, "{name} is {seen}")
        )
    met = _as_expected(condition, value)
    seen = _shown(condition, value)
    return Finding(condition, seen, met, "" if met else _sentence(condition, seen))


def _as_expected(condition: Condition, value: Any) -> bool:
    if condition.operator == "exists":
        return not condition.negated
    compare = _COMPARE[condition.operator]
    if isinstance(value, Several):
        return all(compare(each, condition.expected) != condition.negated for each in value)
    return compare(value, condition.expected) != condition.negated


def _length_of(value: Any) -> Any:
    if isinstance(value, Missing):
        return value
    return len(value) if isinstance(value, (str, list, dict)) else Unreadable(f"{_short(value)}, which has no length")


def _sentence(condition: Condition, seen: str, says: str = "") -> str:
    if condition.complaint:
        return condition.complaint.replace(SEEN, seen)
    if condition.subject.wide and condition.subject.kind == "text" and condition.operator in _BODY_WORDS:
        return _body_sentence(condition)
    name = condition.label or condition.subject.name
    return f"{(says or condition.subject.says).format(name=name, seen=seen)}, expected {condition.expectation}"


_BODY_WORDS = {
    "contains": ("contain", "contains"),
    "startswith": ("begin with", "begins with"),
    "endswith": ("end with", "ends with"),
    "matches": ("match", "matches"),
}


def _body_sentence(condition: Condition) -> str:
    """Bodies are too long to be told."""
    plain, third = _BODY_WORDS[condition.operator]
    wanted = text(str(getattr(condition.expected, "source", condition.expected)), LONGEST_SHOWN)
    return f"the body {third if condition.negated else f'does not {plain}'} “{wanted}”"


def _shown(condition: Condition, value: Any) -> str:
    kind = condition.subject.kind
    if condition.measures_length:
        return str(value)
    if condition.subject.show:
        return condition.subject.show(value)
    if kind == "ms":
        words = in_words(value)
        return words if words != in_words(condition.expected) else f"{value:.2f} ms"
    if kind == "days":
        return counted(value, "day")
    if kind == "bytes":
        return "1 byte" if value == 1 else f"{value:,} bytes"
    return _short(value)


def _short(value: Any) -> str:
    """`value` as JSON, not too long; cut before it is written, for it may be large."""
    if isinstance(value, str):
        return json.dumps(text(value, LONGEST_SHOWN), ensure_ascii=False)
    if isinstance(value, (list, dict)):
        few = value[:20] if isinstance(value, list) else {key: value[key] for key in list(value)[:20]}
        whole = msgspec.json.encode(few).decode("utf-8", "replace") if _is_small(few) else "a large value"
        return text(whole, LONGEST_SHOWN)
    return text(json.dumps(value), LONGEST_SHOWN)


def _is_small(value: Any, most: int = 200) -> bool:
    """Whether there are few values in it. Looks at no more than `most`."""
    waiting, seen = [value], 0
    while waiting:
        each = waiting.pop()
        seen += 1 + (len(each) if isinstance(each, (list, dict)) else 0)
        if seen > most or (isinstance(each, str) and len(each) > 2000):
            return False
        waiting.extend(each.values() if isinstance(each, dict) else each if isinstance(each, list) else ())
    return True


def _ordered(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    def both(seen: Any, expected: Any) -> bool:
        if isinstance(seen, bool) or isinstance(seen, str) != isinstance(expected, str):
            return False
        return isinstance(seen, (int, float, str)) and compare(seen, expected)

    return both


def _same(seen: Any, expected: Any) -> bool:
    # In Python 1 == True.
    return isinstance(seen, bool) == isinstance(expected, bool) and bool(seen == expected)


def _within(seen: Any, expected: Sequence[Any]) -> bool:
    if isinstance(expected, tuple):
        return any(low <= seen <= high for low, high in expected)
    return any(_same(seen, each) for each in expected)


def _contains(seen: Any, expected: Any) -> bool:
    if isinstance(seen, str):  # a text needs no quotes, and 404 is one as well
        return (expected if isinstance(expected, str) else json.dumps(expected)) in seen
    if isinstance(seen, dict):
        return isinstance(expected, str) and expected in seen
    return isinstance(seen, list) and any(_same(each, expected) for each in seen)


_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "==": _same,
    "!=": lambda seen, expected: not _same(seen, expected),
    "<": _ordered(operator.lt),
    "<=": _ordered(operator.le),
    ">": _ordered(operator.gt),
    ">=": _ordered(operator.ge),
    "in": _within,
    "contains": _contains,
    "startswith": lambda seen, expected: isinstance(seen, str) and seen.startswith(expected),
    "endswith": lambda seen, expected: isinstance(seen, str) and seen.endswith(expected),
    "matches": lambda seen, expected: isinstance(seen, str) and expected.found_in(seen),
}


# Values that several check types see alike


MOST_JSON = 10_000_000


def read_json(body: bytes) -> Any:
    """The document in `body`, or `Unreadable`."""
    if len(body) > MOST_JSON:
        return Unreadable(f"in a body of more than {MOST_JSON:,} bytes")
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return Unreadable("in a body that is not JSON")


def at(document: Any, where: jsonpath.Path) -> Any:
    """What `where` leads to in what `read_json` gave, for `see` to give."""
    if isinstance(document, Missing):
        return document
    try:
        found = where.values(document)
    except jsonpath.TooMuch as error:
        return Unreadable(f"unknown: {where.source} {error}")
    if where.singular:
        return found[0] if found else MISSING
    return Several(found)
