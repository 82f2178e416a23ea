"""Latency over time: p50, p95 and p99 as lines, with the bands between them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from pinguin.store.history import Bucket, Span, Window
from pinguin.web.charts.plot import Chart, Plot, runs, top
from pinguin.web.words import exact, latency, number

OUTLIERS = 4
"""Where p99 is more than so many times p95, it is cut off: one outlier must not make all else a flat line."""


def draw(
    window: Window, buckets: Sequence[Bucket], spans: Sequence[Span], *, interval_s: int, columns: int, now: datetime
) -> Chart:
    """Shaded where it was down, unknown or in maintenance, empty where there is no data."""
    plot = Plot(window, top(_most(buckets)), now)
    parts = list(plot.shades(spans))
    found = list(runs(buckets, max(window.bucket_s, interval_s) * 1.6))
    for lower, upper in (("p95", "p99"), ("p50", "p95")):
        parts += [plot.area(_points(plot, run, upper), _points(plot, run, lower), f"band {upper}") for run in found]
    for name in ("p99", "p95", "p50"):
        parts += [plot.line(_points(plot, run, name), name) for run in found]
    parts += [plot.hit(bucket, _words(bucket)) for bucket in buckets]
    return Chart(plot.svg(_summary(buckets), parts), plot.labels(), plot.ticks(columns), buckets)


def _most(buckets: Sequence[Bucket]) -> float:
    p95 = max((bucket.p95 for bucket in buckets if bucket.p95 is not None), default=0.0)
    p99 = max((bucket.p99 for bucket in buckets if bucket.p99 is not None), default=0.0)
    return min(p99, OUTLIERS * p95)


def _points(plot: Plot, run: Sequence[Bucket], name: str) -> list[tuple[float, float]]:
    return [(plot.middle(bucket), plot.y(getattr(bucket, name) or 0)) for bucket in run]


def _words(bucket: Bucket) -> str:
    parts = [exact(bucket.at)]
    if bucket.p50 is not None:
        parts.append(f"p50 {latency(bucket.p50)} · p95 {latency(bucket.p95)} · p99 {latency(bucket.p99)}")
    parts.append(f"{number(bucket.checks)} check{'' if bucket.checks == 1 else 's'}")
    if bucket.down:
        parts.append(f"{number(bucket.down)} failed")
    return " · ".join(parts)


def _summary(buckets: Sequence[Bucket]) -> str:
    known = [bucket for bucket in buckets if bucket.p50 is not None]
    if not known:
        return "Latency chart without data"
    slowest = max(known, key=lambda bucket: bucket.p95 or 0)
    return (
        f"Latency chart: p95 is at most {latency(slowest.p95)}, at {exact(slowest.at)}. The table below has all values."
    )
