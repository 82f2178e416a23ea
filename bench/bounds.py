"""What every bench ends with: each bound, whether it held, and with `--assert` exit code 1 where one did not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Bound:
    """A measured value and the limit that it is to keep."""

    what: str
    value: float
    limit: float
    unit: str = ""
    at_least: bool = False

    @property
    def held(self) -> bool:
        return self.value >= self.limit if self.at_least else self.value <= self.limit

    def __str__(self) -> str:
        relation = "at least" if self.at_least else "at most"
        unit = f" {self.unit}" if self.unit else ""
        return f"{self.what}: {self.value:,.4g}{unit}, {relation} {self.limit:,.4g}{unit}"


def verdict(bounds: Sequence[Bound], *, enforced: bool) -> int:
    """Print the bounds; the exit code. Only `enforced` ones can fail."""
    print("\nBounds:")
    for bound in bounds:
        print(f"  {'held  ' if bound.held else 'MISSED'}  {bound}")
    return 1 if enforced and not all(bound.held for bound in bounds) else 0
