"""sql/queries/maintenance.sql: what is planned, and the windows that come of it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from pinguin import maintenance
from pinguin.db import Connection, queries
from pinguin.errors import Conflict, InvalidInput, NotFound
from pinguin.maintenance import AHEAD, LONGEST, SHORTEST, AnyRule, Rule, Window
from pinguin.store.maintenance_windows import Counts, lock, write
from pinguin.wallclock import zone_of

_SQL = queries("maintenance")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")

MOST_MONITORS = 400
"""Monitors chosen one by one; for more there are tags."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What a user may write. everything: for all monitors, else for those of `monitor_ids` and those with a tag."""

    title: str
    rule: Rule
    zone: str = "UTC"
    description: str = ""
    enabled: bool = True
    counts: Counts = "excluded"
    everything: bool = False
    tags: Sequence[str] = ()
    monitor_ids: Sequence[int] = ()

    def row(self) -> dict[str, Any]:
        rule = Jsonb(maintenance.plain(self.rule))
        return asdict(self) | {"rule": rule, "tags": list(self.tags), "monitor_ids": list(self.monitor_ids)}

    def schedule(self) -> tuple[Any, ...]:
        return self.enabled, self.zone, maintenance.plain(self.rule)

    def scope(self) -> tuple[Any, ...]:
        return self.counts, self.everything, list(self.tags), list(self.monitor_ids)


@dataclass(frozen=True, slots=True, kw_only=True)
class Maintenance:
    """As it is now. rule: None where what is stored is none (`problem` says why). monitors: how many it is for.

    running_since, running_until: the window that runs now. now: the database's clock.
    """

    id: int
    title: str
    description: str
    enabled: bool
    rule: AnyRule | None
    problem: str
    zone: str
    counts: Counts
    everything: bool
    tags: list[str]
    monitor_ids: list[int]
    updated_at: datetime
    now: datetime
    running_since: datetime | None
    running_until: datetime | None
    monitors: int

    def coming(self, most: int) -> list[Window]:
        """The next windows of the rule, the running one included."""
        if self.rule is None or not self.enabled:
            return []
        return maintenance.coming(self.rule, zone_of(self.zone), self.now, most)


async def create(conn: Connection, draft: Draft) -> int:
    """The new one's id; its windows are written at once. Raises `InvalidInput`."""
    async with conn.transaction():
        _check_fields(draft)
        await _check_monitors(conn, draft)
        row = await (await conn.execute(_SQL["create"], draft.row())).fetchone()
        assert row is not None
        maintenance_id, now = int(row[0]), row[1]
        maintenance.check(draft.rule, zone_of(draft.zone), now)
        await _plan_anew(conn, maintenance_id, draft, now)
    return maintenance_id


async def update(conn: Connection, maintenance_id: int, updated_at: datetime, draft: Draft) -> None:
    """Past windows stay, the running one is cut or made longer, coming ones are replaced.

    Raises `Conflict` unless `updated_at` is the newest, `NotFound` when it is gone, `InvalidInput`.
    """
    async with conn.transaction():
        was = await lock(conn, maintenance_id)
        if was["updated_at"] != updated_at:
            raise Conflict("Somebody changed this maintenance after you opened it.")
        _check_fields(draft)
        await _check_monitors(conn, draft, known=was["monitor_ids"])
        given = draft.row() | {"id": maintenance_id, "by_hand_too": not draft.enabled}
        rescheduled = draft.schedule() != (was["enabled"], was["zone"], was["rule"])
        await conn.execute(_SQL["update"], given)
        if rescheduled:
            maintenance.check(draft.rule, zone_of(draft.zone), was["now"])
            await conn.execute(_SQL["clear_coming"], given)
            await conn.execute(_SQL["cut_running"], given)
        if draft.scope() != (was["counts"], was["everything"], was["tags"], was["monitor_ids"]):
            await conn.execute(_SQL["split_running"], given)
            await conn.execute(_SQL["cut_running"], given | {"by_hand_too": True})
            await conn.execute(_SQL["rescope_coming"], given)
        if rescheduled:
            await _plan_anew(conn, maintenance_id, draft, was["now"])


async def archive(conn: Connection, maintenance_id: int) -> None:
    """Delete it, as people see it: past windows stay, the running one ends now. Raises `NotFound`."""
    async with conn.transaction():
        await lock(conn, maintenance_id)
        given = {"id": maintenance_id, "by_hand_too": True}
        for step in ("archive", "clear_coming", "cut_running"):
            await conn.execute(_SQL[step], given)


