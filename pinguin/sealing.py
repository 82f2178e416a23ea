"""Seals what the database holds in plain, and what an older key sealed, with the key of now. At every start.

Nothing of it is an edit: monitors keep their versions and states, channels what they wait for. It can be broken off
and begun again at any point; where there is nothing to do it only reads.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from pinguin.alerts.channels import channel_types
from pinguin.alerts.contract import PLACE
from pinguin.checks import check_types
from pinguin.db import Connection
from pinguin.fields import StrictOptions
from pinguin.secrets import Keys, is_sealed, monitor_place, texts
from pinguin.store import sealing
from pinguin.store.sealing import Row, Table

TABLES: tuple[Table, ...] = ("monitors", "versions", "channels")


@dataclass(frozen=True, slots=True)
class Kind:
    """What the options of a row are, and where they are kept."""

    struct: type[StrictOptions]
    place: str


def kinds(table: Table) -> Mapping[str, Kind]:
    if table == "channels":
        return {name: Kind(kind.options, PLACE) for name, kind in channel_types().items()}
    return {name: Kind(kind.options, monitor_place(name)) for name, kind in check_types().items()}


async def seal_all(conn: Connection, keys: Keys) -> list[str]:
    """What was done, line by line. Without a key, nothing."""
    if not keys:
        return []
    done = [await _seal(conn, keys, table) for table in TABLES]
    done.append(await _seal_second_factors(conn, keys))
    lines = zip(("monitors", "versions of monitors", "channels", "second factors"), done, strict=True)
    return [f"sealed the secrets of {number} {what}" for what, number in lines if number]


async def _seal(conn: Connection, keys: Keys, table: Table) -> int:
    """How many rows changed."""
    known, changed, last = kinds(table), 0, None
    while part := await sealing.part(conn, table, last):
        if any(_sealed(row, keys, known) != row for row in part):
            async with sealing.quietly(conn):
                again = await sealing.part(conn, table, last)
                rows = [new for row in again if (new := _sealed(row, keys, known)) != row]
                await sealing.write(conn, table, rows)
            changed += len(rows)
        last = part[-1]
    return changed


def _sealed(row: Row, keys: Keys, known: Mapping[str, Kind]) -> Row:
    kind = known.get(row.kind)
    return replace(row, options=keys.reseal_fields(row.options, kind.struct, kind.place)) if kind else row


async def _seal_second_factors(conn: Connection, keys: Keys) -> int:
    changed = 0
    for user_id, old in await sealing.second_factors(conn):
        new = keys.reseal(old, f"users.{user_id}.totp_secret")
        if new != old:
            await sealing.set_second_factor(conn, user_id, old, new)
            changed += 1
    return changed


@dataclass(slots=True)
class Count:
    """Of the stored secrets of monitors and channels: how many are in plain, and how many do not open."""

    plain: int = 0
    broken: int = 0


async def count(conn: Connection, keys: Keys) -> Count:
    """For `doctor`."""
    found = Count()
    for table in TABLES:
        known, last = kinds(table), None
        while part := await sealing.part(conn, table, last):
            for row in part:
                if kind := known.get(row.kind):
                    _count(row, kind, keys, found)
            last = part[-1]
    return found


def _count(row: Row, kind: Kind, keys: Keys, found: Count) -> None:
    for text, place in texts(row.options, kind.struct, kind.place):
        if not is_sealed(text):
            found.plain += 1
        elif not keys.opens(text, place):
            found.broken += 1
