"""Takes secrets out of what a check reports: servers like to send back what they were sent. TRAP 24"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from pinguin.errors import CheckFailed

SHORTEST = 4
"""A shorter secret would blot out half of every text."""

HIDDEN = "[secret]"


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
        return self._pattern.sub(HIDDEN, words) if self._pattern else words

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
