"""For owners: who changed what, filtered, page by page, and as CSV or JSON."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import Any

from litestar import get
from litestar.response import Stream, Template

from pinguin.errors import InvalidInput
from pinguin.store import audit
from pinguin.store.audit import Filter
from pinguin.web import audit_export
from pinguin.web.database import connection
from pinguin.web.gate import OWNER
from pinguin.web.service import Req, of
from pinguin.web.templating import query, render

PAGE = 50
_ACTION = re.compile(r"[a-z_]+\.[a-z_]+")
_KIND = re.compile(r"[a-z_]+")


@get("/audit", opt=OWNER)
async def show_audit(request: Req) -> Template:
    wanted, before = _filter(request), _number(request, "before")
    async with connection(of(request).pool) as conn:
        found = await audit.page(conn, wanted, before=before, most=PAGE + 1)
        kinds = await audit.kinds(conn)
    chosen = _chosen(request)
    return render(
        request,
        "pages/audit.html",
        entries=found[:PAGE],
        kinds=kinds,
        chosen=chosen,
        filtered=any(chosen.values()),
        first=before is None,
        older=query(chosen, before=found[PAGE - 1].id) if len(found) > PAGE else "",
        same=query(chosen),
    )


@get("/audit.csv", opt=OWNER)
async def download_csv(request: Req) -> Stream:
    parts = audit_export.parts(of(request).pool, _filter(request))
    return _file(audit_export.as_csv(parts), "text/csv", "csv")


@get("/audit.json", opt=OWNER)
async def download_json(request: Req) -> Stream:
    parts = audit_export.parts(of(request).pool, _filter(request))
    return _file(audit_export.as_json(parts), "application/json", "json")


def _file(content: Any, media_type: str, ending: str) -> Stream:
    disposition = {"Content-Disposition": f'attachment; filename="pinguin-audit.{ending}"'}
    return Stream(content, media_type=media_type, headers=disposition)


def _chosen(request: Req) -> dict[str, str]:
    names = ("actor", "kind", "object", "action", "since", "until")
    return {name: request.query_params.get(name, "").strip()[:100] for name in names}


def _filter(request: Req) -> Filter:
    """Raises `InvalidInput` for what can be none of it."""
    given = _chosen(request)
    if given["kind"] and not _KIND.fullmatch(given["kind"]):
        raise InvalidInput({"kind": "must be one of the list"})
    if given["action"] and not _ACTION.fullmatch(given["action"]):
        raise InvalidInput({"action": "must be such as monitor.edit"})
    since, until = _day(given["since"], "since"), _day(given["until"], "until")
    return Filter(
        actor=given["actor"].replace("\x00", "\ufffd") or None,
        kind=given["kind"] or None,
        object_id=_number(request, "object"),
        action=given["action"] or None,
        since=since,
        until=until + timedelta(days=1) if until else None,
    )


def _day(text: str, name: str) -> datetime | None:
    """Its beginning, in UTC."""
    if not text:
        return None
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise InvalidInput({name: "must be a date, such as 2026-01-31"}) from None
    if not 1970 <= day.year <= 9000:
        raise InvalidInput({name: "must be a date that can be, such as 2026-01-31"})
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def _number(request: Req, name: str) -> int | None:
    text = request.query_params.get(name, "").strip()
    if not text:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) < 19):
        raise InvalidInput({name: "must be a number"})
    return int(text)
