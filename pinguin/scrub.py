"""Takes secrets out of what a check reports: servers like to send back what they were sent. TRAP 24"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from html import escape
from typing import Any
from urllib.parse import quote, quote_plus

from pinguin.errors import CheckFailed

SHORTEST = 4
"""A shorter secret would blot out half of every text."""

HIDDEN = "[secret]"
CUT = "…"


def _written(secret: str) -> set[str]:
    """As it is, and as servers write it when they send it back: in JSON, in an address, in HTML."""
    return {secret, *_in_json(secret), *_in_addresses(secret), *_in_html(secret)}


def _in_json(secret: str) -> Iterator[str]:
    for ascii_only in (True, False):
        text = json.dumps(secret, ensure_ascii=ascii_only)[1:-1]
        yield text
        yield text.replace("/", "\\/")
        yield text.translate({ord(letter): f"\\u{ord(letter):04x}" for letter in "<>&"})


def _in_addresses(secret: str) -> Iterator[str]:
    for text in (
        quote(secret, safe="", errors="replace"),
        quote_plus(secret, errors="replace"),
        quote(secret, safe="!'()*", errors="replace"),
    ):
        yield text
        yield re.sub("%..", lambda found: found[0].lower(), text)


def _in_html(secret: str) -> Iterator[str]:
    text = escape(secret)
    yield text
    yield text.replace("&#x27;", "&#39;").replace("&quot;", "&#34;")
    yield text.replace("&#x27;", "&#039;")


class Scrubber:
    """Hides what it was given. False where there is nothing to hide."""

    __slots__ = ("_pattern", "_secrets")

    def __init__(self, secrets: Iterable[str]) -> None:
        self._hide({form for secret in secrets if len(secret) >= SHORTEST for form in _written(secret)})

    def _hide(self, forms: set[str]) -> None:
        self._secrets = forms
        # The longest first: a secret may contain another one.
        ordered = sorted(self._secrets, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, ordered))) if ordered else None

    def __bool__(self) -> bool:
        return self._pattern is not None

    def and_also(self, secret: str) -> Scrubber:
        both = Scrubber([secret])
        both._hide(both._secrets | self._secrets)
        return both

    def text(self, words: str) -> str:
        if not self._pattern:
            return words
        words = self._pattern.sub(HIDDEN, words)
        return self._without_beginnings(words) if CUT in words else words

    def _without_beginnings(self, words: str) -> str:
        """Where a text was cut, the beginning of a secret may have stayed."""
        parts = words.split(CUT)
        return CUT.join([*map(self._without_beginning, parts[:-1]), parts[-1]])

    def _without_beginning(self, words: str) -> str:
        for secret in self._secrets:
            for size in range(min(len(secret) - 1, len(words)), SHORTEST - 1, -1):
                if words.endswith(secret[:size]):
                    return words[:-size] + HIDDEN
        return words

    def all(self, value: Any) -> Any:
        """`value` anew, every text in it scrubbed."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {self.all(key): self.all(item) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.all(item) for item in value]
        return value

    def failure(self, failure: CheckFailed) -> None:
        failure.message = self.text(failure.message)
        failure.evidence = self.all(failure.evidence)
