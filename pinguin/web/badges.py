"""Badges: a label and a value as a small SVG, drawn by us. Read by their words; the colour only says the same again.

They show no address, no message and no name, unless somebody writes one into the label. TRAP 20
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from markupsafe import escape

from pinguin.db import Connection
from pinguin.people import Principal
from pinguin.store import audit, badges, monitors
from pinguin.store.badges import Facts
from pinguin.web import audited, words

LONGEST = 40
"""Characters of a label."""
GREEN, YELLOW, RED, BLUE, GREY = "#1a7f37", "#8a6100", "#b42318", "#0550ae", "#57606a"
"""White on each has a contrast of 5 or more."""
COLOURS = {"up": GREEN, "degraded": YELLOW, "down": RED, "maintenance": BLUE}
_HEIGHT, _PAD = 20, 6


@dataclass(frozen=True, slots=True)
class Badge:
    label: str
    value: str
    colour: str


def status(facts: Facts) -> Badge:
    return Badge("status", words.STATUS_WORDS[facts.status], COLOURS.get(facts.status, GREY))


def uptime(facts: Facts) -> Badge:
    if facts.uptime is None:
        return Badge("uptime", "unknown", GREY)
    colour = GREEN if facts.uptime >= 0.999 else YELLOW if facts.uptime >= 0.99 else RED
    return Badge("uptime", words.percent(facts.uptime), colour)


def latency(facts: Facts) -> Badge:
    if facts.latency_ms is None:
        return Badge("latency", "unknown", GREY)
    return Badge("latency", words.latency(facts.latency_ms), BLUE)


def certificate(facts: Facts) -> Badge:
    if facts.certificate_days is None:
        return Badge("certificate", "unknown", GREY)
    days = math.floor(facts.certificate_days)
    value = "expired" if days < 0 else f"{days} day{'s' if days != 1 else ''}"
    return Badge("certificate", value, RED if days < 7 else YELLOW if days < 21 else GREEN)


KINDS: Mapping[str, Callable[[Facts], Badge]] = {
    "status": status,
    "uptime": uptime,
    "latency": latency,
    "certificate": certificate,
}


def draw(badge: Badge) -> str:
    """The SVG. Texts are fitted into their boxes, whatever font the reader has."""
    left, right = _width(badge.label), _width(badge.value)
    label, value = escape(badge.label), escape(badge.value)
    wide = left + right
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{wide}" height="{_HEIGHT}" viewBox="0 0 {wide} {_HEIGHT}"'
        f' role="img" aria-label="{label}: {value}"><title>{label}: {value}</title>'
        f'<clipPath id="r"><rect width="{wide}" height="{_HEIGHT}" rx="3"/></clipPath>'
        f'<g clip-path="url(#r)"><rect width="{left}" height="{_HEIGHT}" fill="#30363d"/>'
        f'<rect x="{left}" width="{right}" height="{_HEIGHT}" fill="{badge.colour}"/></g>'
        f'<g fill="#fff" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11">'
        f"{_text(str(label), _PAD, left)}{_text(str(value), left + _PAD, right)}</g></svg>\n"
    )


def _text(text: str, x: int, width: int) -> str:
    return f'<text x="{x}" y="14" textLength="{width - 2 * _PAD}" lengthAdjust="spacingAndGlyphs">{text}</text>'


def _width(words: str) -> int:
    """Of its box in pixels, by how wide letters are about."""
    return 2 * _PAD + round(
        sum(4 if letter in "iljft.,:;'|! " else 10 if letter in "mwMW%@" else 7 for letter in words)
    )


async def open_link(conn: Connection, who: Principal, monitor_id: int) -> None:
    """Anybody who has the link may see the badges from now on. One that is there stays. Raises `NotFound`."""
    async with conn.transaction():
        monitor = await monitors.get(conn, monitor_id)
        if await badges.open_link(conn, monitor_id):
            change = {"badges": "for people who are signed in"}, {"badges": "for anybody with the link"}
            await audit.write(conn, who, "monitor.badges", audited.monitor_thing(monitor), *change)


async def close_link(conn: Connection, who: Principal, monitor_id: int) -> None:
    """The link shows nothing any more, and never will again. Raises `NotFound`."""
    async with conn.transaction():
        monitor = await monitors.get(conn, monitor_id)
        if await badges.close_link(conn, monitor_id):
            change = {"badges": "for anybody with the link"}, {"badges": "for people who are signed in"}
            await audit.write(conn, who, "monitor.badges", audited.monitor_thing(monitor), *change)


def addresses(base: str, monitor_id: int, key: str | None) -> dict[str, str]:
    """By kind. key: None for who is signed in."""
    more = f"?key={key}" if key else ""
    return {kind: f"{base}/badge/{monitor_id}/{kind}.svg{more}" for kind in KINDS}
