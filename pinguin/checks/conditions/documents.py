"""JSON in bodies, as several check types look at it."""

from __future__ import annotations

from typing import Any

import msgspec

from pinguin.checks.conditions.parts import MISSING, Missing, Several, Unreadable
from pinguin.checks.engine import jsonpath

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
