"""Roll-ups of a monitor put together into the buckets of a chart.

The same as `histogram_sum` and `histogram_percentile` in SQL, of some hundred rows: an embedded database takes three
times as long to rank their bins as Python does.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from math import exp
from typing import Any

from pinguin.store.charted import Bucket, Latency

PERCENTILES = (0.5, 0.95, 0.99)
PHASES = 5
FIELDS = [each.name for each in fields(Latency)]


@dataclass(slots=True)
class _Sum:
    """counts: checks, fine, down, good. phases: milliseconds of the good ones. bins: how many are in each, by place."""

    counts: list[int] = field(default_factory=lambda: [0] * 4)
    phases: list[float | None] = field(default_factory=lambda: [None] * PHASES)
    bins: dict[int, int] = field(default_factory=dict)

    def add(self, counts: Sequence[int], phases: Sequence[float | None], bins: Iterable[tuple[int, int]]) -> None:
        self.counts = [a + b for a, b in zip(self.counts, counts, strict=True)]
        self.phases = [a if b is None else b if a is None else a + b for a, b in zip(self.phases, phases, strict=True)]
        for place, n in bins:
            self.bins[place] = self.bins.get(place, 0) + n

    def fields(self) -> dict[str, Any]:
        """Those of `Latency`."""
        good = self.counts[3]
        means = [total / good if good and total is not None else None for total in self.phases]
        return dict(zip(FIELDS, (*self.counts, *self._percentiles(), *means), strict=True))

    def _percentiles(self) -> list[float | None]:
        places, total = sorted(self.bins), sum(self.bins.values())
        found: list[float | None] = []
        seen, place, rest = 0, 0, iter(places)
        for fraction in PERCENTILES if total else ():
            while seen < fraction * total:
                place = next(rest)
                seen += self.bins[place]
            found.append(exp(-2 + 14 / 240 * min(max(place - 1.5, 0), 240)))  # the middle of the bin
        return found or [None] * len(PERCENTILES)


def put_together(rows: Iterable[Sequence[Any]]) -> tuple[list[Bucket], Latency]:
    """The buckets, oldest first, and all of them in one.

    A row: `at`; checks, fine, down and good; the sums of five phases; the place of the first of its bins in the whole
    histogram, and the bins in the words of Postgres, `{0,3,…}`; None where there are none.
    """
    by_bucket: dict[datetime, _Sum] = {}
    for at, *row in rows:
        if (found := by_bucket.get(at)) is None:
            found = by_bucket[at] = _Sum()
        found.add(row[:4], row[4:9], _bins(row[9], row[10]))
    whole = _Sum()
    for each in by_bucket.values():
        whole.add(each.counts, each.phases, each.bins.items())
    return [Bucket(at=at, **each.fields()) for at, each in sorted(by_bucket.items())], Latency(**whole.fields())


def _bins(lowest: int, text: str | None) -> list[tuple[int, int]]:
    """Those that are not empty."""
    words = text[1:-1].split(",") if text else ()
    return [(lowest + place, int(word)) for place, word in enumerate(words) if word != "0"]
