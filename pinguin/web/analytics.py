"""The questions of sql/analytics/: each file is one, runs in psql as it is, and says in its head what it answers.

    -- Title in one line
    -- What it counts, in as many lines as it needs.
    with asked as (select
      null::bigint as monitor,  -- its number; null: every monitor
      now() - interval '30 days' as since,
      now() as until
    )
    select …

What stands in `asked` can be given: /sql?question=uptime&monitor=7&from=2026-01-01&to=2026-02-01.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache

from pinguin.db import SQL
from pinguin.errors import NotFound

FOLDER = SQL / "analytics"
_ASKED = re.compile(r"with asked as \(select\n(.*?)\n\)", re.DOTALL)
_LINE = re.compile(r"^  (.+?) as (\w+)(,?)((?:  --.*)?)$", re.MULTILINE)

Given = int | datetime


@dataclass(frozen=True, slots=True)
class Question:
    """name: of its file. sql: all of it, its head too. parameters: what may be given."""

    name: str
    title: str
    about: str
    sql: str
    parameters: tuple[str, ...]

    def filled(self, given: Mapping[str, Given]) -> str:
        """The SQL with these values in place of its own; what it does not know is left out."""
        found = _ASKED.search(self.sql)
        if not found:
            return self.sql
        start, end = found.span(1)
        asked = _LINE.sub(lambda line: _line(line, given), found[1])
        return self.sql[:start] + asked + self.sql[end:]


def _line(line: re.Match[str], given: Mapping[str, Given]) -> str:
    _, name, comma, comment = line.groups()
    value = given.get(name)
    if value is None:
        return line[0]
    text = f"timestamptz '{value.isoformat()}'" if isinstance(value, datetime) else f"{value}::bigint"
    return f"  {text} as {name}{comma}{comment}"


@cache
def questions() -> Mapping[str, Question]:
    """All of them by name, in the order of their titles."""
    found = [_read(path.stem, path.read_text()) for path in FOLDER.glob("*.sql")]
    return {each.name: each for each in sorted(found, key=lambda each: each.title)}


def question(name: str) -> Question:
    found = questions().get(name)
    if found is None:
        raise NotFound(f"There is no question {name[:100]!r}.")
    return found


def _read(name: str, sql: str) -> Question:
    head = re.match(r"(?:--[^\n]*\n)+", sql)
    lines = [line.removeprefix("--").strip() for line in head[0].splitlines()] if head else [name]
    asked = _ASKED.search(sql)
    parameters = tuple(line[2] for line in _LINE.finditer(asked[1])) if asked else ()
    return Question(name, lines[0], " ".join(lines[1:]), sql, parameters)
