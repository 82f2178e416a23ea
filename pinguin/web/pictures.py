"""Small pictures that a page has by the hundred. Drawn here: a macro takes ten times as long."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

from markupsafe import Markup

from pinguin.model import PHASES
from pinguin.web.pattern import Pattern
from pinguin.web.views import Piece
from pinguin.web.words import STATUS_WORDS, latency

_MARKS: Mapping[str, Markup] = {
    "up": Markup(
        '<circle class="fill" cx="10" cy="10" r="8"/><path class="cut" d="m6.300 10.300 2.500 2.500 5-5.400"/>'
    ),
    "degraded": Markup(
        '<path class="fill" d="M8.700 2.600a1.500 1.500 0 0 1 2.600 0l7.200 12.600a1.500 1.500 0 0 1-1.300'
        ' 2.300H2.800a1.500 1.500 0 0 1-1.300-2.300z"/><path class="cut" d="M10 7.300v4.200M10 14.400v.1"/>'
    ),
    "down": Markup(
        '<path class="fill" d="M6.700 2h6.600L18 6.700v6.600L13.300 18H6.700L2 13.300V6.700z"/>'
        '<path class="cut" d="m7 7 6 6M13 7l-6 6"/>'
    ),
    "unknown": Markup(
        '<circle class="ring dash" cx="10" cy="10" r="7.200"/><path class="stroke"'
        ' d="M8 8.200a2 2 0 1 1 2.800 1.900c-.6.300-.8.700-.8 1.300M10 13.900v.1"/>'
    ),
    "pending": Markup(
        '<circle class="ring" cx="10" cy="10" r="7.200"/><path class="stroke" d="M10 6.300V10l2.400 1.700"/>'
    ),
    "paused": Markup(
        '<circle class="ring" cx="10" cy="10" r="7.200"/>'
        '<path class="stroke" d="M8.200 7.300v5.400M11.800 7.300v5.400"/>'
    ),
    "maintenance": Markup(
        '<rect class="ring" x="2.800" y="2.800" width="14.400" height="14.400" rx="3.500"/>'
        '<path class="stroke" d="M6.500 10h7"/>'
    ),
}
_ICON = Pattern('<svg class="icon i-%s" viewBox="0 0 20 20" width="%s" height="%s" aria-hidden="true">%s</svg>')
_BADGE = Pattern('<span class="badge s-%s">%s%s</span>')
_PHASE = Pattern('<rect class="p-%s" x="%s" y="0" width="%s" height="8"><title>%s</title></rect>')
_PHASES = Pattern(
    '<svg class="phases" role="img" aria-label="%s" viewBox="0 0 100 8" preserveAspectRatio="none" width="120"'
    ' height="8">%s</svg>'
)
_LEGEND = Pattern('<ul class="legend">%s</ul>')
_ENTRY = Pattern('<li><i class="p-%s"></i>%s <b>%s</b></li>')
_WORDS = {name: name.replace("_", " ") for name in PHASES}


@lru_cache(maxsize=128)
def icon(status: str, size: int = 18) -> Markup:
    """A status by its shape. size: of a side, in pixels."""
    return _ICON(status, size, size, _MARKS[status])


@lru_cache(maxsize=16)
def badge(status: str) -> Markup:
    """A status by shape and word."""
    return _BADGE(status, icon(status, 16), STATUS_WORDS[status])


def phases(pieces: Sequence[Piece]) -> Markup:
    """The phases of a check in a row; nothing where there are none. Their names are those of `PHASES`."""
    if not pieces:
        return Markup()
    words = [f"{_WORDS[name]} {latency(ms)}" for name, ms, _, _ in pieces]
    drawn = [_PHASE(name, start, width, said) for (name, _, start, width), said in zip(pieces, words, strict=True)]
    return _PHASES(", ".join(words), Markup("").join(drawn))


def legend(pieces: Sequence[Piece]) -> Markup:
    """What `phases` shows, in words."""
    return _LEGEND(Markup("").join([_ENTRY(name, _WORDS[name], latency(ms)) for name, ms, _, _ in pieces]))
