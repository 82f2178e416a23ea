"""What an answer of 401 asks for: the challenges of WWW-Authenticate (RFC 9110, 11.6.1)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from pinguin.checks.engine.answer import Answer

MOST, LONGEST = 10, 2000
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"?')
_SCHEME = re.compile(r"(?:^|,)\s*([A-Za-z][\w-]{0,30})(?=\s+[^\s=,]|\s*,|\s*$)")
_PARAMETER = re.compile(r'([\w!#$%&\'*+.^`|~-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s",]+))')


@dataclass(frozen=True, slots=True)
class Challenge:
    """words: what stands behind the scheme. parameters: by name in lower case; None where they are no such list."""

    scheme: str
    words: str
    parameters: dict[str, str] | None


def challenges(answer: Answer) -> Iterator[Challenge]:
    """In their order, of all the headers; one header may have several."""
    values = [value for name, value in answer.headers if name.lower() == b"www-authenticate"]
    for value in values[:MOST]:
        yield from _in(value[:LONGEST].decode("latin-1"))


def _in(value: str) -> Iterator[Challenge]:
    bare = _QUOTED.sub(lambda match: '"' + "x" * (len(match[0]) - 2) + '"', value)
    starts = list(_SCHEME.finditer(bare))
    ends = [*(match.start() for match in starts[1:]), len(value)]
    for match, end in zip(starts, ends, strict=False):
        words = value[match.end() : end].strip(" \t,")
        yield Challenge(match[1], words, _parameters(words))


def _parameters(words: str) -> dict[str, str] | None:
    found: dict[str, str] = {}
    rest = words
    while rest:
        match = _PARAMETER.match(rest)
        if not match:
            return None
        found[match[1].lower()] = match[3] if match[2] is None else re.sub(r"\\(.)", r"\1", match[2])
        rest = rest[match.end() :].lstrip()
        if rest and not rest.startswith(","):
            return None
        rest = rest.lstrip(" \t,")
    return found
