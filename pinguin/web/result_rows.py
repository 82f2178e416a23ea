"""Rows of the table of results, and what their checks saw. Drawn here: macros take several times as long."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from pinguin.model import REASONS
from pinguin.web import pictures
from pinguin.web.pattern import Pattern
from pinguin.web.views import Line
from pinguin.web.words import clock, latency

_ROW = Pattern(
    '<tr class="s-%s" data-check="%s %s"><td data-label="Slot">%s</td><td data-label="Status">%s</td>'
    '<td data-label="Latency" class="right">%s</td><td data-label="Phases">%s</td><td data-label="Region">%s</td>'
    '<td class="grow"><details class="evidence"><summary>%s</summary>%s%s'
    '<p class="fine">Started %s after its slot.</p></details></td></tr>\n'
)
_WHY = Pattern("<b>%s</b> %s")
_FACTS = Pattern('<dl class="facts">%s</dl>')
_FACT = Pattern("<div><dt>%s</dt><dd>%s</dd></div>")
_NAMES = {True: "yes", False: "no", None: "–"}


def rows(lines: Sequence[Line]) -> Markup:
    return Markup("").join([_row(line) for line in lines])


def value(found: Any) -> Markup | str:
    """A value of plain JSON types for people, objects as lists of facts. Texts are not escaped yet."""
    if isinstance(found, Mapping):
        facts = [_FACT(name.replace("_", " "), value(item)) for name, item in found.items()]
        return _FACTS(Markup("").join(facts))
    if isinstance(found, list | tuple):
        if found and isinstance(found[0], Mapping):
            return Markup("").join([value(item) for item in found])
        return ", ".join(map(str, found)) or "none"
    return _NAMES[found] if found is None or isinstance(found, bool) else str(found)


def _row(line: Line) -> Markup:
    r = line.result
    return _ROW(
        r.status,
        r.scheduled_at.isoformat(),
        r.region,
        clock(r.scheduled_at),
        pictures.badge(r.status),
        latency(r.latency_ms),
        pictures.phases(line.phases),
        r.region,
        _WHY(r.reason, r.message or REASONS.get(r.reason, "")) if r.reason else "Evidence",
        pictures.legend(line.phases),
        value(r.evidence),
        _late((r.started_at - r.scheduled_at).total_seconds()),
    )


def _late(seconds: float) -> str:
    return latency(seconds * 1000) if seconds > 0 else "0 ms"
