"""Reads conditions out of lines (`pinguin.checks.conditions` says what they are), strictly."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from functools import lru_cache
from typing import Any

from pinguin.checks.conditions.parts import Condition, Kind, Subject
from pinguin.checks.engine import jsonpath
from pinguin.checks.engine.pattern import Pattern, pattern

MOST_CONDITIONS = 30
LONGEST_LINE = 500


def parse(lines: Sequence[str], subjects: Mapping[str, Subject]) -> tuple[Condition, ...]:
    """The conditions in `lines`. Raises ValueError that names the line and the fix."""
    found = []
    for number, line in enumerate(lines, 1):
        try:
            found.append(_parse_line(line.strip(), tuple(subjects.values())))
        except ValueError as error:
            raise ValueError(f"line {number} ({line.strip()[:60]}): {error}") from None
    return tuple(found)


_SYMBOLS = re.compile(r"(==|!=|<=|>=|<|>)\s*(.*)", re.DOTALL)
_WORDS = re.compile(r"(not\s+)?(contains|startswith|endswith|matches|in|exists|missing)(?:\s+(.*)|$)", re.DOTALL)
_TAKES = {
    "number": ("==", "!=", "<", "<=", ">", ">=", "in"),
    "text": ("==", "!=", "contains", "startswith", "endswith", "matches", "in", "exists", "missing"),
}
_TAKES["ms"] = _TAKES["days"] = _TAKES["bytes"] = _TAKES["number"][:-1]
_TAKES["json"] = tuple(dict.fromkeys(_TAKES["number"] + _TAKES["text"]))
_NUMBER = re.compile(r"[+-]?\d{1,15}(\.\d{1,9})?")
_QUANTITY = re.compile(r"(\d{1,15}(?:\.\d{1,9})?)\s*([A-Za-z]*)")
_UNITS: dict[str, dict[str, float]] = {
    "ms": {"": 1, "ms": 1, "s": 1000, "min": 60_000},
    "days": {"": 1, "d": 1, "day": 1, "days": 1, "weeks": 7, "week": 7},
    "bytes": {"": 1, "b": 1, "bytes": 1, "kb": 1e3, "mb": 1e6, "gb": 1e9, "kib": 2**10, "mib": 2**20, "gib": 2**30},
}


@lru_cache(maxsize=4096)
def _parse_line(line: str, subjects: tuple[Subject, ...]) -> Condition:
    if len(line) > LONGEST_LINE:
        raise ValueError(f"is longer than {LONGEST_LINE} characters")
    warns = line.startswith("warn ")
    subject, rest = _subject(line.removeprefix("warn ").lstrip(), subjects)
    argument, rest = _argument(subject, rest)
    length, rest = _length(subject, rest)
    kind: Kind = "number" if length else subject.kind
    negated, sign, words = _operator(kind, rest)
    expected = _expected(kind, sign, words)
    label = " ".join(filter(None, [subject.name, str(getattr(argument, "source", argument) or "")]))
    return Condition(
        line=line,
        subject=subject,
        argument=argument,
        measures_length=length,
        negated=negated,
        operator=sign,
        expected=expected,
        expectation=" ".join(rest.split()),
        warns=warns,
        label=f"{label} | length" if length else label,
    )


def _subject(line: str, subjects: tuple[Subject, ...]) -> tuple[Subject, str]:
    for subject in sorted(subjects, key=lambda each: -len(each.name)):
        match = re.match(re.escape(subject.name).replace(r"\ ", r"\s+") + r"(?=\s|$|[=!<>|])", line, re.IGNORECASE)
        if match:
            return subject, line[match.end() :].strip()
    raise ValueError(f"begins with nothing that can be looked at; there are {_listed(subjects)}")


def _listed(subjects: Iterable[Subject]) -> str:
    arguments = {"": "", "word": " NAME", "path": " $.PATH"}
    return ", ".join(subject.name + arguments[subject.argument] for subject in subjects)


def _argument(subject: Subject, rest: str) -> tuple[Any, str]:
    if not subject.argument:
        return None, rest
    word, rest = _until_space(rest)
    if not word or _SYMBOLS.match(word):
        what = "a JSONPath, such as $.status" if subject.argument == "path" else "a name"
        raise ValueError(f"needs {what}, behind {subject.name!r}")
    if subject.argument == "word":
        return word.lower(), rest
    try:
        return jsonpath.path(word), rest
    except ValueError as error:
        raise ValueError(f"{word} {error}") from None


def _until_space(words: str) -> tuple[str, str]:
    """The first word; spaces in brackets and quotes do not end it."""
    depth, quote, escaped = 0, "", False
    for index, letter in enumerate(words):
        if escaped or letter == "\\":
            escaped = not escaped
        elif quote:
            quote = "" if letter == quote else quote
        elif depth and letter in "'\"":
            quote = letter
        elif letter in "[(":
            depth += 1
        elif letter in "])":
            depth -= 1
        elif letter.isspace() and depth <= 0:
            return words[:index], words[index:].strip()
    return words, ""


def _length(subject: Subject, rest: str) -> tuple[bool, str]:
    if not rest.startswith("|"):
        return False, rest
    word, rest = _until_space(rest[1:].lstrip())
    if subject.kind not in ("json", "text") or word != "length":
        raise ValueError("has a | that is not followed by length, or where there is nothing to count")
    return True, rest


def _operator(kind: Kind, rest: str) -> tuple[bool, str, str]:
    """Whether it is negated, the operator, and what follows."""
    signs = _TAKES[kind]
    match = _SYMBOLS.fullmatch(rest)
    if match:
        negated, sign, words = False, match[1], match[2]
    else:
        found = _WORDS.fullmatch(rest)
        if not found or found[2] not in signs or (found[1] and found[2] == "missing"):
            raise ValueError(_no_operator(rest, signs))
        negated, sign, words = bool(found[1]), found[2], found[3] or ""
    if sign not in signs:
        raise ValueError(f"cannot be compared with {sign}; there are {', '.join(signs)}")
    return (not negated if sign == "missing" else negated), "exists" if sign == "missing" else sign, words.strip()


def _no_operator(rest: str, signs: Sequence[str]) -> str:
    word = rest.split(maxsplit=1)[0] if rest else ""
    if word == "=":
        return "has one =; write =="
    near = get_close_matches(word, signs, 1)
    fix = f"write {near[0]}" if near else f"there are {', '.join(signs)}; words may have not before them"
    return f"has no operator behind its subject; {fix}" if not word else f"{word!r} is no operator here; {fix}"


def _expected(kind: Kind, sign: str, words: str) -> Any:
    if sign == "exists":
        if words:
            raise ValueError("takes nothing behind exists or missing")
        return None
    if not words:
        raise ValueError(f"does not say what is expected, behind {sign}")
    if sign == "matches":
        return _pattern(words)
    if kind == "number":
        return _ranges(words) if sign == "in" else _number(words)
    if kind in _UNITS:
        return _quantity(kind, words)
    return _text(kind, sign, words)


def _pattern(words: str) -> Pattern:
    quoted = len(words) > 1 and words[0] == words[-1] and words[0] in "\"'"
    return pattern(words[1:-1] if quoted else words)


def _number(words: str) -> int | float:
    if not _NUMBER.fullmatch(words):
        raise ValueError(f"{words[:40]!r} is not a number")
    return float(words) if "." in words else int(words)


def _ranges(words: str) -> tuple[tuple[float, float], ...]:
    """`200-299, 404` as pairs, both ends included."""
    pairs = []
    for part in words.split(","):
        low, dash, high = part.strip().partition("-")
        first = _number(low.strip())
        pairs.append((first, _number(high.strip()) if dash else first))
        if pairs[-1][1] < first:
            raise ValueError(f"{part.strip()!r} is a range that ends before it begins")
    return tuple(pairs)


def _quantity(kind: Kind, words: str) -> float:
    match = _QUANTITY.fullmatch(words)
    units = _UNITS[kind]
    if not match or match[2].lower() not in units:
        raise ValueError(f"{words[:40]!r} is not a number with a unit; there are {', '.join(filter(None, units))}")
    return float(match[1]) * units[match[2].lower()]


def _text(kind: Kind, sign: str, words: str) -> Any:
    """A text, quoted or not; for JSON also a number, true, false, null, a list. For `in`, several with commas."""
    if sign == "in":
        return _several(kind, words)
    value = _json(words)
    if kind == "text" or sign in ("startswith", "endswith"):
        return value if isinstance(value, str) else words
    if value is _NONE and words[0] in '"{[':
        raise ValueError(f"{words[:40]} is not valid JSON")
    if sign in ("<", "<=", ">", ">=") and (isinstance(value, bool) or not isinstance(value, (int, float, str))):
        raise ValueError(f"{words[:40]!r} is neither a number nor a quoted text")
    return words if value is _NONE else value


def _several(kind: Kind, words: str) -> list[Any]:
    found = _json(words if words.startswith("[") else f"[{words}]")
    if isinstance(found, list) and (kind == "json" or all(isinstance(each, str) for each in found)):
        return found
    return [part.strip() for part in words.split(",")]


_NONE = object()


def _json(words: str) -> Any:
    """`words` as JSON, or `_NONE`."""
    try:
        return json.loads(words)
    except (ValueError, RecursionError):
        return _NONE
