"""Headers of HTTP among options."""

from __future__ import annotations

from collections.abc import Iterable


def written_twice(names: Iterable[str]) -> str | None:
    """What is wrong with headers that differ in upper and lower case alone: only the last one would be sent."""
    known: dict[str, str] = {}
    for name in names:
        first = known.setdefault(name.lower(), name)
        if first is not name:
            return f"must have each header once: {first} and {name} are the same one"
    return None
