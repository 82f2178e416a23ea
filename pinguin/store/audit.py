"""The audit log: who changed what, written in the transaction of the change.

    await audit.write(conn, principal, "channel.edit", Thing("channel", 7, "Ops"), before, after)

before, after: plain JSON types by field, None where there is nothing; what was the same is left out. A secret is a
`Hidden`, of which only "changed" is kept; `pinguin.web.audited` makes them from a struct's annotations.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

import msgspec
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from pinguin.db import Connection, queries
from pinguin.people import Principal, nobody

_SQL = queries("audit")

LONGEST = 2000
"""Characters of one value that are kept."""
SEALED = "sealed:"
CHANGED = "changed"

Values = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Hidden:
    """A value that is compared, and never written. shown: what may be shown of it, "" for nothing."""

    value: Any = field(repr=False)
    shown: str = ""


@dataclass(frozen=True, slots=True)
class Thing:
    """What was changed. kind: monitor, person, token, session, channel, …; name: as it is called now."""

    kind: str
    id: int | None = None
    name: str = ""


@dataclass(frozen=True, slots=True)
class Change:
    """One of several things that one act changed."""

    thing: Thing
    before: Values | None = None
    after: Values | None = None


@dataclass(frozen=True, slots=True)
class Filter:
    """What of the log is wanted; None is all. until: the first moment after it."""

    actor: str | None = None
    kind: str | None = None
    object_id: int | None = None
    action: str | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """One row. changes: field → {"from": …, "to": …}, or "changed". tries, last_at: of sign-ins that failed."""

    id: int
    at: datetime
    actor: str
    user_id: int | None
    token_id: int | None
    token_name: str | None
    address: str
    action: str
    object_kind: str
    object_id: int | None
    object_name: str
    changes: dict[str, Any]
    tries: int | None
    last_at: datetime | None


async def write(
    conn: Connection,
    principal: Principal,
    action: str,
    thing: Thing,
    before: Values | None = None,
    after: Values | None = None,
) -> None:
    """Call it in the transaction of the change. An edit that changed nothing is none."""
    await write_all(conn, principal, action, [Change(thing, before, after)])


async def write_all(conn: Connection, principal: Principal, action: str, changes: Sequence[Change]) -> None:
    """The same for many things at once, in one statement."""
    entries = [
        {"kind": each.thing.kind, "id": each.thing.id, "name": each.thing.name, "changes": difference}
        for each in changes
        if (difference := diff(each.before, each.after)) or each.before is None or each.after is None
    ]
    if not entries:
        return
    given = {
        "actor": principal.name,
        "user_id": principal.user_id,
        "token_id": principal.token_id,
        "token_name": principal.token_name,
        "address": principal.address,
        "action": action,
        "entries": Jsonb(entries, dumps=msgspec.json.encode),
    }
    await conn.execute(_SQL["write"], given)


def diff(before: Values | None, after: Values | None) -> dict[str, Any]:
    """What differs, by field; a field below another as `options.url`."""
    old, new = _flat(before or {}), _flat(after or {})
    found: dict[str, Any] = {}
    for name in dict.fromkeys([*old, *new]):
        was, now = old.get(name), new.get(name)
        if was == now:
            continue
        if _secret(was) or _secret(now):
            found[name] = CHANGED
            continue
        sides = {"from": _shown(was), "to": _shown(now)}
        if sides["from"] == sides["to"]:
            found[name] = CHANGED
        else:
            found[name] = {side: value for side, value in sides.items() if value is not None}
    return found


def _flat(values: Values, prefix: str = "") -> dict[str, Any]:
    """Without what is empty: a field that is not there and one that is null are the same."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            found |= _flat(value, f"{prefix}{name}.")
        elif value is not None and value != Hidden(None) and value != Hidden(""):
            found[f"{prefix}{name}"] = value
    return found


def _secret(value: Any) -> bool:
    """What is sealed is a secret, whoever forgot to hide it."""
    if isinstance(value, list | tuple):
        return any(map(_secret, value))
    return (isinstance(value, Hidden) and not value.shown) or (isinstance(value, str) and value.startswith(SEALED))


def _shown(value: Any) -> Any:
    if _secret(value):
        return CHANGED
    if isinstance(value, Hidden):
        value = value.shown
    if isinstance(value, list | tuple):
        return [_shown(item) for item in value[:100]]
    if isinstance(value, Mapping):
        return {name: _shown(item) for name, item in value.items()}
    if isinstance(value, str):
        value = value.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()
        return value if len(value) <= LONGEST else value[:LONGEST] + "…"
    return value


async def sign_in_failed(
    conn: Connection,
    kind: Literal["password", "code", "setup"],
    address: str,
    user_id: int | None = None,
    name: str = "",
) -> None:
    """Counted by hour, address and account; the log has one row for each hour of them, which shows the count.

    name: of the account, if there is one. Any other may be a password that was typed into the wrong field.
    """
    async with conn.transaction():
        given = {"kind": kind, "address": address, "user_id": user_id}
        row = await (await conn.execute(_SQL["count_failure"], given)).fetchone()
        assert row is not None
        if row[1] == 1:
            thing = Thing("sign_in", int(row[0]), name or "no such account")
            await write(conn, nobody(address), "sign_in.fail", thing, None, {"step": kind})


async def page(conn: Connection, wanted: Filter, *, before: int | None = None, most: int = 50) -> list[Entry]:
    """Up to `most` rows, the newest first, below the row `before`."""
    given = {name: getattr(wanted, name) for name in Filter.__slots__}
    async with conn.cursor(row_factory=class_row(Entry)) as cursor:
        await cursor.execute(_SQL["page"], {**given, "before": before, "most": most})
        return await cursor.fetchall()


async def kinds(conn: Connection) -> list[str]:
    """The kinds of things that the log tells of."""
    return [str(row[0]) for row in await (await conn.execute(_SQL["kinds"])).fetchall()]


async def forget(conn: Connection, days: int) -> None:
    """Remove what is older, some thousand rows a call; never what is younger than 90 days."""
    await conn.execute(_SQL["forget"], {"days": days})
