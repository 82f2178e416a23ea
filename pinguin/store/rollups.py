"""Roll-ups of a monitor put together into the buckets of a chart.

The same as `histogram_sum` and `histogram_percentile` in SQL, of some hundred rows: an embedded database takes three
times as long to rank their bins as Python does.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import accumulate
from math import exp
from operator import add
from typing import Any

from pinguin.store.charted import Bucket, Latency

PERCENTILES = (0.5, 0.95, 0.99)

_MIDDLES = [exp(-2 + 14 / 240 * min(max(place - 1.5, 0), 240)) for place in range(245)]
"""Milliseconds in the middle of the bin at each place; the first place is 1."""


@dataclass(slots=True)
class _Sum:
    """counts: checks, fine, down, good. phases: milliseconds of the good ones. bins: how many are in each, by place."""

    counts: list[int]
    phases: list[float | None]
    bins: dict[int, int]

    def add(self, counts: Iterable[int], phases: Sequence[float | None], bins: Iterable[tuple[int, int]]) -> None:
        self.counts = list(map(add, self.counts, counts))
        self.phases = [a if b is None else b if a is None else a + b for a, b in zip(self.phases, phases, strict=True)]
        for place, n in bins:
            self.bins[place] = self.bins.get(place, 0) + n

    def fields(self) -> list[Any]:
        """Those of `Latency`."""
        good = self.counts[3]
        means = [total / good if good and total is not None else None for total in self.phases]
        return [*self.counts, *self._percentiles(), *means]

    def _percentiles(self) -> list[float | None]:
        places = sorted(self.bins)
        seen = list(accumulate([self.bins[place] for place in places]))
        if not seen:
            return [None] * len(PERCENTILES)
        return [_MIDDLES[places[bisect_left(seen, fraction * seen[-1])]] for fraction in PERCENTILES]


def put_together(rows: Iterable[Sequence[Any]]) -> tuple[list[Bucket], Latency]:
    """The buckets, oldest first, and all of them in one.

    A row: `at`; checks, fine, down and good; the sums of five phases; the place of the first of its bins in the whole
    histogram, and the bins in the words of Postgres, `{0,3,…}`; None where there are none.
    """
    by_bucket: dict[datetime, _Sum] = {}
    for at, *row in rows:
        counts, phases, bins = row[:4], row[4:9], _bins(row[9], row[10])
        if found := by_bucket.get(at):
            found.add(counts, phases, bins)
        else:
            by_bucket[at] = _Sum(counts, phases, dict(bins))
    whole = _Sum([0] * 4, [None] * 5, {})
    for each in by_bucket.values():
        whole.add(each.counts, each.phases, each.bins.items())
    return [Bucket(*[*each.fields(), at]) for at, each in sorted(by_bucket.items())], Latency(*whole.fields())


def _bins(lowest: int, text: str | None) -> list[tuple[int, int]]:
    """Those that are not empty."""
    words = text[1:-1].split(",") if text else ()
    return [(lowest + place, int(word)) for place, word in enumerate(words) if word != "0"]
