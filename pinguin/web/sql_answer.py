"""Answers to questions in SQL: as a table of a page, and as a file."""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from typing import IO, Literal

from pinguin.errors import Unavailable
from pinguin.store import questions
from pinguin.store.questions import Part, Refused, Row
from pinguin.web import csv_text
from pinguin.web.service import Web

SHOWN = 1000
DOWNLOADED = 100_000
"""Rows."""
LIMIT_S = 10.0
EMBEDDED_LIMIT_S = 5.0
"""Where everybody waits for the answer."""
CELL = 500
"""Characters of a cell that a page shows."""
PAGE_BYTES = 8 * 2**20
FILE_BYTES = 256 * 2**20
KEPT_IN_MEMORY = 4 * 2**20

Format = Literal["csv", "json"]

_NUMBERS = {20, 21, 23, 26, 700, 701, 1700}  # int8, int2, int4, oid, float4, float8, numeric
_BOOL, _JSON = 16, {114, 3802}
_CHUNK = 2**16


@dataclass(slots=True)
class Table:
    """What a page shows of an answer. numeric: which columns stand on the right. more: there are further rows."""

    names: list[str] = field(default_factory=list)
    numeric: list[bool] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    more: bool = False


async def table(web: Web, question: str, limit_s: float) -> Table:
    """Up to `SHOWN` rows of the answer. Raises `Refused`."""
    found = Table()
    weight = 0
    async with _answer(web, question, limit_s) as parts:
        async for part in parts:
            found.names, found.numeric = part.names, [each in _NUMBERS for each in part.types]
            found.rows += [[_short(cell) for cell in row] for row in part.rows]
            weight += _weight(part)
            if len(found.rows) > SHOWN or weight > PAGE_BYTES:
                found.more = True
                break
    found.rows = found.rows[:SHOWN]
    return found


async def file(web: Web, question: str, limit_s: float, form: Format) -> tuple[IO[bytes], int]:
    """The answer as a file that is read from its beginning, and how many rows it has: `DOWNLOADED` at most.

    It is whole before the first byte is sent: on the embedded database nobody could do anything while a slow reader
    takes it. Raises `Refused`.
    """
    kept: IO[bytes] = tempfile.SpooledTemporaryFile(KEPT_IN_MEMORY)  # noqa: SIM115
    count = 0
    write = _CsvWriter(kept) if form == "csv" else _JsonWriter(kept)
    try:
        async with _answer(web, question, limit_s) as parts:
            async for part in parts:
                rows = part.rows[: DOWNLOADED - count]
                count += len(rows)
                write.part(part, rows)
                if kept.tell() > FILE_BYTES:
                    raise Refused(f"The answer is larger than {FILE_BYTES >> 20} MiB.", "Ask for fewer columns.")
                if count >= DOWNLOADED:
                    break
        write.end()
    except BaseException:
        kept.close()
        raise
    kept.seek(0)
    return kept, count


async def chunks(kept: IO[bytes]) -> AsyncIterator[bytes]:
    """All of a file, which is closed then."""
    with kept:
        while chunk := kept.read(_CHUNK):
            yield chunk
            await asyncio.sleep(0)


@asynccontextmanager
async def _answer(web: Web, question: str, limit_s: float) -> AsyncIterator[AsyncIterator[Part]]:
    """Of all who ask this process, one at a time; who waits too long is told."""
    try:
        async with asyncio.timeout(LIMIT_S):
            await web.questions.acquire()
    except TimeoutError as error:
        raise Unavailable("other questions are being answered; ask again in a moment") from error
    try:
        async with (
            questions.asking(web.settings.database_url, limit_s) as conn,
            aclosing(questions.answer(conn, question, limit_s)) as parts,
        ):
            yield parts
    finally:
        web.questions.release()


class _CsvWriter:
    def __init__(self, kept: IO[bytes]) -> None:
        self._kept = kept
        self._begun = False

    def part(self, part: Part, rows: Sequence[Row]) -> None:
        if not self._begun:
            self._kept.write(csv_text.lines([[csv_text.cell(name) for name in part.names]]))
            self._begun = True
        numeric = [each in _NUMBERS for each in part.types]
        self._kept.write(csv_text.lines([_csv_row(row, numeric) for row in rows]))

    def end(self) -> None:
        pass


def _csv_row(row: Row, numeric: Sequence[bool]) -> list[str]:
    """Numbers as they are: a minus before one begins no formula."""
    return [(cell or "") if number else csv_text.cell(cell) for cell, number in zip(row, numeric, strict=True)]


class _JsonWriter:
    """A list of objects, one a line."""

    def __init__(self, kept: IO[bytes]) -> None:
        self._kept = kept
        self._between = "\n"
        kept.write(b"[")

    def part(self, part: Part, rows: Sequence[Row]) -> None:
        names = [json.dumps(name) for name in distinct(part.names)]
        for row in rows:
            cells = (f"{name}: {_json(cell, type_)}" for name, cell, type_ in zip(names, row, part.types, strict=True))
            self._kept.write(f"{self._between}{{{', '.join(cells)}}}".encode())
            self._between = ",\n"

    def end(self) -> None:
        self._kept.write(b"\n]\n")


def distinct(names: Iterable[str]) -> list[str]:
    """A second `id` is `id_2`: no member of an object takes the place of another."""
    found: list[str] = []
    for name in names:
        unique, number = name, 2
        while unique in found:
            unique, number = f"{name}_{number}", number + 1
        found.append(unique)
    return found


def _json(cell: str | None, type_: int) -> str:
    if cell is None:
        return "null"
    if type_ == _BOOL:
        return "true" if cell == "t" else "false"
    if type_ in _JSON or (type_ in _NUMBERS and cell.lstrip("-")[:1].isdigit()):  # not NaN, not Infinity
        return cell
    return json.dumps(cell, ensure_ascii=False)


def _short(cell: str | None) -> str | None:
    return cell if cell is None or len(cell) <= CELL else cell[:CELL] + "…"


def _weight(part: Part) -> int:
    return sum(len(cell) for row in part.rows for cell in row if cell)
