"""Latency over time: p50, p95 and p99 as lines, with the bands between them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from pinguin.store.charted import Bucket
from pinguin.store.history import Span, Window
from pinguin.web.charts.plot import Chart, Plot, runs, top
from pinguin.web.words import exact, latency

OUTLIERS = 4
"""Where p99 is more than so many times p95, it is cut off: one outlier must not make all else a flat line."""


def draw(
    window: Window, buckets: Sequence[Bucket], spans: Sequence[Span], names: Sequence[str], *,
    interval_s: int, columns: int, now: datetime,
) -> Chart:  # fmt: skip
    """Shaded where it was down, unknown or in maintenance, empty where there is no data.

    names: phases, for the tooltips.
    """
    plot = Plot(window, top(_most(buckets)), now)
    parts = list(plot.shades(spans))
    lines: list[str] = []
    for run in runs(buckets, max(window.bucket_s, interval_s) * 1.6):
        p50, p95, p99 = _points(plot, run)
        parts += [plot.area(p99, p95, "band p99"), plot.area(p95, p50, "band p95")]
        lines += [plot.line(p99, "p99"), plot.line(p95, "p95"), plot.line(p50, "p50")]
    hits = plot.hits(buckets, names)
    svg = plot.svg(_summary(buckets), [*parts, *lines, hits])
    return Chart(svg, plot.labels(), plot.ticks(columns), buckets, hits)


def _most(buckets: Sequence[Bucket]) -> float:
    p95 = max((bucket.p95 for bucket in buckets if bucket.p95 is not None), default=0.0)
    p99 = max((bucket.p99 for bucket in buckets if bucket.p99 is not None), default=0.0)
    return min(p99, OUTLIERS * p95)


def _points(plot: Plot, run: Sequence[Bucket]) -> list[list[str]]:
    places = plot.middles(run)
    heights = ([bucket.p50 for bucket in run], [bucket.p95 for bucket in run], [bucket.p99 for bucket in run])
    return [plot.points(places, [ms or 0.0 for ms in each]) for each in heights]


def _summary(buckets: Sequence[Bucket]) -> str:
    known = [bucket for bucket in buckets if bucket.p50 is not None]
    if not known:
        return "Latency chart without data"
    slowest = max(known, key=lambda bucket: bucket.p95 or 0)
    return (
        f"Latency chart: p95 is at most {latency(slowest.p95)}, at {exact(slowest.at)}. The table below has all values."
    )
