"""The operators of conditions, by how they are written."""

from __future__ import annotations

import json
import operator
from collections.abc import Callable, Sequence
from typing import Any


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


COMPARE: dict[str, Callable[[Any, Any], bool]] = {
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
