"""Roll-ups of a monitor put together into the buckets of a chart.

The same as `histogram_sum` and `histogram_percentile` in SQL, of some hundred rows: an embedded database takes three
times as long to rank their bins as Python does.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import accumulate
from math import exp
from operator import add
from typing import Any

from pinguin.store.charted import Bucket, Latency

PERCENTILES = (0.5, 0.95, 0.99)
PLACES = 242
"""Bins of a histogram, with the one below all others and the one above."""

_MIDDLES = [exp(-2 + 14 / 240 * min(max(place - 1.5, 0), 240)) for place in range(PLACES + 1)]
"""Milliseconds in the middle of the bin at each place; the first place is 1."""


class _Sum:
    """counts: checks, fine, down, good. phases: milliseconds of the good ones. bins: how many are in each, by place."""

    __slots__ = ("bins", "counts", "phases")

    def __init__(self) -> None:
        self.counts = [0] * 4
        self.phases: list[float | None] = [None] * 5
        self.bins = [0] * (PLACES + 1)

    def add(self, counts: Sequence[int], phases: Sequence[float | None], lowest: int, bins: Sequence[int]) -> None:
        """lowest: the place of the first of `bins`."""
        self.counts = list(map(add, self.counts, counts))
        self.phases = [a if b is None else b if a is None else a + b for a, b in zip(self.phases, phases, strict=True)]
        if bins:
            part = slice(lowest, lowest + len(bins))
            self.bins[part] = map(add, self.bins[part], bins)

    def fields(self) -> list[Any]:
        """Those of `Latency`."""
        good = self.counts[3]
        means = [total / good if good and total is not None else None for total in self.phases]
        return [*self.counts, *self._percentiles(), *means]

    def _percentiles(self) -> list[float | None]:
        seen = list(accumulate(self.bins))
        total = seen[-1]
        if not total:
            return [None] * len(PERCENTILES)
        return [_MIDDLES[bisect_left(seen, fraction * total)] for fraction in PERCENTILES]


def put_together(rows: Iterable[Sequence[Any]]) -> tuple[list[Bucket], Latency]:
    """The buckets, oldest first, and all of them in one.

    A row: `at`; checks, fine, down and good; the sums of five phases; the place of the first of its bins in the whole
    histogram, and the bins in the words of Postgres, `{0,3,…}`; None where there are none.
    """
    by_bucket: dict[datetime, _Sum] = {}
    whole = _Sum()
    for at, *row in rows:
        if (found := by_bucket.get(at)) is None:
            found = by_bucket[at] = _Sum()
        bins = list(map(int, row[10][1:-1].split(","))) if row[10] else []
        counts, phases, lowest = row[:4], row[4:9], row[9]
        found.add(counts, phases, lowest, bins)
        whole.add(counts, phases, lowest, bins)
    return [Bucket(*[*each.fields(), at]) for at, each in sorted(by_bucket.items())], Latency(*whole.fields())
