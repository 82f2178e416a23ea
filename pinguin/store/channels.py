"""Channels and their groups: where alerts go, and what became of them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
import psycopg
from psycopg.rows import args_row, class_row
from psycopg.types.json import Jsonb

from pinguin.db import Connection, queries
from pinguin.errors import Conflict, InvalidInput, NotFound

_SQL = queries("channels")

OFFERED = 500
"""Names of monitors that a form offers, to be completed while somebody types."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What a user may write of a channel; checked at the border. options: secrets are sealed.

    quiet_from, quiet_to: "22:00", wall-clock time in quiet_zone. quiet_days: ISO weekdays. All three or none.
    """

    name: str
    kind: str
    options: Mapping[str, Any]
    is_default: bool
    subject_template: str | None
    body_template: str | None
    per_minute: int
    quiet_from: str | None
    quiet_to: str | None
    quiet_zone: str | None
    quiet_days: Sequence[int]

    def row(self) -> dict[str, Any]:
        values = {name: getattr(self, name) for name in self.__dataclass_fields__}
        options = Jsonb(self.options, dumps=msgspec.json.encode)
        return values | {"options": options, "quiet_days": list(self.quiet_days)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """A channel as it is now. options: sealed. held: why what waits does. last_…, again_at: of its newest message."""

    id: int
    name: str
    kind: str
    options: dict[str, Any]
    enabled: bool
    is_default: bool
    subject_template: str | None
    body_template: str | None
    per_minute: int
    quiet_from: str | None
    quiet_to: str | None
    quiet_zone: str | None
    quiet_days: list[int]
    failures: int
    failing_since: datetime | None
    broken_at: datetime | None
    broken_reason: str | None
    updated_at: datetime
    waiting: int
    held: list[str] | None
    last_status: str | None
    last_at: datetime | None
    last_answer: str | None
    again_at: datetime | None


@dataclass(frozen=True, slots=True)
class Group:
    """mark: changes with every edit."""

    id: int
    name: str
    channel_ids: list[int]
    mark: str


@dataclass(frozen=True, slots=True)
class Chooser:
    """A monitor whose rules name a channel. alone: nobody else is told of it."""

    id: int
    name: str
    alone: bool


@dataclass(frozen=True, slots=True)
class Choices:
    """What alert rules may name. monitors: by id, in the order of their names."""

    channels: Sequence[Choice]
    groups: Sequence[Choice]
    monitors: Mapping[int, str]


@dataclass(frozen=True, slots=True)
class Choice:
    """marked: a channel that is a default one."""

    kind: str
    id: int
    name: str
    marked: bool
    enabled: bool


@dataclass(frozen=True, slots=True)
class Told:
    """A channel that is told of a monitor, so many seconds after an outage began."""

    step: int
    after_s: int
    channel_id: int
    channel: str
    broken: bool
    failing: bool


async def listed(conn: Connection) -> list[Channel]:
    """Every channel, by name."""
    async with conn.cursor(row_factory=class_row(Channel)) as cursor:
        await cursor.execute(_SQL["listed"], {"id": None})
        return await cursor.fetchall()


async def get(conn: Connection, channel_id: int) -> Channel:
    """Raises `NotFound` when there is none, or it was deleted."""
    async with conn.cursor(row_factory=class_row(Channel)) as cursor:
        await cursor.execute(_SQL["listed"], {"id": channel_id})
        found = await cursor.fetchone()
    if found is None:
        raise NotFound(f"There is no channel {channel_id}. It may have been deleted.")
    return found


async def create(conn: Connection, draft: Draft) -> int:
    """The new channel's id. Raises `InvalidInput` for a name that is taken, or a zone that the database lacks."""
    async with _in_words("channel", draft.quiet_zone):
        cursor = await conn.execute(_SQL["create"], draft.row())
        row = await cursor.fetchone()
    assert row is not None
    return int(row[0])


async def update(conn: Connection, channel_id: int, updated_at: datetime, draft: Draft) -> None:
    """Raises `Conflict` unless `updated_at` is the newest, `NotFound` when it is gone, else as `create`."""
    async with _in_words("channel", draft.quiet_zone):
        cursor = await conn.execute(_SQL["update"], draft.row() | {"id": channel_id, "updated_at": updated_at})
    if await cursor.fetchone() is None:
        await get(conn, channel_id)
        raise Conflict("Somebody changed this channel after you opened it.")


