"""SQL for people: the views that there are, questions that are written already, and a place to ask one's own."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime
from time import monotonic
from typing import Any

from litestar import Response, get, post
from litestar.response import Stream, Template

from pinguin.errors import InvalidInput
from pinguin.store import audit, questions, upkeep
from pinguin.store.audit import Thing
from pinguin.store.questions import Refused
from pinguin.web import analytics, gate, sql_answer
from pinguin.web.analytics import Given
from pinguin.web.database import connection
from pinguin.web.gate import EDITOR
from pinguin.web.service import Req, aware, of
from pinguin.web.sql_answer import Format, Table
from pinguin.web.templating import render

FIRST = "down_now"
"""The question that the page opens with."""
_WORD = re.compile(r"\w+")
MEDIA = {"csv": "text/csv; charset=utf-8", "json": "application/json"}


@dataclass(frozen=True, slots=True)
class Ground:
    """What there is to ask. refused: why nothing can be asked here, or ""."""

    views: list[questions.View]
    functions: list[questions.Function]
    refused: str
    embedded: bool

    @property
    def limit_s(self) -> float:
        return sql_answer.EMBEDDED_LIMIT_S if self.embedded else sql_answer.LIMIT_S


@get("/sql")
async def show_sql(request: Req) -> Template:
    """?question=uptime&monitor=7&from=…&to=… opens a written question, filled in; somebody has to ask it.

    Who may only look sees how each number is computed, and may ask nothing: results hold evidence.
    """
    chosen = analytics.question(request.query_params.get("question", "").strip() or FIRST)
    return _page(request, await _ground(request), chosen.filled(_given(request)), chosen=chosen)


@post("/sql/answer", opt=EDITOR, status_code=200)
async def ask(request: Req) -> Response[Any]:
    """Up to 1,000 rows, on the page."""
    text = await _asked(request)
    ground = await _ground(request)
    began = monotonic()
    try:
        await _note(request, ground, "sql.ask", text)
        found = await sql_answer.table(of(request), text, ground.limit_s)
    except Refused as refused:
        return _page(request, ground, text, refused=refused, status_code=400)
    return _page(request, ground, text, answer=found, took_ms=(monotonic() - began) * 1000)


@post("/sql/answer.csv", opt=EDITOR, status_code=200)
async def download_csv(request: Req) -> Response[Any] | Stream:
    return await _download(request, "csv")


@post("/sql/answer.json", opt=EDITOR, status_code=200)
async def download_json(request: Req) -> Response[Any] | Stream:
    return await _download(request, "json")


async def _download(request: Req, form: Format) -> Response[Any] | Stream:
    """Up to 100,000 rows."""
    text = await _asked(request)
    ground = await _ground(request)
    try:
        await _note(request, ground, "sql.download", text)
        kept, count = await sql_answer.file(of(request), text, ground.limit_s, form)
    except Refused as refused:
        return _page(request, ground, text, refused=refused, status_code=400)
    headers = {"Content-Disposition": f'attachment; filename="pinguin-answer.{form}"', "X-Rows": str(count)}
    return Stream(sql_answer.chunks(kept), media_type=MEDIA[form], headers=headers)


async def _asked(request: Req) -> str:
    """As browsers send it, the line ends of HTML's forms aside."""
    return (await gate.form(request)).get("sql", "").replace("\r\n", "\n")


async def _ground(request: Req) -> Ground:
    async with connection(of(request).pool) as conn:
        return Ground(
            await questions.catalogue(conn),
            await questions.functions(conn),
            await questions.why_not(conn),
            not await upkeep.has_background_workers(conn),
        )


async def _note(request: Req, ground: Ground, action: str, text: str) -> None:
    """Before it is asked, so that it is written down however that ends."""
    if ground.refused:
        raise Refused(ground.refused)
    async with connection(of(request).pool) as conn:
        await audit.write(conn, gate.principal(request), action, Thing("sql"), None, {"question": text})


def _page(
    request: Req,
    ground: Ground,
    text: str,
    *,
    chosen: analytics.Question | None = None,
    answer: Table | None = None,
    refused: Refused | None = None,
    took_ms: float = 0,
    status_code: int = 200,
) -> Template:
    return render(
        request,
        "pages/sql.html",
        status_code=status_code,
        ground=ground,
        text=text,
        chosen=chosen,
        written=analytics.questions(),
        answer=answer,
        refused=refused,
        marked=_marked(text, refused.position) if refused else None,
        took_ms=took_ms,
        shown=sql_answer.SHOWN,
        downloaded=sql_answer.DOWNLOADED,
    )


def _marked(text: str, position: int | None) -> tuple[int, str, str, str] | None:
    """Where it went wrong: number of the line (from 1), what stands before the word there, the word, what follows."""
    if position is None:
        return None
    position = min(position, len(text))
    start = text.rfind("\n", 0, position) + 1
    end = text.find("\n", position)
    line = text[start : len(text) if end < 0 else end]
    place = position - start
    word = _WORD.match(line, place)
    behind = word.end() if word else place + 1
    return text.count("\n", 0, position) + 1, line[:place], line[place:behind] or " ", line[behind:]


def _given(request: Req) -> dict[str, Given]:
    """Raises `InvalidInput` for what can be none of it."""
    found: dict[str, Given] = {}
    monitor = request.query_params.get("monitor", "").strip()
    if monitor:
        if not (monitor.isascii() and monitor.isdecimal() and len(monitor) < 19):
            raise InvalidInput({"monitor": "must be a monitor's number"})
        found["monitor"] = int(monitor)
    for name, parameter in (("from", "since"), ("to", "until")):
        text = request.query_params.get(name, "").strip()
        if text:
            found[parameter] = _moment(text, name)
    return found


def _moment(text: str, name: str) -> datetime:
    moment = aware(text.replace(" ", "+"))  # a plus that nobody encoded
    if moment is None:
        try:
            day = date.fromisoformat(text)
        except ValueError:
            words = "must be a time with its zone, such as 2026-01-31T12:00:00+00:00, or a date"
            raise InvalidInput({name: words}) from None
        moment = datetime(day.year, day.month, day.day, tzinfo=UTC)
    if not 1970 <= moment.year <= 9000:
        raise InvalidInput({name: "must be a time that can be, such as 2026-01-31T12:00:00+00:00"})
    return moment.astimezone(UTC)
