"""Incidents: listed, shown, and what is done about them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Annotated, Any, Literal

import msgspec
from litestar.response import Stream
from msgspec import Meta

from pinguin.errors import Conflict, InvalidInput
from pinguin.store import incidents as store
from pinguin.store.incidents import Filter
from pinguin.web import incident, incident_changes, incident_file, markdown
from pinguin.web.api.incident_shapes import (
    Event,
    Incident,
    Notification,
    Other,
    State,
    Vote,
    WholeIncident,
    row,
)
from pinguin.web.api.operation import JSON, Call, operation
from pinguin.web.api.paging import At, Cursor, Id, Limit, Page, cut, place
from pinguin.web.api.reading import Body, NoBody, NoQuery, Query
from pinguin.web.api.results import Moment
from pinguin.web.incident_changes import LONGEST_COMMENT, LONGEST_NOTE
from pinguin.web.routes.incident import LONGEST_SNOOZE, announce

AnyCall = Call[Any, Any]
Words = Annotated[str, Meta(min_length=1, max_length=200)]


class Narrowed(Query, kw_only=True, frozen=True):
    """Which incidents. from, to: when they began."""

    state: State | None = None
    monitor: Id | None = None
    tag: Words | None = None
    reason: Words | None = None
    region: Words | None = None
    from_: Moment | None = msgspec.field(default=None, name="from")
    to: Moment | None = None
    q: Annotated[Words | None, Meta(description="part of the message, or of the monitor's name or target")] = None

    def filter(self) -> Filter:
        return Filter(
            state=self.state,
            monitor=self.monitor,
            tag=self.tag,
            reason=self.reason,
            region=self.region,
            since=self.from_,
            until=self.to,
            search=self.q,
        )


class IncidentFilter(Narrowed, kw_only=True, frozen=True):
    limit: Limit = 50
    cursor: Cursor = ""


class FileWanted(Narrowed, kw_only=True, frozen=True):
    format: Literal["csv", "json"] = "csv"


class Note(Body, kw_only=True, frozen=True):
    note: Annotated[str, Meta(max_length=LONGEST_NOTE, description="why, for the timeline")] = ""


class Several(Note, kw_only=True, frozen=True):
    ids: Annotated[list[Id], Meta(min_length=1, max_length=500)]


class Acknowledged(msgspec.Struct, frozen=True):
    """Those that were open, and that nobody had acknowledged."""

    ids: list[Id]


class Comment(Body, kw_only=True, frozen=True):
    comment: Annotated[str, Meta(min_length=1, max_length=LONGEST_COMMENT)]


class Snooze(Body, kw_only=True, frozen=True):
    """Until when nothing is told of it: one of both."""

    until: Moment | None = None
    minutes: Annotated[int, Meta(ge=1, le=30 * 24 * 60)] | None = None

    def moment(self) -> datetime:
        """Raises `InvalidInput`."""
        if (self.until is None) == (self.minutes is None):
            raise InvalidInput({"until": "or `minutes` is required, and not both"})
        now = datetime.now(UTC)
        until = self.until or now + timedelta(minutes=self.minutes or 0)
        if not now < until <= now + LONGEST_SNOOZE:
            raise InvalidInput({"until": f"must lie ahead, by {LONGEST_SNOOZE.days} days at most"})
        return until


class PostMortem(Body, kw_only=True, frozen=True):
    postmortem: Annotated[str, Meta(max_length=markdown.LONGEST, description="Markdown")]


@operation("GET", "/incidents")
async def list_incidents(call: Call[IncidentFilter, NoBody]) -> Page[Incident]:
    """Incidents, the newest first."""
    before = place(call.query.cursor, At)
    found = await store.listed(
        call.conn, call.query.filter(), before=before.pair if before else None, most=call.query.limit + 1
    )
    rows, following = cut(found, call.query.limit, lambda each: At(each.started_at, each.id))
    return Page([Incident(**row(each)) for each in rows], call.following(following))


@operation("GET", "/incidents/file", holds="nothing", media=("text/csv", JSON))
async def download_incidents(call: Call[FileWanted, NoBody]) -> Stream:
    """Incidents as a file: CSV, or a JSON list."""
    return await incident_file.download(call.web.pool, call.query.filter(), call.query.format)


@operation("GET", "/incidents/{id:int}", etag=True)
async def show_incident(call: Call[NoQuery, NoBody]) -> WholeIncident:
    """One incident with its evidence, its timeline, what was told of it, and what failed at the same time."""
    return await _shown(call)


async def _shown(call: AnyCall) -> WholeIncident:
    story = await incident.story(call.conn, call.id)
    found = story.news.incident
    call.mark = _mark(found)
    more = {name: getattr(found, name) for name in WholeIncident.__struct_fields__ if hasattr(found, name)}
    return WholeIncident(
        **{
            **more,
            **row(found),
            "cause": str(story.guess) if story.guess else None,
            "events": msgspec.convert(story.news.events, list[Event], from_attributes=True),
            "notifications": msgspec.convert(story.news.notifications, list[Notification], from_attributes=True),
            "votes": msgspec.convert(story.votes, list[Vote], from_attributes=True),
            "together": msgspec.convert(story.others, list[Other], from_attributes=True),
        }
    )


def _mark(found: store.Whole) -> str:
    """Changes with the note that people write; what else is done to an incident cannot be undone by being late."""
    return f"incident {found.id} {found.postmortem}"


async def _refuse_over(call: AnyCall, otherwise: bool) -> None:
    if not otherwise and (await store.get(call.conn, call.id)).ended_at is not None:
        raise Conflict("This incident is over.")


@operation("POST", "/incidents/acknowledge")
async def acknowledge_incidents(call: Call[NoQuery, Several]) -> Acknowledged:
    """Somebody takes care of these: no reminder and no escalation any more."""
    done = await incident_changes.acknowledge(call.conn, call.who, call.body.ids, call.body.note.strip())
    return Acknowledged(sorted(done))


@operation("POST", "/incidents/{id:int}/acknowledge", etag=True)
async def acknowledge_incident(call: Call[NoQuery, Note]) -> WholeIncident:
    """Somebody takes care of it: no reminder and no escalation any more. Done twice, it is as done once."""
    await _refuse_over(call, False)
    await incident_changes.acknowledge(call.conn, call.who, [call.id], call.body.note.strip())
    return await _shown(call)


@operation("POST", "/incidents/{id:int}/take-back", etag=True)
async def take_back_incident(call: Call[NoQuery, Note]) -> WholeIncident:
    """Nobody takes care any more: reminders and escalation go on."""
    await _refuse_over(call, await incident_changes.take_back(call.conn, call.who, call.id, call.body.note.strip()))
    return await _shown(call)


@operation("POST", "/incidents/{id:int}/snooze", etag=True)
async def snooze_incident(call: Call[NoQuery, Snooze]) -> WholeIncident:
    """Tell nothing of it until then."""
    await _refuse_over(call, await incident_changes.snooze(call.conn, call.who, call.id, call.body.moment()))
    return await _shown(call)


@operation("POST", "/incidents/{id:int}/wake", etag=True)
async def wake_incident(call: Call[NoQuery, NoBody]) -> WholeIncident:
    """Tell of it again."""
    await _refuse_over(call, await incident_changes.wake(call.conn, call.who, call.id))
    return await _shown(call)


@operation("POST", "/incidents/{id:int}/comment", etag=True)
async def comment_incident(call: Call[NoQuery, Comment]) -> WholeIncident:
    """Write something into its timeline."""
    await incident_changes.comment(call.conn, call.who, call.id, _words(call.body))
    return await _shown(call)


@operation("POST", "/incidents/{id:int}/resolve", etag=True)
async def resolve_incident(call: Call[NoQuery, Comment]) -> WholeIncident:
    """It is over, although no check has seen that. The monitor is checked on; it takes the whole threshold to be down
    again.
    """
    monitor_id = await incident_changes.resolve(call.conn, call.who, call.id, _words(call.body))
    await _refuse_over(call, monitor_id is not None)
    if monitor_id is not None:
        call.later.append(partial(announce, call.web, monitor_id))
    return await _shown(call)


@operation("PUT", "/incidents/{id:int}/post-mortem", etag=True, if_match=True)
async def write_postmortem(call: Call[NoQuery, PostMortem]) -> WholeIncident:
    """What was learnt of it. With If-Match, nobody else's words are overwritten."""
    seen = await store.get(call.conn, call.id)
    call.unless_changed(_mark(seen))
    words = call.body.postmortem.replace("\r\n", "\n").strip()
    await incident_changes.write_postmortem(call.conn, call.who, call.id, words, seen.postmortem)
    return await _shown(call)


def _words(body: Comment) -> str:
    words = body.comment.replace("\r\n", "\n").strip()
    if not words:
        raise InvalidInput({"comment": "is empty; write something"})
    return words
