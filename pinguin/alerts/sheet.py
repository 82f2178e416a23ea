"""One message as what both its plain text and its HTML say: headline, facts, links; of a digest its groups."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from pinguin.alerts.contract import Item, Message
from pinguin.alerts.voices import CLOSING, OPENING, Tone, headline, tone
from pinguin.alerts.words import ago, certificate, duration, exact, one_line, phases, span, why
from pinguin.model import REASONS

LONGEST_SUBJECT = 200


@dataclass(frozen=True, slots=True)
class Fact:
    label: str
    value: str


@dataclass(frozen=True, slots=True)
class Link:
    label: str
    url: str


@dataclass(frozen=True, slots=True)
class Group:
    """Lines of a digest that belong together. heading: what is the matter, or what they have in common."""

    heading: str
    tone: Tone
    lines: Sequence[str]


@dataclass(frozen=True, slots=True)
class Sheet:
    """facts: of a single item; of a digest few. groups, more: a digest's lines, and how many were left out."""

    subject: str
    title: str
    tone: Tone
    facts: Sequence[Fact]
    groups: Sequence[Group]
    more: int
    links: Sequence[Link]
    footer: str


def single(message: Message) -> Sheet:
    item, now = message.item, message.sent_at
    title = headline(item, now)
    return Sheet(
        subject=one_line(title, LONGEST_SUBJECT),
        title=title,
        tone=tone(item),
        facts=list(_facts(item, now)),
        groups=(),
        more=0,
        links=list(_links(item)),
        footer=footer(message),
    )


def _facts(item: Item, now: datetime) -> Iterator[Fact]:
    """In the order in which somebody asks who was woken."""
    yield from _times(item, now)
    if item.kind in CLOSING:  # what the failing check saw is not so any more
        yield from _of_the_past(item)
        return
    if item.reason:
        meaning = REASONS.get(item.reason)
        yield Fact("Reason", f"{item.reason} ({meaning})" if meaning else item.reason)
    if item.cause:
        yield Fact("In common", one_line(item.cause))
    if item.status_code is not None:
        yield Fact("Status code", str(item.status_code))
    yield from _target(item)
    if item.address:
        yield Fact("Address", one_line(item.address, 100))
    if item.latency_ms is not None:
        yield Fact("Answered after", f"{item.latency_ms:,.0f} ms")
    if times := phases(item.phases_ms):
        yield Fact("Phases", times)
    if words := certificate(item.certificate):
        yield Fact("Certificate", words)
    if votes := _votes(item):
        own = item.kind == "pipeline"  # a region, or a channel
        yield Fact("Concerns" if own else "Regions" if len(item.votes) > 1 else "Region", votes)
    if item.last_outage_s is not None:
        when = f", on {exact(item.last_outage_at)}" if item.last_outage_at else ""
        yield Fact("Last outage", duration(item.last_outage_s) + when)
    yield from _notes(item)


def _of_the_past(item: Item) -> Iterator[Fact]:
    if told := why(item):
        yield Fact("It was", told)
    yield from _target(item)
    yield from _notes(item)


def _target(item: Item) -> Iterator[Fact]:
    if item.target:
        yield Fact("Target", one_line(f"{item.type} {item.target}".strip(), 300))


def _notes(item: Item) -> Iterator[Fact]:
    if item.note:
        yield Fact("Note", one_line(item.note))
    if item.tags:
        yield Fact("Tags", one_line(", ".join(item.tags), 200))


def _times(item: Item, now: datetime) -> Iterator[Fact]:
    if item.kind in OPENING or item.kind == "reminder":
        if item.ended_at:
            yield Fact("When", span(item.at, item.ended_at, now))
            later = duration((now - item.ended_at).total_seconds())
            yield Fact("Sent", f"{exact(now)}, {later} after it ended")
        else:
            yield Fact("Since", f"{exact(item.at)} ({ago(item.at, now)})")
        if item.confirmed_at and item.confirmed_at > item.at:
            later = duration((item.confirmed_at - item.at).total_seconds())
            yield Fact("Confirmed", f"{exact(item.confirmed_at)}, {later} after the first failed check")
    else:
        yield Fact("When", f"{exact(item.at)} ({ago(item.at, now)})")
        if item.duration_s is not None:
            yield Fact("Lasted", duration(item.duration_s))
    if item.expires_at:
        yield Fact("Ends", exact(item.expires_at))


def _votes(item: Item) -> str:
    if not item.votes:
        return item.region
    return "; ".join(
        f"{vote.region} {vote.status}" + (f" ({one_line(vote.message, 200)})" if vote.message else "")
        for vote in item.votes[:20]
    )


def _links(item: Item) -> Iterator[Link]:
    if item.url:
        yield Link("Open in Pinguin", item.url)
    if item.acknowledge_url and not item.ended_at and item.kind in ("down", "reminder"):
        yield Link("Acknowledge", item.acknowledge_url)


def footer(message: Message) -> str:
    return f"Pinguin, channel {one_line(message.channel, 100)}"
