"""sql/queries/questions.sql: what people ask in SQL, answered under every bound that there is.

    async with asking(url, limit_s=10) as conn:
        async for part in answer(conn, "select 1"):
            ...

Each question has a connection of its own, so nothing that it leaves in a session meets anybody. It is parsed first,
within a view that is rolled back, and refused if it names a table or a function that people have no business with: a
role alone does not do, as set_config('role', …) and a function that runs SQL from a text undo it. Then it runs as the
role pinguin_reader in a read-only transaction, one statement by the extended protocol, with statement_timeout.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import psycopg
from psycopg import AsyncConnection
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import class_row

from pinguin.db import Connection, queries
from pinguin.errors import PinguinError, Unavailable

_SQL = queries("questions")

LONGEST = 20_000
"""Characters of a question."""
_TAIL = "\n" + _SQL["look_after"]

_BLANK = re.compile(r"(?:\s|\(|--[^\n]*(?:\n|\Z)|/\*.*?\*/)*", re.DOTALL)
_ASKS = re.compile(r"(?:select|with|values|table)\b", re.IGNORECASE)

Row = list[str | None]
"""Cells as PostgreSQL writes them."""


class Refused(PinguinError):
    """A question that cannot be answered. position: of the character that is wrong, from 0, if one is.

    hint: what to do about it, "" if nobody said.
    """

    def __init__(self, words: str, hint: str = "", position: int | None = None) -> None:
        super().__init__(words)
        self.hint = hint
        self.position = position


@dataclass(frozen=True, slots=True)
class Column:
    """Of a view. type: as PostgreSQL calls it."""

    name: str
    type: str
    meaning: str


@dataclass(frozen=True, slots=True)
class View:
    name: str
    about: str
    columns: list[Column] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Function:
    name: str
    arguments: str
    result: str
    about: str


@dataclass(frozen=True, slots=True)
class Part:
    """Some rows of an answer. names, types: of its columns; types are OIDs."""

    names: list[str]
    types: list[int]
    rows: list[Row]


async def catalogue(conn: Connection) -> list[View]:
    """What there is to ask."""
    found: dict[str, View] = {}
    for view, about, name, type_, meaning in await (await conn.execute(_SQL["catalogue"])).fetchall():
        found.setdefault(view, View(view, about or "")).columns.append(Column(name, type_, meaning or ""))
    return list(found.values())


async def functions(conn: Connection) -> list[Function]:
    async with conn.cursor(row_factory=class_row(Function)) as cursor:
        await cursor.execute(_SQL["functions"])
        return await cursor.fetchall()


async def why_not(conn: Connection) -> str:
    """Why nothing can be asked on this server; "" where it can."""
    row = await (await conn.execute(_SQL["reader"])).fetchone()
    assert row is not None
    me, admitted, harmless = row
    if not admitted:
        return (
            "The database has no role pinguin_reader that Pinguin may use, as its own user may not make one. Somebody"
            f" who may has to run: create role pinguin_reader; grant pinguin_reader to {me}; select admit_reader();"
        )
    if not harmless:
        return "The role pinguin_reader may do more than read the views for people: take its other rights from it."
    return ""


@asynccontextmanager
async def asking(url: str, limit_s: float) -> AsyncIterator[Connection]:
    """A connection for one question. limit_s: how long one statement on it may take."""
    limit_ms = round(limit_s * 1000)
    bounds = {
        "statement_timeout": limit_ms,
        "idle_in_transaction_session_timeout": 6 * limit_ms,
        "max_parallel_workers_per_gather": 0,
        "search_path": "history,public",
        "timezone": "UTC",
        "datestyle": "ISO",
        "intervalstyle": "postgres",
    }
    options = " ".join(f"-c {name}={value}" for name, value in bounds.items())
    given = f"{conninfo_to_dict(url).get('options') or ''} {options}".strip()
    whole = make_conninfo(url, options=given, application_name="pinguin sql", connect_timeout=5)
    try:
        conn = await AsyncConnection.connect(whole, autocommit=True)
    except psycopg.OperationalError as error:
        raise Unavailable(f"the database does not answer: {error}") from error
    try:
        yield conn
    except psycopg.OperationalError as error:
        if not conn.closed and error.sqlstate:
            raise
        raise Unavailable("the database ended the connection while it looked for the answer") from error
    finally:
        await conn.close()


async def answer(conn: Connection, question: str, within_s: float) -> AsyncGenerator[Part]:
    """The answer in parts of up to a thousand rows; the first has the columns even if it has no rows.

    within_s: no new part is begun after that. Raises `Refused`.
    """
    text = _one_question(question)
    deadline = asyncio.get_running_loop().time() + within_s
    await _judge(conn, text)
    async with conn.transaction(force_rollback=True):
        await conn.execute(_SQL["read_only"])
        await conn.execute(_SQL["become_reader"])
        await _execute(conn, _SQL["declare"] + "\n", text)
        while True:
            part = await _fetch(conn)
            yield part
            if not part.rows:
                return
            if asyncio.get_running_loop().time() > deadline:
                raise Refused(f"The whole answer takes longer than {within_s:g} s.", "Ask for less of it.")


def _one_question(text: str) -> str:
    text = text.replace("\r\n", "\n").rstrip().rstrip(";").rstrip()
    if len(text) > LONGEST:
        raise Refused(f"The question is longer than {LONGEST} characters.")
    if "\x00" in text:
        raise Refused("There is a character in it that SQL does not know.", position=text.index("\x00"))
    blank = _BLANK.match(text)
    start = blank.end() if blank else 0
    if start == len(text):
        raise Refused("There is no question in it.")
    if not _ASKS.match(text, start):
        words = "Only a question can be asked: one statement that begins with SELECT, WITH, VALUES or TABLE."
        raise Refused(words, position=start)
    return text


async def _judge(conn: Connection, text: str) -> None:
    async with conn.transaction(force_rollback=True):
        await _execute(conn, _SQL["look_before"] + "\n", text, _TAIL)
        found = await (await conn.execute(_SQL["judge"])).fetchall()
    if not found:
        return
    kind, name = found[0]
    if kind == "table":
        words = f"{name} is not one of the views in the schema history; only they can be asked."
        raise Refused(words, "The list of them is on the page SQL.")
    raise Refused(f"The function {name.removeprefix('pg_catalog.')} cannot be used here, as it does more than compute.")


async def _execute(conn: Connection, before: str, text: str, after: str = "") -> None:
    """Prepared, so that it is one statement: the simple protocol would take several."""
    try:
        await conn.execute((before + text + after).encode("utf-8", "replace"), prepare=True)
    except psycopg.Error as error:
        raise _refusal(error, len(before), text) from error


async def _fetch(conn: Connection) -> Part:
    try:
        cursor = await conn.execute(_SQL["fetch"])
    except psycopg.Error as error:
        raise _refusal(error, 0, "") from error
    found = cursor.pgresult
    assert found is not None
    names = [(found.fname(place) or b"").decode("utf-8", "replace") for place in range(found.nfields)]
    types = [found.ftype(place) for place in range(found.nfields)]
    rows: list[Row] = []
    for number in range(found.ntuples):
        cells = [found.get_value(number, place) for place in range(found.nfields)]
        rows.append([None if cell is None else cell.decode("utf-8", "replace") for cell in cells])
    return Part(names, types, rows)


def _refusal(error: psycopg.Error, before: int, text: str) -> Exception:
    """In the person's own terms: places are counted from the beginning of what they wrote."""
    if isinstance(error, psycopg.errors.QueryCanceled):
        return Refused("The answer took too long, so it was stopped.", "Ask for less: a shorter time, fewer monitors.")
    if isinstance(error, psycopg.OperationalError) and not error.sqlstate:
        return error
    words = (error.diag.message_primary or str(error)).replace(_TAIL, "").strip()
    hint = " ".join(filter(None, [error.diag.message_detail, error.diag.message_hint]))
    position = int(error.diag.statement_position) - 1 - before if error.diag.statement_position else None
    if position is not None and position < 0:
        position = None
    if isinstance(error, psycopg.errors.SyntaxError):
        ends_there = position is not None and text[position : position + 1] == ";"
        if ends_there or "multiple commands" in words:
            return Refused("Only one statement can be asked at a time.", position=position if ends_there else None)
    if position is not None and position >= len(text):
        words = words.replace('at or near ")"', "at the end").replace("at end of input", "at the end")
        return Refused(words, hint, len(text))
    return Refused(_sentence(words), hint, position)


def _sentence(words: str) -> str:
    return words[:1].upper() + words[1:] + ("" if words.endswith((".", "?", "!")) else ".")
