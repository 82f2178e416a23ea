"""Numbers and times as people read them. Every number gets its unit."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime

from markupsafe import Markup

STATUS_WORDS = {
    "up": "up",
    "degraded": "degraded",
    "down": "down",
    "unknown": "unknown",
    "pending": "waiting",
    "paused": "paused",
    "maintenance": "maintenance",
}
"""What each status is called on a page."""

_LINK = re.compile(r"\[([^\]]+)\]\([^)]*\)")
_UNITS = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))


def latency(ms: float | None) -> str:
    """Three digits at most: 0.42 ms, 8.1 ms, 84 ms, 1.24 s; from ten minutes on as `duration`."""
    if ms is None:
        return "–"
    if ms >= 600_000:
        return duration(ms / 1000)
    if ms >= 999.5:
        return f"{ms / 1000:.{2 if ms < 9995 else 1}f} s"
    if ms >= 99.5:
        return f"{ms:.0f} ms"
    if ms >= 9.95:
        return f"{ms:.1f} ms".replace(".0 ms", " ms")
    return f"{ms:.2f} ms"


def duration(seconds: float | None) -> str:
    """The two largest units: 45 s, 3 min 20 s, 2 h 5 min, 12 d 4 h."""
    if seconds is None:
        return "–"
    left = max(0, round(seconds))
    parts: list[str] = []
    for size, unit in _UNITS:
        count, left = divmod(left, size)
        if count or parts:
            parts.append(f"{count} {unit}" if count else "")
        if len(parts) == 2:
            break
    return " ".join(part for part in parts if part) or "0 s"


def percent(share: float | None) -> str:
    """Never rounded up to 100 %: 99.998 % is not 100 %."""
    if share is None:
        return "–"
    if share >= 1:
        return "100 %"
    hundredths = math.floor(share * 1e5 + 1e-6) / 1e3
    return f"{hundredths:.{3 if hundredths >= 99.9 else 2}f} %"


def number(count: float) -> str:
    """Thousands apart: 86 400."""
    return f"{count:,.0f}".replace(",", " ")


def exact(moment: datetime) -> str:
    return f"{moment.astimezone(UTC).isoformat(' ', 'seconds')[:19]} UTC"


def ago(moment: datetime | None, now: datetime | None = None) -> Markup:
    """How long ago, with the exact time on hover; a script keeps it true as time goes by."""
    if moment is None:
        return Markup("never")
    seconds = ((now or datetime.now(UTC)) - moment).total_seconds()
    text = "just now" if seconds < 5 else f"{_largest(seconds)} ago"
    return _time(moment, text, "ago")


def since(moment: datetime, now: datetime | None = None) -> Markup:
    """How long until now."""
    seconds = ((now or datetime.now(UTC)) - moment).total_seconds()
    return _time(moment, duration(seconds), "since")


def clock(moment: datetime) -> Markup:
    """The moment itself, to the second."""
    return _time(moment, exact(moment), "exact")


def tick(moment: datetime, style: str) -> Markup:
    """A label of a time axis. style: `time` or `date`."""
    text = moment.astimezone(UTC).strftime("%H:%M" if style == "time" else "%-d %b")
    return _time(moment, text, f"tick-{style}")


def _time(moment: datetime, text: str, kind: str) -> Markup:
    words = exact(moment)
    iso = f"{words[:10]}T{words[11:19]}Z"
    return Markup(f'<time datetime="{iso}" title="{words}" data-time="{kind}">{text}</time>')  # noqa: S704 — ours, all


def _largest(seconds: float) -> str:
    left = max(1, round(seconds))
    size, unit = next((size, unit) for size, unit in _UNITS if left >= size)
    return f"{left // size} {unit}"


def summary(doc: str) -> str:
    """The first paragraph of a docstring, its links as words alone."""
    return _LINK.sub(r"\1", doc.partition("\n\n")[0].replace("\n", " "))
