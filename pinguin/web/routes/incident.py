"""One incident's page, and what people do about it. Messages lead here; nothing is done by a link alone."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from litestar import Response, get, post
from litestar.params import FromPath
from litestar.response import Redirect, Template

from pinguin.errors import Conflict, InvalidInput, NotFound, Unavailable
from pinguin.store import incidents
from pinguin.wallclock import instant, zone_of
from pinguin.web import incident, incident_changes, markdown
from pinguin.web.database import connection
from pinguin.web.forms import shown
from pinguin.web.gate import form, principal
from pinguin.web.incident_changes import LONGEST_COMMENT
from pinguin.web.routes.incidents import note
from pinguin.web.service import Req, Web, of
from pinguin.web.templating import render

LONGEST_SNOOZE = timedelta(days=30)

NOTICES = {
    "acknowledged": "Acknowledged. No reminder and no escalation any more; the recovery is told.",
    "already": "Somebody did that before.",
    "taken-back": "Not acknowledged any more. Reminders and escalation go on.",
    "snoozed": "Snoozed. Nothing but its recovery is told until then; if it is still down then, that is told.",
    "awake": "Awake again. What was held back goes out within seconds.",
    "commented": "Written into the timeline.",
    "resolved": "Resolved. The monitor is checked on; it takes the whole threshold to be down again.",
    "over": "It was over before.",
    "written": "The post-mortem is saved.",
}

SNOOZES = {"30": "30 min", "60": "1 h", "240": "4 h", "morning": "until tomorrow, 9:00", "time": "until …"}


def exists(incident_id: int) -> int:
    """The id, if it can be one at all."""
    if not 0 < incident_id < 2**63:
        raise NotFound(f"There is no incident {incident_id}.")
    return incident_id


@get("/incidents/{incident_id:int}")
async def show_incident(request: Req, incident_id: FromPath[int]) -> Template:
    return await _page(request, incident_id)


async def _page(
    request: Req, incident_id: int, *, draft: str | None = None, wrong: str = "", status_code: int = 200,
    typed: Mapping[str, str] | None = None, faults: Mapping[str, str] | None = None,
) -> Template:  # fmt: skip
    """draft: a post-mortem that was not saved, and `wrong` why. typed, faults: the same of the other forms, by name."""
    async with connection(of(request).pool) as conn:
        story = await incident.story(conn, exists(incident_id))
    saved = story.news.incident.postmortem
    return render(
        request,
        "pages/incident.html",
        status_code=status_code,
        story=story,
        news=story.news,
        i=story.news.incident,
        postmortem=markdown.render(saved),
        draft=saved if draft is None else draft,
        wrong=wrong,
        typed=typed or {},
        faults=faults or {},
        longest=markdown.LONGEST,
        notice=NOTICES.get(request.query_params.get("notice", ""), ""),
        snoozes=SNOOZES,
        held=incident.HELD,
        told=incident.TOLD,
        oob=False,
    )


@get("/live/incidents/{incident_id:int}")
async def incident_news(request: Req, incident_id: FromPath[int]) -> Response[Any]:
    """What changed since the page was drawn: nothing (204), or its moving parts."""
    acts, mark = request.query_params.get("acts", ""), request.query_params.get("mark", "")
    async with connection(of(request).pool) as conn:
        if (acts, mark) == await incidents.mark(conn, exists(incident_id)):
            return Response(content=None, status_code=204)
        news = await incident.news(conn, incident_id)
    return render(
        request,
        "fragments/incident_news.html",
        news=news,
        i=news.incident,
        acted=acts != news.acts,
        snoozes=SNOOZES,
        held=incident.HELD,
        told=incident.TOLD,
        oob=True,
    )


async def _again(request: Req, incident_id: int, name: str, error: InvalidInput) -> Template:
    """What somebody typed comes back with what is wrong with it. name: of the form."""
    sent = await form(request)
    text = next((sent[field] for field in ("comment", "note", "until") if field in sent), "")
    faults = {name: next(iter(error.fields.values()))}
    return await _page(request, incident_id, status_code=422, typed={name: shown(text[:20_000])}, faults=faults)


@post("/incidents/{incident_id:int}/acknowledge", status_code=200)
async def acknowledge(request: Req, incident_id: FromPath[int]) -> Response[Any]:
    try:
        words = note(await form(request), "note")
    except InvalidInput as error:
        return await _again(request, incident_id, "acknowledge", error)
    async with connection(of(request).pool) as conn:
        if not await incident_changes.acknowledge(conn, principal(request), [exists(incident_id)], words):
            found = await incidents.get(conn, incident_id)
            return _back(incident_id, "over" if found.ended_at else "already")
    return _back(incident_id, "acknowledged")


@post("/incidents/{incident_id:int}/take-back", status_code=200)
async def take_back(request: Req, incident_id: FromPath[int]) -> Response[Any]:
    try:
        words = note(await form(request), "note")
    except InvalidInput as error:
        return await _again(request, incident_id, "take_back", error)
    async with connection(of(request).pool) as conn:
        done = await incident_changes.take_back(conn, principal(request), exists(incident_id), words)
    return _back(incident_id, "taken-back" if done else "already")


@post("/incidents/{incident_id:int}/snooze", status_code=200)
async def snooze(request: Req, incident_id: FromPath[int]) -> Response[Any]:
    try:
        until = until_when(await form(request), datetime.now(UTC))
    except InvalidInput as error:
        return await _again(request, incident_id, "snooze", error)
    async with connection(of(request).pool) as conn:
        done = await incident_changes.snooze(conn, principal(request), exists(incident_id), until)
    return _back(incident_id, "snoozed" if done else "over")


@post("/incidents/{incident_id:int}/wake", status_code=303)
async def wake(request: Req, incident_id: FromPath[int]) -> Redirect:
    async with connection(of(request).pool) as conn:
        done = await incident_changes.wake(conn, principal(request), exists(incident_id))
    return _back(incident_id, "awake" if done else "over")


def until_when(sent: Mapping[str, str], now: datetime) -> datetime:
    """When a snooze ends; wall-clock times are those of the zone that came along. Raises `InvalidInput`."""
    choice = sent.get("for", "")
    if choice.isdecimal() and choice in SNOOZES:
        return now + timedelta(minutes=int(choice))
    if choice not in SNOOZES:
        raise InvalidInput({"for": f"{choice[:40]!r} is none; there are {', '.join(SNOOZES)}"})
    zone = zone_of(sent.get("zone", "").strip() or "UTC")
    if choice == "morning":
        tomorrow = now.astimezone(zone).date() + timedelta(days=1)
        return instant(datetime(tomorrow.year, tomorrow.month, tomorrow.day, 9), zone)
    try:
        local = datetime.fromisoformat(sent.get("until", ""))
        until = instant(local, zone) if local.tzinfo is None else local.astimezone(UTC)
    except (ValueError, OverflowError):
        raise InvalidInput({"until": "is no time; write it like 2026-01-31T18:30"}) from None
    if not now < until <= now + LONGEST_SNOOZE:
        raise InvalidInput({"until": f"must lie ahead, by {LONGEST_SNOOZE.days} days at most"})
    return until


@post("/incidents/{incident_id:int}/comment", status_code=200)
async def comment(request: Req, incident_id: FromPath[int]) -> Response[Any]:
    try:
        words = _said(await form(request), "is empty; write something")
    except InvalidInput as error:
        return await _again(request, incident_id, "comment", error)
    async with connection(of(request).pool) as conn:
        await incident_changes.comment(conn, principal(request), exists(incident_id), words)
    return _back(incident_id, "commented")


def _said(sent: Mapping[str, str], if_empty: str) -> str:
    words = note(sent, "comment", LONGEST_COMMENT)
    if not words:
        raise InvalidInput({"comment": if_empty})
    return words


@post("/incidents/{incident_id:int}/resolve", status_code=200)
async def resolve(request: Req, incident_id: FromPath[int]) -> Response[Any]:
    try:
        words = _said(await form(request), "is empty; say why it is over although no check has seen that")
    except InvalidInput as error:
        return await _again(request, incident_id, "resolve", error)
    web = of(request)
    async with connection(web.pool) as conn:
        monitor_id = await incident_changes.resolve(conn, principal(request), exists(incident_id), words)
    if monitor_id is None:
        return _back(incident_id, "over")
    await announce(web, monitor_id)
    return _back(incident_id, "resolved")


async def announce(web: Web, monitor_id: int) -> None:
    """Open pages show the monitor anew; without this they do so with its next result."""
    try:
        await web.broker.announce_results([monitor_id])
    except Unavailable:
        return


@post("/incidents/{incident_id:int}/post-mortem", status_code=200)
async def write_postmortem(request: Req, incident_id: FromPath[int]) -> Response[Any]:
    """What somebody typed is never lost: it comes back where it could not be saved."""
    sent = await form(request)
    draft = sent.get("postmortem", "").replace("\r\n", "\n")[: 2 * markdown.LONGEST]
    seen = sent.get("seen", "").replace("\r\n", "\n")
    try:
        words = note(sent, "postmortem", markdown.LONGEST)
        async with connection(of(request).pool) as conn:
            await incident_changes.write_postmortem(conn, principal(request), exists(incident_id), words, seen)
    except InvalidInput as error:
        return await _page(request, incident_id, draft=draft, wrong=str(error.fields["postmortem"]), status_code=400)
    except Conflict:
        wrong = "was changed by somebody else meanwhile. Theirs is above, yours below: put both together and save again"
        return await _page(request, incident_id, draft=draft, wrong=wrong, status_code=409)
    return _back(incident_id, "written", "post-mortem")


def _back(incident_id: int, notice: str, place: str = "") -> Redirect:
    return Redirect(f"/incidents/{incident_id}?notice={notice}{'#' + place if place else ''}", status_code=303)
