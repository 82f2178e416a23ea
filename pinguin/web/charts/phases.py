"""Where the time of a check goes: its phases' means, one upon the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Any

from pinguin.model import PHASES
from pinguin.store.charted import Bucket, Latency
from pinguin.store.history import Span, Window
from pinguin.web.charts.plot import POINTS, Chart, Plot, runs, top
from pinguin.web.words import exact, latency

COLUMNS = tuple(f"{name}_ms" for name in PHASES)

_times: Callable[[Bucket], tuple[float | None, ...]] = attrgetter(*COLUMNS)


def used(total: Latency) -> list[str]:
    """The phases that this monitor's checks have."""
    return [name for name in PHASES if getattr(total, f"{name}_ms") is not None]


def draw(
    window: Window, buckets: Sequence[Bucket], spans: Sequence[Span], names: Sequence[str], *,
    interval_s: int, columns: int, now: datetime, hits: str,
) -> Chart:  # fmt: skip
    """Of the buckets that have phases. Where the chart would have too many points, two neighbours become one.

    hits: the tooltips of `buckets`, as far as those are drawn as they are.
    """
    timed = [bucket for bucket in buckets if bucket.good and _height(bucket)]
    joined = False
    while len(timed) * len(names) > POINTS:
        window, joined = replace(window, bucket_s=window.bucket_s * 2), True
        timed = _in_pairs(window, timed)
    plot = Plot(window, top(max((_height(bucket) for bucket in timed), default=0.0)), now)
    parts = list(plot.shades(spans))
    for run in runs(timed, max(window.bucket_s, interval_s) * 1.6):
        parts += _stacked(plot, run, names)
    svg = plot.svg(_summary(timed), [*parts, plot.hits(timed, names) if joined else hits])
    return Chart(svg, plot.labels(), plot.ticks(columns), timed, hits)


def _stacked(plot: Plot, run: Sequence[Bucket], names: Sequence[str]) -> Iterator[str]:
    places = plot.middles(run)
    heights = [0.0] * len(run)
    lower = plot.points(places, heights)
    for name in names:
        own = map(attrgetter(f"{name}_ms"), run)
        heights = [below + (ms or 0.0) for below, ms in zip(heights, own, strict=True)]
        upper = plot.points(places, heights)
        yield plot.area(upper, lower, f"p-{name}")
        lower = upper


def _height(bucket: Bucket) -> float:
    return sum([ms for ms in _times(bucket) if ms])


def _in_pairs(window: Window, buckets: Sequence[Bucket]) -> list[Bucket]:
    """Neighbours together, weighted by their checks. Their percentiles cannot be: those of the first stay."""
    length = timedelta(seconds=window.bucket_s)
    pairs: dict[datetime, list[Bucket]] = {}
    for bucket in buckets:
        pairs.setdefault(window.origin + (bucket.at - window.origin) // length * length, []).append(bucket)
    return [_together(at, pair) for at, pair in pairs.items()]


def _together(at: datetime, pair: Sequence[Bucket]) -> Bucket:
    good = sum(bucket.good for bucket in pair)
    means: Any = {column: sum((getattr(b, column) or 0.0) * b.good for b in pair) / good for column in COLUMNS}
    return replace(pair[0], at=at, good=good, **means)


def _summary(buckets: Sequence[Bucket]) -> str:
    if not buckets:
        return "Chart of phases without data"
    slowest = max(buckets, key=_height)
    return (
        f"Chart of phases: together they take at most {latency(_height(slowest))}, at {exact(slowest.at)}."
        " The table below has all values."
    )
