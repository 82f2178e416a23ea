"""The list of incidents: narrowed, a page at a time, exported, acknowledged."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta

from litestar import get, post
from litestar.response import Redirect, Stream, Template

from pinguin.errors import InvalidInput
from pinguin.model import REASONS
from pinguin.store import incidents, monitors, upkeep
from pinguin.store.incidents import STATES, Filter, Incident
from pinguin.web import incident_changes, incident_file
from pinguin.web.database import connection
from pinguin.web.gate import form, local_address, principal
from pinguin.web.incident_changes import LONGEST_NOTE
from pinguin.web.service import Req, aware, of
from pinguin.web.templating import query, render

PAGE = 50

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


@get("/incidents")
async def show_incidents(request: Req) -> Template:
    chosen, wanted = asked(request)
    before = _place(request.query_params.get("before", ""))
    web = of(request)
    async with connection(web.pool) as conn:
        found = await incidents.listed(conn, wanted, before=before, most=PAGE + 1)
        counts = await incidents.counts(conn)
        problems = await upkeep.problems(conn, timedelta(days=7))
        tags = await web.tags.read(conn, await monitors.mark(conn))
        regions = await upkeep.regions(conn)
    return render(
        request,
        "pages/incidents.html",
        incidents=found[:PAGE],
        counts=counts,
        problems=problems,
        chosen=chosen,
        tags=tags,
        regions=sorted(regions),
        first=before is None,
        older=_cursor(found[PAGE - 1]) if len(found) > PAGE else "",
        here="/incidents" + query(chosen, before=request.query_params.get("before")),
        notice=_notice(request.query_params.get("done", "")),
    )


@get("/incidents/export.csv")
async def export_csv(request: Req) -> Stream:
    return await incident_file.download(of(request).pool, asked(request)[1], "csv")


@get("/incidents/export.json")
async def export_json(request: Req) -> Stream:
    return await incident_file.download(of(request).pool, asked(request)[1], "json")


@post("/incidents/acknowledge", status_code=303)
async def acknowledge_many(request: Req) -> Redirect:
    """Those whose boxes are ticked."""
    sent = await form(request)
    ids = [int(name[1:]) for name in sent if re.fullmatch(r"i\d{1,18}", name, re.ASCII)]
    done: list[int] = []
    if ids:
        async with connection(of(request).pool) as conn:
            done = await incident_changes.acknowledge(conn, principal(request), ids, note(sent, "note"))
    back = local_address(sent.get("back", "/incidents"))
    path, _, rest = back.partition("?")
    kept = "&".join(part for part in rest.split("&") if part and not part.startswith("done="))
    return Redirect(f"{path}?{kept}&done={len(done)}" if kept else f"{path}?done={len(done)}", status_code=303)


def note(sent: Mapping[str, str], name: str, longest: int = LONGEST_NOTE) -> str:
    """What somebody wrote into a field. Raises `InvalidInput`."""
    text = sent.get(name, "").replace("\r\n", "\n").strip()
    if len(text) > longest:
        raise InvalidInput({name: f"has {len(text)} characters; write at most {longest}"})
    return _CONTROL.sub("\ufffd", text)


def _notice(done: str) -> str:
    if not (done.isascii() and done.isdecimal()):
        return ""
    count = int(done[:6])
    if count == 0:
        return "Nothing was acknowledged: tick incidents that are open and not acknowledged yet."
    return f"Acknowledged {count} incident{'s' if count != 1 else ''}. No reminder and no escalation any more."


def asked(request: Req) -> tuple[dict[str, str], Filter]:
    """What of the list is wanted: as it stands in the address, and parsed. Raises `InvalidInput`."""
    names = ("state", "monitor", "tag", "reason", "region", "from", "to", "q")
    given = {name: request.query_params.get(name, "").strip()[:200].replace("\x00", "\ufffd") for name in names}
    return given, Filter(
        state=_one_of(given, "state", STATES),
        monitor=_number(given["monitor"]),
        tag=given["tag"] or None,
        reason=_one_of(given, "reason", REASONS),
        region=given["region"] or None,
        since=_moment(given, "from"),
        until=_moment(given, "to"),
        search=given["q"] or None,
    )


def _one_of(given: Mapping[str, str], name: str, known: Iterable[str]) -> str | None:
    value = given[name]
    names = list(known)
    if value and value not in names:
        raise InvalidInput({name: f"{value[:40]!r} is none; there are {', '.join(names)}"})
    return value or None


def _number(text: str) -> int | None:
    if not text:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) < 19):
        raise InvalidInput({"monitor": f"{text[:40]!r} is no number of a monitor"})
    return int(text)


def _moment(given: Mapping[str, str], name: str) -> datetime | None:
    """A time in UTC where no other zone is said. A day alone is meant as a whole, as `to` too."""
    text = given[name].replace(" ", "+")
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        if not 1970 <= moment.year <= 9000:
            raise ValueError
    except ValueError:
        raise InvalidInput({name: f"{text[:40]!r} is no time; write it like 2026-01-31 or 2026-01-31T18:30"}) from None
    return moment + timedelta(days=1) if name == "to" and len(text) == 10 else moment


def _cursor(last: Incident) -> str:
    return f"{last.started_at.isoformat()}_{last.id}"


def _place(cursor: str) -> tuple[datetime, int] | None:
    if not cursor:
        return None
    moment, _, number = cursor.partition("_")
    at = aware(moment)
    if at is None or at.year < 1970 or not (number.isascii() and number.isdecimal() and len(number) < 19):
        raise InvalidInput({"before": "is not a place in this list; start from its first page"})
    return at, int(number)
