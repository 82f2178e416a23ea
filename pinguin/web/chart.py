"""The latency chart, drawn here as SVG: no script is needed to see it, and no style attribute to lay it out."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from markupsafe import Markup, escape

from pinguin.store.pages import Bucket, Grain, Span, Window
from pinguin.web.words import STATUS_WORDS, exact, latency, number

WIDTH = 1000
HEIGHT = 240
ROWS = 4
"""Horizontal lines above zero; the page lays out as many labels beside them."""


@dataclass(frozen=True, slots=True)
class Range:
    """A span that the chart can show. columns: time labels below it, at equal distances."""

    name: str
    span_s: int
    bucket_s: int
    grain: Grain
    columns: int
    ticks: str
    title: str

    def window(self, monitor_id: int, now: datetime) -> Window:
        """Ends with the bucket that holds `now`, so that hours and days are whole."""
        edge = math.floor(now.timestamp() / self.bucket_s + 1) * self.bucket_s
        ending = datetime.fromtimestamp(edge, UTC)
        return Window(monitor_id, ending - timedelta(seconds=self.span_s), ending, self.bucket_s, self.grain)


RANGES = {
    each.name: each
    for each in (
        Range("1h", 3600, 60, "raw", 6, "time", "1 hour"),
        Range("6h", 6 * 3600, 120, "raw", 6, "time", "6 hours"),
        Range("24h", 86400, 300, "raw", 6, "time", "24 hours"),
        Range("7d", 7 * 86400, 3600, "hourly", 7, "date", "7 days"),
        Range("30d", 30 * 86400, 3 * 3600, "hourly", 6, "date", "30 days"),
        Range("90d", 90 * 86400, 86400, "daily", 6, "date", "90 days"),
        Range("1y", 365 * 86400, 86400, "daily", 5, "date", "1 year"),
    )
}


@dataclass(frozen=True, slots=True)
class Chart:
    """A drawn chart. scale: labels from the top down. ticks: moments from left to right."""

    svg: Markup
    scale: list[str]
    ticks: list[datetime]
    rows: Sequence[Bucket]


def draw(
    window: Window, buckets: Sequence[Bucket], spans: Sequence[Span], *, interval_s: int, columns: int, now: datetime
) -> Chart:
    """p50 as a line, the band up to p95, shaded where it was down or unknown, empty where there is no data."""
    top = _top([bucket.p95 for bucket in buckets if bucket.p95 is not None])
    plot = _Plot(window, top, now)
    runs = list(_runs(buckets, max(window.bucket_s, interval_s) * 1.6))
    parts = [
        _grid(),
        *(plot.shade(span) for span in spans),
        *(plot.band(run) for run in runs),
        *(plot.line(run, "p95") for run in runs),
        *(plot.line(run, "p50") for run in runs),
        *(plot.hit(bucket) for bucket in buckets),
    ]
    svg = Markup(  # noqa: S704 — numbers, and words that are escaped where they are made
        f'<svg class="plot" role="img" aria-label="{escape(_summary(buckets))}" viewBox="0 0 {WIDTH} {HEIGHT}"'
        f' preserveAspectRatio="none">{"".join(parts)}</svg>'
    )
    step = (window.ending - window.origin) / columns
    return Chart(
        svg,
        [latency(top * row / ROWS) if row else "0 ms" for row in range(ROWS, -1, -1)],
        [window.origin + step * column for column in range(columns + 1)],
        buckets,
    )


class _Plot:
    def __init__(self, window: Window, top: float, now: datetime) -> None:
        self._window = window
        self._seconds = (window.ending - window.origin).total_seconds()
        self._top = top
        self._now = now

    def x(self, moment: datetime) -> float:
        share = (moment - self._window.origin).total_seconds() / self._seconds
        return round(min(max(share, 0), 1) * WIDTH, 1)

    def middle(self, bucket: Bucket) -> float:
        return self.x(bucket.at + timedelta(seconds=self._window.bucket_s / 2))

    def y(self, ms: float) -> float:
        return round(HEIGHT - min(ms / self._top, 1) * HEIGHT, 1)

    def shade(self, span: Span) -> str:
        if span.status in ("up", "degraded"):
            return ""
        left, right = self.x(span.starts), self.x(min(span.ends, self._now))
        words = f"{STATUS_WORDS[span.status]} from {exact(span.starts)} to {exact(min(span.ends, self._now))}"
        return (
            f'<rect class="shade s-{span.status}" x="{left}" y="0" width="{max(right - left, 4):.1f}"'
            f' height="{HEIGHT}"><title>{escape(words)}</title></rect>'
        )

    def band(self, run: Sequence[Bucket]) -> str:
        upper = [f"{self.middle(b)} {self.y(b.p95 or 0)}" for b in run]
        lower = [f"{self.middle(b)} {self.y(b.p50 or 0)}" for b in reversed(run)]
        return f'<path class="band" d="M{"L".join(upper + lower)}z"/>' if len(run) > 1 else ""

    def line(self, run: Sequence[Bucket], name: str) -> str:
        points = [f"{self.middle(b)} {self.y(getattr(b, name))}" for b in run]
        return f'<path class="line {name}" d="M{"L".join(points)}{"" if len(run) > 1 else "h0.1"}"/>'

    def hit(self, bucket: Bucket) -> str:
        left = self.x(bucket.at)
        right = self.x(bucket.at + timedelta(seconds=self._window.bucket_s))
        return (
            f'<rect class="hit" x="{left}" y="0" width="{max(right - left, 0.5):.1f}" height="{HEIGHT}">'
            f"<title>{escape(_words(bucket))}</title></rect>"
        )


def _words(bucket: Bucket) -> str:
    parts = [exact(bucket.at)]
    if bucket.p50 is not None:
        parts.append(f"p50 {latency(bucket.p50)} · p95 {latency(bucket.p95)}")
    parts.append(f"{number(bucket.checks)} check{'' if bucket.checks == 1 else 's'}")
    if bucket.down:
        parts.append(f"{number(bucket.down)} failed")
    return " · ".join(parts)


def _runs(buckets: Sequence[Bucket], longest_gap_s: float) -> Iterator[list[Bucket]]:
    """Stretches without a gap: a line must not run across time of which nothing is known."""
    run: list[Bucket] = []
    for bucket in buckets:
        if bucket.p50 is None or (run and (bucket.at - run[-1].at).total_seconds() > longest_gap_s):
            if run:
                yield run
            run = []
        if bucket.p50 is not None:
            run.append(bucket)
    if run:
        yield run


def _top(values: Sequence[float]) -> float:
    """The top of the scale, so that each of its rows is a round number."""
    least = max([*values, 1.0]) * 1.05 / ROWS
    power = 10.0 ** math.floor(math.log10(least))
    factor = next((factor for factor in (1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0) if factor * power >= least), 10.0)
    return factor * power * ROWS


def _grid() -> str:
    return "".join(f'<path class="grid" d="M0 {HEIGHT * row / ROWS}H{WIDTH}"/>' for row in range(ROWS + 1))


def _summary(buckets: Sequence[Bucket]) -> str:
    known = [bucket for bucket in buckets if bucket.p50 is not None]
    if not known:
        return "Latency chart without data"
    slowest = max(known, key=lambda bucket: bucket.p95 or 0)
    return (
        f"Latency chart: p95 is at most {latency(slowest.p95)}, at {exact(slowest.at)}. The table below has all values."
    )