async def enable(conn: Connection, channel_id: int, enabled: bool) -> None:
    """On or off; what waits when it is switched off is not told any more. Raises `NotFound`."""
    cursor = await conn.execute(_SQL["enable"], {"id": channel_id, "enabled": enabled})
    if not cursor.rowcount:
        await get(conn, channel_id)


async def retry(conn: Connection, channel_id: int) -> None:
    """Send what waits at once, although the provider refused or does not answer. Raises `NotFound`."""
    cursor = await conn.execute(_SQL["retry"], {"id": channel_id})
    if await cursor.fetchone() is None:
        await get(conn, channel_id)


async def archive(conn: Connection, channel_id: int) -> None:
    """Delete it, as people see it: its log stays. Raises `NotFound`."""
    cursor = await conn.execute(_SQL["archive"], {"id": channel_id})
    if await cursor.fetchone() is None:
        raise NotFound(f"There is no channel {channel_id}.")


async def chosen_by(conn: Connection, channel_id: int) -> list[Chooser]:
    """Up to 200 monitors whose rules name it, by themselves or by a group."""
    async with conn.cursor(row_factory=args_row(Chooser)) as cursor:
        await cursor.execute(_SQL["chosen_by"], {"id": channel_id})
        return await cursor.fetchall()


async def any_on(conn: Connection) -> bool:
    """Whether anybody can be told of anything."""
    row = await (await conn.execute(_SQL["any"])).fetchone()
    return row is not None and bool(row[0])


async def groups(conn: Connection) -> list[Group]:
    async with conn.cursor(row_factory=args_row(Group)) as cursor:
        await cursor.execute(_SQL["groups"])
        return await cursor.fetchall()


async def create_group(conn: Connection, name: str, channels: Sequence[int]) -> int:
    """Its id. Raises `InvalidInput` where the name is taken."""
    async with _in_words("group"):
        cursor = await conn.execute(_SQL["create_group"], {"name": name, "channels": list(channels)})
        row = await cursor.fetchone()
    assert row is not None
    return int(row[0])


async def update_group(conn: Connection, group_id: int, mark: str, name: str, channels: Sequence[int]) -> None:
    """Raises `Conflict` unless `mark` is the newest, or where it is gone; `InvalidInput` where the name is taken."""
    given = {"id": group_id, "mark": mark, "name": name, "channels": list(channels)}
    async with _in_words("group"):
        cursor = await conn.execute(_SQL["update_group"], given)
    if await cursor.fetchone() is None:
        raise Conflict("Somebody changed or deleted this group after you opened it. Open the page again.")


async def delete_group(conn: Connection, group_id: int) -> None:
    """Rules that name it go on without it."""
    await conn.execute(_SQL["delete_group"], {"id": group_id})


async def choices(conn: Connection, naming: Sequence[int] | None = None) -> Choices:
    """One query. naming: of monitors the first `OFFERED` and those that are called like one of these; None: all."""
    given = {"naming": None if naming is None else list(naming), "offered": OFFERED}
    async with conn.cursor(row_factory=args_row(Choice)) as cursor:
        await cursor.execute(_SQL["choices"], given)
        found = await cursor.fetchall()
    return Choices(
        [each for each in found if each.kind == "channel"],
        [each for each in found if each.kind == "group"],
        {each.id: each.name for each in found if each.kind == "monitor"},
    )


async def told(conn: Connection, monitor_id: int) -> list[Told]:
    """Who is told of a monitor's outages, the first step first."""
    async with conn.cursor(row_factory=args_row(Told)) as cursor:
        await cursor.execute(_SQL["told"], {"monitor": monitor_id})
        return await cursor.fetchall()


@asynccontextmanager
async def _in_words(what: str, zone: str | None = None) -> AsyncIterator[None]:
    try:
        yield
    except psycopg.errors.UniqueViolation:
        raise InvalidInput({"name": f"is taken: another {what} is called so"}) from None
    except psycopg.errors.InvalidParameterValue:
        raise InvalidInput(
            {"quiet_zone": f"{zone!r} is not known to the database; use one like Europe/Berlin"}
        ) from None
