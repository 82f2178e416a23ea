"""The list of monitors: its groups, what is within a filter, and the views that people keep.

What is filtered is planned for each filter anew (`prepare=False`): a plan for all of them takes twice as long.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from psycopg.rows import class_row, scalar_row

from pinguin.db import Connection, queries
from pinguin.errors import InvalidInput, NotFound
from pinguin.model import Status
from pinguin.store.monitors import Filter, Sort

_SQL = queries("listing")

MOST_VIEWS = 50


@dataclass(frozen=True, slots=True)
class Group:
    """The monitors with a tag; "" is the group of those without one. counts: how many have each status."""

    tag: str
    counts: dict[str, int]

    @property
    def total(self) -> int:
        return sum(self.counts.values())


@dataclass(frozen=True, slots=True)
class View:
    """What somebody wants to see again. query: what stands after the ? in the address."""

    id: int
    name: str
    query: str
    is_default: bool


async def groups(conn: Connection, wanted: Filter) -> list[Group]:
    """By tag, 200 at most; those without one come last."""
    async with conn.cursor(row_factory=class_row(Group)) as cursor:
        await cursor.execute(_SQL["groups"], wanted.row(), prepare=False)
        return await cursor.fetchall()


async def grouped(
    conn: Connection, wanted: Filter, open_tags: Sequence[str], *, sort: Sort, most: int
) -> dict[str, list[int]]:
    """The ids of the first `most` monitors of each of these groups, in order."""
    given = wanted.row() | {"open": list(open_tags), "sort": sort, "most": most}
    found: dict[str, list[int]] = {tag: [] for tag in open_tags}
    for tag, monitor_id in await (await conn.execute(_SQL["grouped"], given, prepare=False)).fetchall():
        found[tag].append(monitor_id)
    return found


async def counts(conn: Connection, wanted: Filter) -> dict[Status, int]:
    """How many of the monitors within the filter have each status, whatever status it asks for."""
    found = dict(await (await conn.execute(_SQL["counts_of"], wanted.row(), prepare=False)).fetchall())
    return {status: found.get(status.value, 0) for status in Status}


async def matching(conn: Connection, wanted: Filter, ids: Sequence[int] | None = None) -> list[int]:
    """Ids of all within the filter (and of `ids`), locked until the end of the transaction."""
    async with conn.cursor(row_factory=scalar_row) as cursor:
        await cursor.execute(_SQL["matching"], wanted.row() | {"ids": None if ids is None else list(ids)})
        return await cursor.fetchall()


async def views(conn: Connection, user_id: int) -> list[View]:
    """By name."""
    async with conn.cursor(row_factory=class_row(View)) as cursor:
        await cursor.execute(_SQL["views"], {"user": user_id})
        return await cursor.fetchall()


async def save_view(conn: Connection, user_id: int, name: str, query: str, is_default: bool) -> int:
    """Its id; one of the same name is replaced. Raises `InvalidInput` where there are too many."""
    given = {"user": user_id, "name": name, "query": query, "is_default": is_default}
    async with conn.transaction():
        if is_default:
            await conn.execute(_SQL["no_default_view"], given)
        row = await (await conn.execute(_SQL["save_view"], given)).fetchone()
    if row is None:
        raise InvalidInput({"name": f"would be view number {MOST_VIEWS + 1}; delete one first"})
    return int(row[0])


async def make_default_view(conn: Connection, user_id: int, view_id: int | None) -> str:
    """The list opens with it; None: with all monitors. Its name. Raises `NotFound`."""
    given = {"user": user_id, "id": view_id}
    async with conn.transaction():
        await conn.execute(_SQL["no_default_view"], given)
        if view_id is None:
            return ""
        return await _named(conn, "make_default_view", user_id, view_id)


async def delete_view(conn: Connection, user_id: int, view_id: int) -> str:
    """Its name. Raises `NotFound`."""
    return await _named(conn, "delete_view", user_id, view_id)


async def _named(conn: Connection, statement: str, user_id: int, view_id: int) -> str:
    row = await (await conn.execute(_SQL[statement], {"user": user_id, "id": view_id})).fetchone()
    if row is None:
        raise NotFound("There is no such view among yours. It may have been deleted.")
    return str(row[0])
