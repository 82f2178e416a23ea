"""Takes secrets out of what a check reports: servers like to send back what they were sent. TRAP 24"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from pinguin.errors import CheckFailed

SHORTEST = 4
"""A shorter secret would blot out half of every text."""

HIDDEN = "[secret]"
CUT = "…"


class Scrubber:
    """Hides what it was given. False where there is nothing to hide."""

    __slots__ = ("_pattern", "_secrets")

    def __init__(self, secrets: Iterable[str]) -> None:
        self._secrets = {secret for secret in secrets if len(secret) >= SHORTEST}
        # The longest first: a secret may contain another one.
        ordered = sorted(self._secrets, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, ordered))) if ordered else None

    def __bool__(self) -> bool:
        return self._pattern is not None

    def and_also(self, secret: str) -> Scrubber:
        return Scrubber({*self._secrets, secret})

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
