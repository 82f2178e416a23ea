"""Regular expressions that cannot run away: RE2, whose time grows with the text's length alone. TRAP 19"""

from __future__ import annotations

from functools import lru_cache

import re2

MOST_STEPS = 4000
"""An expression compiles to so many steps at most; each letter of a text may take all of them."""

MOST_BYTES = 2 << 20
"""What one expression may keep of the states that it met: of 8 MB each, a few hundred monitors fill a machine."""

EFFORT = 200_000_000
"""Letters times steps, at most: two seconds on a slow machine. What comes after is not looked at."""


class Pattern:
    """A compiled expression. effort(text) is what a search may cost, at worst, in steps of a few nanoseconds."""

    __slots__ = ("_compiled", "source", "steps")

    def __init__(self, source: str) -> None:
        """Raises ValueError that says what is wrong with `source`."""
        options = re2.Options()
        options.log_errors = False
        options.never_capture = True
        options.max_mem = MOST_BYTES
        try:
            self._compiled = re2.compile(source.encode(), options)
        except re2.error as error:
            raise ValueError(f"is not a regular expression: {_words(error)}") from None
        self.source = source
        self.steps: int = self._compiled.programsize
        if self.steps > MOST_STEPS:
            raise ValueError("is too large a regular expression; repeat less, or use shorter alternatives")

    def found_in(self, text: str) -> bool:
        few = text[: EFFORT // self.steps]
        return self._compiled.search(few.encode("utf-8", "replace")) is not None


@lru_cache(maxsize=1024)
def pattern(source: str) -> Pattern:
    """Raises ValueError that says what is wrong with `source`."""
    return Pattern(source)


def _words(error: Exception) -> str:
    words = error.args[0] if error.args else ""
    return words.decode("utf-8", "replace") if isinstance(words, bytes) else str(words)
