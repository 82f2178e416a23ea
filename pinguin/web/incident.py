"""What an incident's page shows, put together from a fixed number of queries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from typing import Any

from markupsafe import Markup

from pinguin import cause
from pinguin.cause import Failure, Guess
from pinguin.db import Connection
from pinguin.model import PHASES
from pinguin.store import causes, incidents
from pinguin.store.incidents import Event, Notification, Other, Vote, Whole
from pinguin.web import beats
from pinguin.web.database import all_of, at_once
from pinguin.web.views import Piece, in_a_row

TOGETHER = 500
"""So many others of the same minutes are looked at for what they share."""
SHOWN = 25

HELD = {
    "maintenance": "the monitor is in maintenance",
    "dependency": "something that it depends on is down",
    "dependency?": "something that it depends on may be down; its next check will tell",
    "quiet": "the channel has its quiet hours",
    "snoozed": "it is snoozed",
    "flapping": "the monitor goes up and down too often; that was told instead",
    "acknowledged": "somebody takes care of it",
    "untold": "its beginning was not told either",
    "over": "it was over before",
    "deleted": "the monitor was deleted",
    "broken": "the channel is broken",
    "channel off": "the channel was switched off",
    "refused": "the provider refused this message",
    "a day without success": "a day without success",
}
"""Why a channel was not told, or not yet; `notifications.held`."""

TOLD = {"down": "Down", "up": "Up again", "reminder": "Reminder", "flapping": "Flapping"}
"""Kinds of notifications, as people read them."""


@dataclass(frozen=True, slots=True)
class Seen:
    """The evidence in its parts; `rest` is what has no place of its own."""

    phases: Sequence[Piece]
    headers: Mapping[str, Any]
    body: str
    chain: Sequence[Mapping[str, Any]]
    rest: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Strip:
    """The results around a moment."""

    title: str
    bar: Markup


@dataclass(frozen=True, slots=True)
class News:
    """What of the page changes while somebody looks. mark: of all that; acts: of what can be done."""

    incident: Whole
    events: Sequence[Event]
    notifications: Sequence[Notification]
    strips: Sequence[Strip]
    acts: str
    mark: str

    @property
    def live(self) -> bool:
        """Whether more is to come: it is open, or was a moment ago."""
        ended = self.incident.ended_at
        return ended is None or datetime.now(UTC) - ended < timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Story:
    """All that the page shows."""

    news: News
    seen: Seen
    votes: Sequence[Vote]
    others: Sequence[Other]
    in_all: int
    guess: Guess | None


async def news(conn: Connection, incident_id: int) -> News:
    """Six queries. The mark is read first: what changes while the rest is read is told the next time."""
    mark = await incidents.mark(conn, incident_id)
    return await _news(conn, await incidents.get(conn, incident_id), *mark)


async def _news(conn: Connection, incident: Whole, acts: str, mark: str) -> News:
    events, notifications, strips = await all_of(
        incidents.events(conn, incident.id), incidents.notifications(conn, incident.id), _strips(conn, incident)
    )
    return News(incident, events, notifications, strips, acts, mark)


async def story(conn: Connection, incident_id: int) -> Story:
    """Nine queries."""
    mark = await incidents.mark(conn, incident_id)
    whole = await incidents.get(conn, incident_id)
    (others, guess), votes, now = await at_once(
        conn, _together(conn, whole), incidents.votes(conn, whole), _news(conn, whole, *mark)
    )
    in_all = others[0].in_all if others else 0
    return Story(now, seen(whole.evidence), votes, others[:SHOWN], in_all, guess)


async def _together(conn: Connection, incident: Whole) -> tuple[list[Other], Guess | None]:
    others = await incidents.together(conn, incident.id, TOGETHER)
    failed: list[Whole | Other] = [incident, *others]
    failures = [Failure(each.monitor_id, each.started_at, each.reason) for each in failed]
    return others, cause.guess(await causes.of_failures(conn, sorted(failures, key=attrgetter("at"))))


async def _strips(conn: Connection, incident: Whole) -> list[Strip]:
    ended = incident.ended_at
    titles = ("Around its beginning", "Now" if ended is None else "Around its end")
    end = (datetime.now(UTC), beats.BEATS) if ended is None else (ended, beats.BEATS // 3)
    found = await incidents.beats(conn, incident, ((incident.started_at, beats.BEATS // 3), end))
    return [
        Strip(title, beats.bar(beats.marks(each, incident.interval_s, live=False)))
        for title, each in zip(titles, found, strict=True)
    ]


def seen(evidence: Mapping[str, Any]) -> Seen:
    """Evidence is what some version of a check wrote: what is not as expected is shown as it is."""
    rest = dict(evidence)
    phases, headers, body, chain = (
        _taken(rest, "phases_ms", dict),
        _taken(rest, "headers", dict),
        _taken(rest, "body_sample", str),
        _taken(rest, "chain", list),
    )
    times = [(name, phases[name]) for name in PHASES if isinstance(phases.get(name), int | float)]
    return Seen(in_a_row(times), headers, body, [link for link in chain if isinstance(link, dict)], rest)


def _taken(rest: dict[str, Any], name: str, kind: type[Any]) -> Any:
    return rest.pop(name) if isinstance(rest.get(name), kind) else kind()
