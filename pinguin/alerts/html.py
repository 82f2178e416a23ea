"""A message as an HTML document that mail clients draw: tables, styles on the tags, no script, no picture, no link to
anything of ours but the pages."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup, escape

from pinguin.alerts.sheet import Sheet

COLOURS = {"bad": "#d92d20", "warn": "#c77700", "good": "#12823b", "plain": "#5f6672"}
"""Of the bar beside the title: each can be seen on white and on black."""

_URL = re.compile(r"https?://[^\s<>\"']+[^\s<>\"'.,;:!?)\]]")


def document(sheet: Sheet, text: str | None = None) -> str:
    """`sheet` as a document; with `text` (somebody's own template) in the place of facts and links."""
    body = None if text is None else linked(text)
    preheader = sheet.facts[0].value if sheet.facts else ""
    return _layout().render(sheet=sheet, text=body, colours=COLOURS, preheader=preheader)


def linked(text: str) -> Markup:
    """Plain text as HTML: line breaks stay, and what looks like a URL is a link."""
    parts, end = [], 0
    for found in _URL.finditer(text):
        parts += [escape(text[end : found.start()]), Markup('<a href="{0}">{0}</a>').format(found[0])]
        end = found.end()
    parts.append(escape(text[end:]))
    return Markup("").join(parts).replace("\n", Markup("<br>\n"))


@cache
def _layout() -> Template:
    folder = Path(__file__).parent / "layout"
    return Environment(
        loader=FileSystemLoader(folder), autoescape=True, undefined=StrictUndefined, keep_trailing_newline=True
    ).get_template("message.html")
