"""What a template of a user may cost, in steps and characters: so it ends alike on every machine. TRAP 19"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

MOST_STEPS = 300_000
MOST_CHARACTERS = 1_000_000


class TooMuch(Exception):
    """The template asks for more than it may."""


class Budget:
    """steps: parts of the template that are evaluated in loops. characters: of all texts that it makes on its way."""

    def __init__(self) -> None:
        self.steps = MOST_STEPS
        self.characters = MOST_CHARACTERS

    def take_steps(self, count: int) -> None:
        self.steps -= count
        if self.steps < 0:
            raise TooMuch("loops over too much: use fewer or smaller loops, or items[:20]")

    def take_characters(self, count: int) -> None:
        self.characters -= count
        if self.characters < 0:
            raise TooMuch("makes too much text on its way")

    def weigh(self, value: Any, *, into_structs: bool = True) -> None:
        """Take what a walk through all of `value` costs, each part as often as it is met."""
        if isinstance(value, str):
            self.take_characters(len(value))
        elif isinstance(value, Mapping):
            self.take_steps(len(value))
            self._weigh_all([*value.keys(), *value.values()], into_structs)
        elif isinstance(value, list | tuple):
            self.take_steps(len(value))
            self._weigh_all(value, into_structs)
        elif isinstance(value, msgspec.Struct) and into_structs:
            self._weigh_all((getattr(value, name) for name in value.__struct_fields__), into_structs)

    def _weigh_all(self, values: Iterable[Any], into_structs: bool) -> None:
        for value in values:
            self.weigh(value, into_structs=into_structs)
