"""Evidence as the database takes it: plain JSON, small, nothing that Postgres refuses."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import msgspec

MAX_BYTES = 4096
_DEPTH = 6


def bounded(evidence: Mapping[str, Any]) -> dict[str, Any]:
    """`evidence` in plain JSON types, at most `MAX_BYTES` when encoded. Long texts and lists are cut."""
    plain = _as_it_is(evidence)
    if plain is not None:
        return plain
    longest = 1000
    while longest >= 10:
        cleaned: dict[str, Any] = _clean(evidence, longest, _DEPTH)
        if len(msgspec.json.encode(cleaned)) <= MAX_BYTES:
            return cleaned
        longest //= 2
    return {"cut": "more than could be kept"}


def _as_it_is(evidence: Mapping[str, Any]) -> dict[str, Any] | None:
    """`evidence` after a round through JSON (NaN becomes null), or None where it must be cleaned or cut."""
    try:
        encoded = msgspec.json.encode(evidence)
    except (TypeError, ValueError, OverflowError, RecursionError):  # UnicodeEncodeError is a ValueError
        return None
    if len(encoded) > MAX_BYTES or b"\\u0000" in encoded:
        return None
    decoded: dict[str, Any] = msgspec.json.decode(encoded)
    return decoded


def text(value: str | bytes, longest: int = 1000) -> str:
    """`value` as text that jsonb takes: no NUL (Postgres refuses it), no half surrogate pairs, valid UTF-8."""
    words = value.decode("utf-8", "replace") if isinstance(value, bytes) else value
    if not words.isascii():
        words = words.encode("utf-8", "replace").decode("utf-8")
    words = words.replace("\x00", "\ufffd")
    return words if len(words) <= longest else words[: longest - 1] + "…"


def _clean(value: Any, longest: int, depth: int) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, (str, bytes)):
        return text(value, longest)
    if isinstance(value, int):
        return value if abs(value) < 2**63 else str(value)[:longest]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if depth == 0:
        return "…"
    if isinstance(value, Mapping):
        few = list(value.items())[: longest // 5]
        return {text(str(key), 100): _clean(item, longest, depth - 1) for key, item in few}
    if isinstance(value, (list, tuple)):
        return [_clean(item, longest, depth - 1) for item in value[: longest // 10]]
    return text(str(value), longest)
