"""What all charts over time share: axes, shading, the marks that carry tooltips."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from operator import attrgetter

from markupsafe import Markup, escape

from pinguin.store.charted import Bucket
from pinguin.store.history import Span, Window
from pinguin.web.words import STATUS_WORDS, exact, latency, number

WIDTH = 1000
HEIGHT = 240
ROWS = 4
"""Horizontal lines above zero; the page lays out as many labels beside them."""
POINTS = 1500
"""A chart ships no more of them."""


@dataclass(frozen=True, slots=True)
class Chart:
    """A drawn chart. scale: labels from the top down. ticks: moments from left to right. rows: for its table.

    hits: its marks with tooltips, which another chart of the same buckets may use too.
    """

    svg: Markup
    scale: list[str]
    ticks: list[datetime]
    rows: Sequence[Bucket]
    hits: str


class Plot:
    """Where things are in a chart of a window, up to `top` milliseconds high."""

    def __init__(self, window: Window, top: float, now: datetime) -> None:
        self._window = window
        self._seconds = (window.ending - window.origin).total_seconds()
        self._top = top
        self._now = now

    def x(self, moment: datetime) -> float:
        share = (moment - self._window.origin).total_seconds() / self._seconds
        return round(min(max(share, 0), 1) * WIDTH, 1)

    def middles(self, buckets: Sequence[Bucket]) -> list[float]:
        """Where they are from left to right."""
        origin = self._window.origin - timedelta(seconds=self._window.bucket_s / 2)
        scale = WIDTH / self._seconds
        places = ((bucket.at - origin).total_seconds() * scale for bucket in buckets)
        return [round(min(max(place, 0), WIDTH), 1) for place in places]

    def points(self, places: Sequence[float], heights: Sequence[float]) -> list[str]:
        """`x y` of each. heights: in milliseconds."""
        scale = HEIGHT / self._top
        return [f"{x} {HEIGHT - min(ms * scale, HEIGHT):.1f}" for x, ms in zip(places, heights, strict=True)]

    def area(self, upper: Sequence[str], lower: Sequence[str], name: str) -> str:
        """Between two lines of `points`; a single point is drawn as wide as it can be seen."""
        if len(upper) == 1:
            upper, lower = [upper[0], _beside(upper[0])], [lower[0], _beside(lower[0])]
        return f'<path class="{name}" d="M{"L".join(upper)}L{"L".join(reversed(lower))}z"/>'

    def line(self, points: Sequence[str], name: str) -> str:
        return f'<path class="line {name}" d="M{"L".join(points)}{"" if len(points) > 1 else "h0.1"}"/>'

    def shades(self, spans: Sequence[Span]) -> Iterator[str]:
        """Where it was neither up nor degraded."""
        for span in spans:
            if span.status not in ("up", "degraded"):
                left, right = self.x(span.starts), self.x(min(span.ends, self._now))
                words = f"{STATUS_WORDS[span.status]} from {exact(span.starts)} to {exact(min(span.ends, self._now))}"
                yield (
                    f'<rect class="shade s-{span.status}" x="{left}" y="0" width="{max(right - left, 4):.1f}"'
                    f' height="{HEIGHT}"><title>{escape(words)}</title></rect>'
                )

    def hits(self, buckets: Sequence[Bucket], names: Sequence[str]) -> str:
        """What carries the tooltips: all of a bucket, with the phases `names`."""
        width = f"{max(WIDTH * self._window.bucket_s / self._seconds, 0.5):.1f}"
        phases = [(name.replace("_", " "), attrgetter(f"{name}_ms")) for name in names]
        return "".join(
            f'<rect class="hit" x="{self.x(bucket.at)}" y="0" width="{width}" height="{HEIGHT}">'
            f"<title>{_words(bucket, phases)}</title></rect>"
            for bucket in buckets
        )

    def svg(self, summary: str, parts: Sequence[str]) -> Markup:
        """`parts` in a picture that says which time it shows, so that a part of it can be chosen."""
        origin, ending = self._window.origin.timestamp(), self._window.ending.timestamp()
        return Markup(  # noqa: S704 — numbers, and words that are escaped where they are made
            f'<svg class="plot" role="img" aria-label="{escape(summary)}" viewBox="0 0 {WIDTH} {HEIGHT}"'
            f' preserveAspectRatio="none" data-origin="{origin:.0f}" data-ending="{ending:.0f}">'
            f"{_grid()}{''.join(parts)}</svg>"
        )

    def labels(self) -> list[str]:
        """Of the scale, from the top down."""
        return [latency(self._top * row / ROWS) if row else "0 ms" for row in range(ROWS, -1, -1)]

    def ticks(self, columns: int) -> list[datetime]:
        step = (self._window.ending - self._window.origin) / columns
        return [self._window.origin + step * column for column in range(columns + 1)]


def _beside(point: str) -> str:
    x, _, y = point.partition(" ")
    return f"{float(x) + 2} {y}"


def _words(bucket: Bucket, phases: Sequence[tuple[str, Callable[[Bucket], float | None]]]) -> str:
    """Numbers, and words of ours: nothing to escape."""
    words = exact(bucket.at)
    if bucket.p50 is not None:
        words += f" · p50 {latency(bucket.p50)} · p95 {latency(bucket.p95)} · p99 {latency(bucket.p99)}"
    for name, of in phases:
        if ms := of(bucket):
            words += f" · {name} {latency(ms)}"
    words += f" · {number(bucket.checks)} check{'' if bucket.checks == 1 else 's'}"
    return f"{words} · {number(bucket.down)} failed" if bucket.down else words


def runs(buckets: Sequence[Bucket], longest_gap_s: float) -> Iterator[list[Bucket]]:
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


def top(most: float) -> float:
    """The top of a scale that has room for `most`, so that each of its rows is a round number."""
    least = max(most, 1.0) * 1.05 / ROWS
    power = 10.0 ** math.floor(math.log10(least))
    factor = next((factor for factor in (1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0) if factor * power >= least), 10.0)
    return factor * power * ROWS


def _grid() -> str:
    return "".join(f'<path class="grid" d="M0 {HEIGHT * row / ROWS}H{WIDTH}"/>' for row in range(ROWS + 1))
