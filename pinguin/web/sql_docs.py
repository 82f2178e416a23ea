"""docs/sql.md, written from the migrations and the questions themselves: `python -m pinguin.web.sql_docs`."""

from __future__ import annotations

import re
from pathlib import Path

from pinguin.db import SQL
from pinguin.web import sql_answer
from pinguin.web.analytics import Question, questions

PATH = Path(__file__).parents[2] / "docs" / "sql.md"
_COMMENT = re.compile(r"^comment on (view|function) history\.(\w+) is\s+'((?:[^']|'')*)';", re.MULTILINE)

HEAD = """\
# Ask in SQL

Written by `python -m pinguin.web.sql_docs` from the migrations and from `sql/analytics`; a test compares the two.
Do not edit it.

The schema `history` is made for people: its views and functions keep their names while the tables below them change,
and hold no options, secrets or accounts. Ask it

- on the page **SQL**, which lists the views with their columns, has the questions below one click away, and downloads
  answers as CSV and JSON. It takes an editor or an owner to ask; viewers see how each number is computed;
- in psql: `make psql`, then `\\dv history.*`, `\\d+ history.results`, or `\\i uptime.sql` for one of the questions;
- from a program, with the role `pinguin_reader`.

## What may be asked, and what stops it

A question of the page is one `SELECT` (or `WITH`, `VALUES`, `TABLE`). It is parsed first, and refused if it names
anything but the views and functions of `history` and functions that compute; so nothing in it can change the role,
sleep, take locks, read files or run SQL from a text. Then it runs on a connection of its own, as `pinguin_reader`, in a
read-only transaction, for {limit:g} s at most. The page shows {shown:,} rows, a file has up to {downloaded:,}. Each
question is written into the audit log.

**On the embedded database** there is one session: while a question is answered, everything else waits (checks go on,
and their results are recorded right after it). So it is stopped after {embedded:g} s. A question that does not hear
that it is to stop ends the database, which starts again within seconds without losing what was recorded. There are no
passwords: who can reach its socket is its superuser, and the role protects the page, not the socket.

**On a server** the role can be lent to other programs:

```sql
alter role pinguin_reader login password '…';
```

It may read the schema `history` and nothing else. At its sign-in the server sets `default_transaction_read_only`,
`statement_timeout` to 60 s and `search_path` to `history, public`; a program may set them otherwise for itself, and
gains no right by that. Migrations make the role. Where the server does not let them, the page says so until somebody
who may runs

```sql
create role pinguin_reader;
grant pinguin_reader to pinguin;  -- or as Pinguin's own user is called
select admit_reader();
```

## The views

| view | what it holds |
|---|---|
"""

FUNCTIONS = """
| function | what it answers |
|---|---|
"""

QUESTIONS = """
## {count} questions

Each is a file of `sql/analytics` and runs as it is. What stands in `asked` is meant to be changed; on the page it can
be given in the address: `/sql?question=uptime&monitor=7&from=2026-01-01&to=2026-02-01` (`from` is `since`, `to` is
`until`). Each has a test that compares its answer with numbers computed in another way.

"""


def text() -> str:
    """The whole file."""
    found = questions().values()
    head = HEAD.format(
        limit=sql_answer.LIMIT_S,
        embedded=sql_answer.EMBEDDED_LIMIT_S,
        shown=sql_answer.SHOWN,
        downloaded=sql_answer.DOWNLOADED,
    )
    contents = "".join(f"- [{each.title}](#{each.name})\n" for each in found)
    parts = [head, _table("view"), FUNCTIONS, _table("function"), QUESTIONS.format(count=_count(len(found))), contents]
    return "".join(parts) + "".join(map(_section, found))


def _table(kind: str) -> str:
    rows = {}
    for path in sorted((SQL / "migrations").glob("*.sql")):
        for found, name, words in _COMMENT.findall(path.read_text()):
            if found == kind:
                rows[name] = words.replace("''", "'").replace("|", "\\|")
    return "".join(f"| `{name}` | {words} |\n" for name, words in rows.items())


def _section(each: Question) -> str:
    return f'\n### <a name="{each.name}"></a>{each.title}\n\n{each.about}\n\n```sql\n{_body(each.sql)}\n```\n'


def _body(sql: str) -> str:
    """Without the head, which stands above it."""
    return re.sub(r"\A(?:--[^\n]*\n)+", "", sql).strip()


def _count(number: int) -> str:
    tens = {20: "Twenty", 30: "Thirty"}
    ones = ("", "-one", "-two", "-three", "-four", "-five", "-six", "-seven", "-eight", "-nine")
    return tens[number // 10 * 10] + ones[number % 10] if number // 10 * 10 in tens else str(number)


def main() -> None:
    PATH.write_text(text(), encoding="utf-8")
    print(f"{PATH.relative_to(PATH.parents[1])}: {len(questions())} questions")


if __name__ == "__main__":
    main()
