"""The list of monitors as its page shows it, from a fixed number of queries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from pinguin.db import Connection
from pinguin.model import Status
from pinguin.store import bulk, channels, listing, monitors, upkeep
from pinguin.store.bulk import Undo
from pinguin.store.listing import Group, View
from pinguin.store.monitors import Listed, Place
from pinguin.store.upkeep import PipelineIncident
from pinguin.web import asked as asking
from pinguin.web import views
from pinguin.web.asked import ORDER, Asked
from pinguin.web.database import at_once
from pinguin.web.tags import Tags
from pinguin.web.views import Row

PAGE = 50
UNFOLDED, MOST_UNFOLDED = 5, 10
"""Groups that are unfolded where nobody said which, and at most."""

LETTERS: Mapping[str, str] = {status: "udDkwpm"[place] for place, status in enumerate(Status)}
"""Short names of statuses, for addresses."""

Counts = Mapping[Status, int]


def letters(rows: Sequence[Listed]) -> str:
    """The statuses of these monitors, a letter each."""
    return "".join(LETTERS[each.status] for each in rows)


def had(text: str) -> Counts | None:
    """The counts that a page says it shows; None where it says nothing of that."""
    parts = text.split(".")
    good = len(parts) == len(Status) and all(each.isascii() and each.isdecimal() and len(each) < 10 for each in parts)
    return dict(zip(Status, map(int, parts), strict=True)) if good else None


@dataclass(frozen=True, slots=True)
class Section:
    """A group of the list. rows: None while it is folded."""

    group: Group
    rows: Sequence[Row] | None

    @property
    def rest(self) -> int:
        """How many of its monitors are not shown."""
        return self.group.total - len(self.rows or ())


@dataclass(frozen=True, slots=True)
class ListPage:
    """counts: of all monitors; within: of those that the filter finds, whatever their status. sections: of groups."""

    asked: Asked
    rows: Sequence[Row]
    sections: Sequence[Section]
    counts: Counts
    within: Counts
    tags: Sequence[str]
    mark: str
    problems: Sequence[PipelineIncident]
    told: bool
    saved: Sequence[View]
    undo: Undo | None
    next: str

    @property
    def total(self) -> int:
        return sum(self.counts.values())

    @property
    def matches(self) -> int:
        """How many monitors the whole list has, page by page."""
        return self.within[Status(self.asked.status)] if self.asked.status else sum(self.within.values())

    @property
    def unfolded(self) -> tuple[str, ...]:
        return tuple(each.group.tag for each in self.sections if each.rows is not None)

    @property
    def shown(self) -> list[Row]:
        """Every row that is on the page, once."""
        rows = [*self.rows, *(row for each in self.sections for row in each.rows or ())]
        return list({row.monitor.id: row for row in rows}.values())

    @property
    def live(self) -> str:
        """What its live parts say that they show: its monitors, their statuses, its counts, its filter."""
        rows = [each.monitor for each in self.shown]
        had = ".".join(str(self.within[status]) for status in Status)
        return f"ids={','.join(str(each.id) for each in rows)}&seen={letters(rows)}&had={had}&{self.asked.query}"

    @property
    def current(self) -> View | None:
        """The view that this list is."""
        query = self.asked.link(after="").partition("?")[2]
        return next((each for each in self.saved if each.query == query), None)


async def read(conn: Connection, asked: Asked, tags: Tags, user_id: int) -> ListPage:
    """Raises `InvalidInput` for a place that is none."""
    mark = await monitors.mark(conn)  # first: what changes while this page is drawn, it is told
    counts = await monitors.counts(conn)
    within = await listing.counts(conn, asked.filter) if asked.narrowed else counts
    (rows, following), sections, offered, problems, told, saved, undo = await at_once(
        conn,
        _rows(conn, asked, within),
        _sections(conn, asked),
        tags.read(conn, mark),
        upkeep.problems(conn, timedelta(0)),
        channels.any_on(conn),
        listing.views(conn, user_id),
        bulk.open_undo(conn, user_id),
    )
    return ListPage(
        asked=asked,
        rows=rows,
        sections=sections,
        counts=counts,
        within=within,
        tags=offered,
        mark=mark,
        problems=problems,
        told=told,
        saved=saved,
        undo=undo,
        next=following,
    )


async def _rows(conn: Connection, asked: Asked, within: Counts) -> tuple[list[Row], str]:
    """A page of rows, and the cursor of the next; none where there are groups."""
    if asked.group:
        return [], ""
    as_of = datetime.now(UTC) if asked.sort == "uptime" else None
    place = asked.place
    start = place or Place(-1e308, "", 0, as_of)
    among = worst(within, start) if asked.sort == "status" and not asked.status else None
    found = await monitors.listed(conn, asked.filter, after=start, most=PAGE + 1, sort=asked.sort, among=among)
    if among and len(found) <= PAGE:  # meanwhile some recovered
        found = await monitors.listed(conn, asked.filter, after=start, most=PAGE + 1, sort=asked.sort)
    following = asking.cursor(found[PAGE - 1], start) if len(found) > PAGE else ""
    return await views.rows(conn, found[:PAGE]), following


def worst(within: Counts, start: Place) -> list[str] | None:
    """The statuses of a page that begins after `start`, the worst first; None where it may need the last of them.

    Of those with the status of `start` all may be before it.
    """
    sure, among = 0, []
    for rank, status in enumerate(ORDER[:-1], 1):
        if rank >= start.rank:
            among.append(status)
            sure += within[Status(status)] if rank > start.rank else 0
        if sure > PAGE:
            return among
    return None


async def _sections(conn: Connection, asked: Asked) -> list[Section]:
    if not asked.group:
        return []
    groups = await listing.groups(conn, asked.filter)
    names = [each.tag for each in groups]
    wanted = names[:UNFOLDED] if asked.open is None else [tag for tag in names if tag in asked.open][:MOST_UNFOLDED]
    most = PAGE // max(1, len(wanted))
    found = await listing.grouped(conn, asked.filter, wanted, sort=asked.sort, most=most)
    ids = list({monitor_id for members in found.values() for monitor_id in members})
    listed = await monitors.listed(conn, monitors.Filter(), ids=ids, most=len(ids))
    rows = {row.monitor.id: row for row in await views.rows(conn, listed)}
    return [
        Section(each, [rows[i] for i in found[each.tag] if i in rows] if each.tag in found else None) for each in groups
    ]
