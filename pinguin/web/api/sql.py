"""Questions in SQL, as on the page SQL: read-only, over the views for people, bounded in time and rows."""

from __future__ import annotations

from typing import Annotated, Literal

from litestar.response import Stream
from msgspec import Meta

from pinguin.errors import Conflict, InvalidInput
from pinguin.store import audit, questions, upkeep
from pinguin.store.audit import Thing
from pinguin.store.questions import Refused
from pinguin.web import sql_answer
from pinguin.web.api.operation import JSON, Call, operation
from pinguin.web.api.reading import Body, NoQuery
from pinguin.web.database import connection

MEDIA = {"csv": "text/csv", "json": JSON}


class Question(Body, kw_only=True, frozen=True):
    sql: Annotated[str, Meta(min_length=1, max_length=100_000, description="one query over the schema `history`")]
    format: Literal["json", "csv"] = "json"


@operation("POST", "/query", holds="nothing", media=(JSON, "text/csv"))
async def query(call: Call[NoQuery, Question]) -> Stream:
    """The answer to one SQL query, read-only, as a list of objects or as CSV: up to 100,000 rows, within seconds. The
    audit log keeps who asked what.
    """
    text, form = call.body.sql.replace("\r\n", "\n"), call.body.format
    async with connection(call.web.pool) as conn:
        if refused := await questions.why_not(conn):
            raise Conflict(refused)
        embedded = not await upkeep.has_background_workers(conn)
        await audit.write(conn, call.who, "sql.ask", Thing("sql"), None, {"question": text})
    limit_s = sql_answer.EMBEDDED_LIMIT_S if embedded else sql_answer.LIMIT_S
    try:
        kept, count = await sql_answer.file(call.web, text, limit_s, form)
    except Refused as refusal:
        where = f" (at character {refusal.position})" if refusal.position is not None else ""
        raise InvalidInput({"sql": f"{refusal}{where}{f' {refusal.hint}' if refusal.hint else ''}"}) from None
    return Stream(sql_answer.chunks(kept), media_type=MEDIA[form], headers={"X-Rows": str(count)})