async def start(conn: Connection, maintenance_id: int, length: timedelta) -> None:
    """A window from now on, whatever the rule. Raises `InvalidInput` when one runs already, `NotFound`."""
    _check_length(length)
    async with conn.transaction():
        was = await lock(conn, maintenance_id)
        if not was["enabled"]:
            raise InvalidInput({"enabled": "is off; turn this maintenance on first"})
        await _change(conn, "start", maintenance_id, "runs already; extend it instead", length=length)


async def end(conn: Connection, maintenance_id: int) -> None:
    """End the running window now. Raises `InvalidInput` when none runs, `NotFound`."""
    async with conn.transaction():
        await lock(conn, maintenance_id)
        await _change(conn, "end", maintenance_id, "does not run just now; it is over already")


async def extend(conn: Connection, maintenance_id: int, length: timedelta) -> None:
    """Let the running window end that much later. Raises `InvalidInput` when none runs, `NotFound`."""
    _check_length(length)
    async with conn.transaction():
        await lock(conn, maintenance_id)
        await _change(conn, "extend", maintenance_id, "does not run just now; start it instead", length=length)


async def get(conn: Connection, maintenance_id: int) -> Maintenance:
    """Raises `NotFound` when there is none, or it was deleted."""
    found = await _listed(conn, maintenance_id, 1, None)
    if not found:
        raise NotFound(f"There is no maintenance {maintenance_id}. It may have been deleted.")
    return found[0]


async def listed(conn: Connection, most: int = 500, before: int | None = None) -> list[Maintenance]:
    """The newest first; those below the number `before`."""
    return await _listed(conn, None, most, before)


async def _listed(conn: Connection, maintenance_id: int | None, most: int, before: int | None) -> list[Maintenance]:
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(_SQL["listed"], {"id": maintenance_id, "most": most, "before": before})
        return [_maintenance(row) for row in await cursor.fetchall()]


def _maintenance(row: dict[str, Any]) -> Maintenance:
    try:
        zone_of(row["zone"])
        return Maintenance(**row | {"rule": maintenance.parse(row["rule"]), "problem": ""})
    except InvalidInput as error:
        return Maintenance(**row | {"rule": None, "problem": str(error)})


async def _change(conn: Connection, name: str, maintenance_id: int, otherwise: str, **given: Any) -> None:
    cursor = await conn.execute(_SQL[name], {"id": maintenance_id, **given})
    if await cursor.fetchone() is None:
        raise InvalidInput({"maintenance": otherwise})


async def _plan_anew(conn: Connection, maintenance_id: int, draft: Draft, now: datetime) -> None:
    until = now + AHEAD
    found = maintenance.windows(draft.rule, zone_of(draft.zone), now, until) if draft.enabled else []
    await write(conn, maintenance_id, found, until)


def _check_length(length: timedelta) -> None:
    if not SHORTEST <= length <= LONGEST:
        raise InvalidInput({"hours": f"must be from 1 minute to {LONGEST.days} days"})


def wrong_fields(draft: Draft) -> dict[str, str]:
    """What is wrong with each field, the rule and the existence of monitors apart."""
    wrong: dict[str, str | None] = {
        "title": _wrong_text(draft.title, 200) or (None if draft.title.strip() else "is required"),
        "description": _wrong_text(draft.description, 5000),
        "counts": None if draft.counts in ("excluded", "as_measured") else "must be excluded or as_measured",
        "tags": next((words for tag in draft.tags if (words := _wrong_text(tag, 50))), None),
    }
    try:
        zone_of(draft.zone)
    except InvalidInput as error:
        wrong |= error.fields
    if not (draft.everything or draft.tags or draft.monitor_ids):
        wrong["monitors"] = "must be all, or some: choose a tag or a monitor"
    if len(draft.monitor_ids) > MOST_MONITORS:
        wrong["monitors"] = f"must be at most {MOST_MONITORS} of them; give them a tag and choose that"
    return {name: words for name, words in wrong.items() if words}


def _check_fields(draft: Draft) -> None:
    if found := wrong_fields(draft):
        raise InvalidInput(found)


def _wrong_text(text: str, most: int) -> str | None:
    if len(text) > most:
        return f"must have at most {most} characters"
    return "must not contain control characters" if _CONTROL.search(text) else None


async def _check_monitors(conn: Connection, draft: Draft, known: Sequence[int] = ()) -> None:
    """known: those that it had already; of these some may have been deleted meanwhile."""
    fresh = sorted(set(draft.monitor_ids) - set(known))
    if any(not 0 < monitor_id < 2**63 for monitor_id in fresh):
        raise InvalidInput({"monitors": "must be numbers of monitors"})
    rows = await (await conn.execute(_SQL["unknown_monitors"], {"monitor_ids": fresh})).fetchall()
    if rows:
        names = ", ".join(str(row[0]) for row in rows[:5])
        raise InvalidInput({"monitors": f"must exist: there is no monitor {names}"})
