"""What was seen, and what is wrong with it, in words."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from pinguin.checks.conditions.parts import SEEN, Condition
from pinguin.checks.counting import counted
from pinguin.checks.engine.stopwatch import in_words
from pinguin.checks.evidence import text

LONGEST_SHOWN = 100


def sentence(condition: Condition, seen: str, says: str = "") -> str:
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


def shown(condition: Condition, value: Any) -> str:
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
    return short(value)


def short(value: Any) -> str:
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
