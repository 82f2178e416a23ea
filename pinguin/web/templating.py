"""Jinja, strict: a name that is not there is an error, and everything is escaped."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import msgspec
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from litestar.response import Template

from pinguin.model import PHASES, REASONS
from pinguin.web import pictures, result_rows, words
from pinguin.web.service import Req

HERE = Path(__file__).parent
STATIC = HERE / "static"


def environment() -> Environment:
    env = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    env.filters |= {
        "ago": words.ago,
        "clock": words.clock,
        "duration": words.duration,
        "latency": words.latency,
        "number": words.number,
        "percent": words.percent,
        "plain": plain,
        "since": words.since,
        "summary": words.summary,
        "tick": words.tick,
    }
    env.globals |= {
        "PHASES": PHASES,
        "REASONS": REASONS,
        "pictures": pictures,
        "result_rows": result_rows,
        "STATUS_WORDS": words.STATUS_WORDS,
        "WINDOWS": {"24 h": 86400, "7 d": 7 * 86400, "30 d": 30 * 86400, "1 y": 365 * 86400},
        "static": static_address,
        "query": query,
    }
    return env


def plain(value: Any) -> str:
    """A value of plain JSON types in a line: texts as they are, all else as JSON."""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


@cache
def static_address(name: str) -> str:
    """The address of one of our files; it changes with the file, so that browsers may keep it for ever."""
    digest = hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:12]
    return f"/static/{name}?v={digest}"


def query(given: Mapping[str, Any], **changes: Any) -> str:
    """`?a=b&…` of what is not empty; "" if nothing is."""
    values = {name: value for name, value in {**given, **changes}.items() if value}
    return "?" + urlencode(values) if values else ""


def render(request: Req, template: str, /, *, status_code: int = 200, **context: Any) -> Template:
    """The page or fragment `template`. Every template has `visit` (None before the sign-in) and `now`."""
    visit = request.state.get("visit")
    return Template(
        template_name=template,
        context={"visit": visit, "now": datetime.now(UTC), **context},
        status_code=status_code,
        media_type="text/html",
    )
