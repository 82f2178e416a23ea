"""What the dashboard shows, put together from a fixed number of queries, in parts that change by themselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from time import monotonic

from pinguin.db import Connection, Pool
from pinguin.model import Status
from pinguin.store import channels, dashboard, incidents, monitors, upkeep
from pinguin.store.dashboard import Expiring, Planned, Slow, Trouble
from pinguin.store.incidents import Filter, Incident
from pinguin.store.upkeep import PipelineIncident
from pinguin.web.database import connection
from pinguin.web.together import Together

RECENT = 6
EVERY_S = 1.0
"""So often a process looks at most whether there is a newer board, however many pages show it."""
OLDEST_S = 60.0
"""A board is drawn anew after this time although nothing seems to have changed: things run out."""

PARTS = ("overall", "down", "slow", "quiet", "expiring", "maintenance", "recent")
"""Each is a macro of templates/dashboard.html."""


@dataclass(frozen=True, slots=True)
class Board:
    """mark: of all of it. troubles: by status. told: whether any channel is on."""

    mark: str
    counts: Mapping[Status, int]
    troubles: Mapping[str, Sequence[Trouble]]
    reasons: Sequence[tuple[str | None, int]]
    slow: Sequence[Slow]
    expiring: Sequence[Expiring]
    planned: Sequence[Planned]
    recent: Sequence[Incident]
    problems: Sequence[PipelineIncident]
    told: bool

    def changed(self, before: Board) -> list[str]:
        """The parts that do not show what they did."""
        return [part for part in PARTS if self._facts(part) != before._facts(part)]

    def _facts(self, part: str) -> object:
        return {
            "overall": (self.counts, self.reasons, self.problems, self.told, self.recent[:1]),
            "down": (self.troubles["down"], self.recent[:1]),
            "slow": (self.troubles["degraded"], self.slow),
            "quiet": self.troubles["unknown"],
            "expiring": self.expiring,
            "maintenance": self.planned,
            "recent": self.recent,
        }[part]


async def board(conn: Connection) -> Board:
    """Ten queries. The mark is read first: what changes while the rest is read is told the next time."""
    return Board(
        mark=await dashboard.mark(conn),
        counts=await monitors.counts(conn),
        troubles=await dashboard.troubles(conn),
        reasons=await dashboard.reasons(conn),
        slow=await dashboard.slow(conn),
        expiring=await dashboard.expiring(conn),
        planned=await dashboard.planned(conn),
        recent=await incidents.listed(conn, Filter(state="ended"), most=RECENT),
        problems=await upkeep.problems(conn, timedelta(0)),
        told=await channels.any_on(conn),
    )


class Boards:
    """The newest board for all open dashboards of a process."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._together = Together(self._newest, EVERY_S)
        self._last: Board | None = None
        self._until = float("-inf")

    async def newest(self) -> Board:
        """Not older than the question. The same one as before, where nothing changed."""
        return (await self._together.get([""]))[""]

    async def _newest(self, _: frozenset[str]) -> dict[str, Board]:
        async with connection(self._pool) as conn:
            last = self._last
            if last is None or monotonic() > self._until or last.mark != await dashboard.mark(conn):
                self._last = last = await board(conn)
                self._until = monotonic() + OLDEST_S
        return {"": last}
