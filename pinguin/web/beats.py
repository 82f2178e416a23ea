"""The last-beats bar: one mark a slot, told apart by shape as well as by colour."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import groupby
from operator import itemgetter
from typing import NamedTuple

from markupsafe import Markup, escape

from pinguin.store.pages import Beat
from pinguin.web.words import STATUS_WORDS, exact, latency

BEATS = 30
STEP = 7
HEIGHT = 24

_SHAPES = {
    "up": "M{0} 4.5a2.5 2.5 0 0 1 5 0v15a2.5 2.5 0 0 1-5 0z",
    "degraded": "M{0} 14a2.5 2.5 0 0 1 5 0v5.5a2.5 2.5 0 0 1-5 0zm.4-7.5a2.1 2.1 0 1 0 4.2 0a2.1 2.1 0 1 0-4.2 0z",
    "down": "M{0} 2h5v7l-5 2.6zM{0} 15l5-2.6v9.6h-5z",
    "unknown": "M{0}.75 4.5a1.75 1.75 0 0 1 3.5 0v15a1.75 1.75 0 0 1-3.5 0z",
    "none": "M{0} 12m1 0a1.5 1.5 0 1 0 3 0a1.5 1.5 0 1 0-3 0z",
}
"""A full bar, a short bar under a dot, a broken bar, an empty bar, a dot."""

_FLOOR = "M{0} 23h7v1h-7z"
"""Under what was in maintenance: a line that its neighbours go on with."""

_WORST = ("down", "unknown", "degraded", "up")


_DRAWN = {
    (status, False): [f'<path class="b-{status}" d="{shape.format(place * STEP + 1)}">' for place in range(BEATS)]
    for status, shape in _SHAPES.items()
} | {
    (status, True): [
        f'<path class="b-{status} resting" d="{shape.format(place * STEP + 1)}{_FLOOR.format(place * STEP)}">'
        for place in range(BEATS)
    ]
    for status, shape in _SHAPES.items()
}
"""The beginnings of the marks, in maintenance or not, at each of their places."""
_VOID = [f'<path class="b-void" d="{_SHAPES["none"].format(place * STEP + 1)}"/>' for place in range(BEATS)]


class Mark(NamedTuple):
    status: str
    words: str
    maintained: bool = False


def marks(beats: Sequence[Beat], interval_s: int | None, *, live: bool, now: datetime | None = None) -> list[Mark]:
    """The last `BEATS` marks, oldest first. Slots without a result are marks of status `none`.

    beats: newest first. interval_s: None where results come when they come. live: results are expected by now, so a
    silence at the end is shown as well.
    """
    found: list[Mark] = []
    previous: datetime | None = None
    widest = None if interval_s is None else timedelta(seconds=interval_s * 1.6)
    for at, group in groupby(sorted(beats, key=_at), _at):
        if previous is not None and widest is not None and at - previous > widest:
            found.append(Mark("none", f"no result between {exact(previous)} and {exact(at)}"))
        found.append(_slot(at, list(group)))
        previous = at
    if live and previous is not None and interval_s is not None and _silent(previous, interval_s, now):
        found.append(Mark("none", f"no result since {exact(previous)}"))
    return found[-BEATS:]


def bar(found: Sequence[Mark]) -> Markup:
    """`found` as a picture of a fixed size, the newest at the right."""
    padding = BEATS - len(found)
    drawn = _VOID[:padding]
    drawn += [
        f"{_DRAWN[status, maintained][place]}<title>{escape(words) if _RISKY(words) else words}</title></path>"
        for place, (status, words, maintained) in enumerate(found, padding)
    ]
    width = BEATS * STEP
    return Markup(  # noqa: S704 — every part is escaped or our own
        f'<svg class="beats" role="img" aria-label="{escape(summary(found))}" viewBox="0 0 {width} {HEIGHT}"'
        f' width="{width}" height="{HEIGHT}">{"".join(drawn)}</svg>'
    )


def summary(found: Sequence[Mark]) -> str:
    """The bar in words, for those who do not see it."""
    if not found:
        return "No checks yet"
    counts = [(status, sum(mark.status == status for mark in found)) for status in (*_WORST, "none")]
    words = [f"{count} {STATUS_WORDS.get(status, 'missing')}" for status, count in counts if count]
    maintained = sum(mark.maintained for mark in found)
    of_them = f"; {maintained} of them in maintenance" if maintained else ""
    return f"Last {len(found)} check{'' if len(found) == 1 else 's'}: {', '.join(words)}{of_them}"


_RISKY = re.compile(r"[&<>\"']").search
"""What has to be escaped; most words do not."""

_at = itemgetter(Beat._fields.index("scheduled_at"))


def _slot(at: datetime, beats: Sequence[Beat]) -> Mark:
    worst = beats[0] if len(beats) == 1 else min(beats, key=lambda beat: _WORST.index(beat.status))
    _, _, region, status, reason, message, ms, maintained = worst
    words = f"{exact(at)} · {STATUS_WORDS[status]}"
    if maintained:
        words += ", in maintenance"
    if len(beats) > 1:
        words += f" · worst of {len(beats)} regions, in {region}"
    if ms is not None:
        words += f" · {latency(ms)}"
    if reason:
        words += f" · {reason}: {message}" if message else f" · {reason}"
    return Mark(status, words, maintained)


def _silent(previous: datetime, interval_s: int, now: datetime | None) -> bool:
    return ((now or datetime.now(UTC)) - previous).total_seconds() > interval_s * 2.5 + 30
