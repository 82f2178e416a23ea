"""News of lists of monitors, read and drawn once for all open pages of a process that show the same ones."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from jinja2 import Environment

from pinguin.db import Pool
from pinguin.model import Status
from pinguin.store import listing, monitors, upkeep
from pinguin.store.monitors import Filter, Listed
from pinguin.store.upkeep import PipelineIncident
from pinguin.web import views
from pinguin.web.asked import ORDER, Asked
from pinguin.web.database import connection
from pinguin.web.shown import Shown
from pinguin.web.together import Together
from pinguin.web.views import Row

EVERY_S = 0.5
"""So often at most the news of all pages are read."""
AT_ONCE = 500
"""Monitors that one query reads: after an outage of Redis every page wants all of its own."""
CUT = "\x00"
"""Between the pieces of a fragment; no text that Postgres keeps has it."""
TOP = 0
"""In place of a monitor: what stands above the list."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A drawn line of the list with its monitor, or what stands above the list with the counts of what is asked for."""

    text: str
    listed: Listed | None = None
    within: Mapping[Status, int] | None = None


Key = tuple[Asked, int]


class ListNews:
    def __init__(self, pool: Pool, templates: Environment) -> None:
        self._pool, self._templates = pool, templates
        self._together = Together(self._make, EVERY_S)

    async def text(self, shown: Shown, due: Sequence[int], *, at_once: bool = False) -> str:
        """The fragments of these monitors and of what stands above; `shown` is told of them. "" where nothing is new.

        at_once: somebody waits for the answer, so it is not gathered with what others want.
        """
        asked = replace(shown.asked, after="")
        keys = [(asked, TOP), *((asked, each) for each in due)]
        found = await (self._make(frozenset(keys)) if at_once else self._together.get(keys))
        top = found[asked, TOP]
        assert top.within is not None
        new = shown.told([piece.listed for piece in found.values() if piece.listed], top.within)
        return "".join(piece.text for piece in found.values()) if due or new else ""

    async def _make(self, keys: frozenset[Key]) -> dict[Key, Piece]:
        ids = sorted({each for _, each in keys} - {TOP})
        rows: dict[int, Row] = {}
        async with connection(self._pool) as conn:
            for start in range(0, len(ids), AT_ONCE):
                part = ids[start : start + AT_ONCE]
                listed = await monitors.listed(conn, Filter(), ids=part, most=len(part))
                rows |= {row.monitor.id: row for row in await views.rows(conn, listed)}
            counts = await monitors.counts(conn)
            lists = {asked for asked, _ in keys}
            within = {each: await listing.counts(conn, each.filter) if each.narrowed else counts for each in lists}
            problems = await upkeep.problems(conn, timedelta(0))
        made: dict[Key, Piece] = {}
        for asked in lists:
            mine = [rows[each] for each in ids if (asked, each) in keys and each in rows]
            made |= self._drawn(asked, mine, counts, within[asked], problems)
        return made

    def _drawn(
        self,
        asked: Asked,
        rows: Sequence[Row],
        counts: Mapping[Status, int],
        within: Mapping[Status, int],
        problems: Iterable[PipelineIncident],
    ) -> dict[Key, Piece]:
        text = self._templates.get_template("fragments/list_news.html").render(
            visit=None, now=datetime.now(UTC), rows=rows, counts=counts, within=within, problems=problems, order=ORDER,
            asked=asked, cut=CUT,
        )  # fmt: skip
        *lines, top = text.split(CUT)
        pieces = {
            (asked, row.monitor.id): Piece(line, listed=row.monitor) for row, line in zip(rows, lines, strict=True)
        }
        return {(asked, TOP): Piece(top, within=within), **pieces}
