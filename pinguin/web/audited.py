"""What of a thing goes into the audit log: all that people may see, and of secrets that they changed.

    async with audited.changing(conn, gate.principal(request), "channel.edit", "channel", 7, look):
        await channels.update(conn, 7, …)

`look` says what there is (a mapping), or None; the block and its line in the log are one transaction.
`fields` hides what the annotations of a struct call secret, and of addresses what may be (user, password, query).
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import fields as dataclass_fields
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import inspect

from pinguin.alerts.contract import ChannelType
from pinguin.checks.contract import CheckType
from pinguin.db import Connection, Pool
from pinguin.errors import NotFound
from pinguin.fields.describe import fields_of, plain_type
from pinguin.people import Principal
from pinguin.store import audit, channels
from pinguin.store import maintenance as maintenances
from pinguin.store.audit import Hidden, Thing
from pinguin.store.monitors import Draft, Monitor
from pinguin.web.database import connection

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

_URL = re.compile(
    r"(?P<scheme>[a-zA-Z][a-zA-Z0-9+.-]*://)(?P<who>[^/?#@]*@)?(?P<rest>[^?#]*)(?P<more>[?#].*)?", re.DOTALL
)


Look = Callable[[], Awaitable[Mapping[str, Any] | None]]


@asynccontextmanager
async def changing(
    conn: Connection, who: Principal, action: str, kind: str, number: int, look: Look
) -> AsyncIterator[None]:
    """One transaction: what the block changed is told from looks before and after it."""
    async with conn.transaction():
        before = await look()
        yield
        await _write(conn, who, action, kind, number, before, await look())


async def created(conn: Connection, who: Principal, action: str, kind: str, number: int, look: Look) -> None:
    """Call it in the transaction that made the thing."""
    await _write(conn, who, action, kind, number, None, await look())


async def tried(pool: Pool, who: Principal, kind: str, number: int, name: str, target: str) -> None:
    """Somebody tries a saved thing, perhaps edited: its secrets are sent to where the form says, so that is kept."""
    async with connection(pool) as conn:
        await audit.write(conn, who, f"{kind}.try", Thing(kind, number, name), None, {"target": target})


async def _write(
    conn: Connection, who: Principal, action: str, kind: str, number: int,
    before: Mapping[str, Any] | None, after: Mapping[str, Any] | None,
) -> None:  # fmt: skip
    known = after or before or {}
    name = str(known.get("name") or known.get("title") or "")
    await audit.write(conn, who, action, Thing(kind, number, name), before, after)


def channel(conn: Connection, kinds: Mapping[str, ChannelType], channel_id: int) -> Look:
    async def look() -> Mapping[str, Any] | None:
        try:
            found = await channels.get(conn, channel_id)
        except NotFound:
            return None
        kind = kinds.get(found.kind)
        options: Any = fields(found.options, kind.options) if kind else Hidden(dict(found.options))
        return _written(found, channels.Draft) | {"options": options, "enabled": found.enabled}

    return look


def group(conn: Connection, group_id: int) -> Look:
    async def look() -> Mapping[str, Any] | None:
        found = next((each for each in await channels.groups(conn) if each.id == group_id), None)
        return {"name": found.name, "channels": sorted(found.channel_ids)} if found else None

    return look


def maintenance(conn: Connection, maintenance_id: int) -> Look:
    async def look() -> Mapping[str, Any] | None:
        try:
            found = await maintenances.get(conn, maintenance_id)
        except NotFound:
            return None
        runs = {"runs_until": found.running_until.isoformat()} if found.running_until else {}
        return _written(found, maintenances.Draft) | runs

    return look


def _written(found: Any, draft: type[DataclassInstance]) -> dict[str, Any]:
    """What people may write of it, in plain JSON types."""
    return {item.name: msgspec.to_builtins(getattr(found, item.name)) for item in dataclass_fields(draft)}


def monitor(of: Monitor | Draft, types: Mapping[str, CheckType], *, enabled: bool = True) -> dict[str, Any]:
    """`before` or `after` of a monitor. enabled: of a draft, which does not say."""
    kind = types.get(of.type)
    options: Any = fields(of.options, kind.options) if kind else Hidden(dict(of.options))
    return {
        "name": of.name,
        "type": of.type,
        "options": options,
        "interval_s": of.interval_s,
        "timeout_s": of.timeout_s,
        "regions": list(of.regions),
        "failure_threshold": of.failure_threshold,
        "recovery_threshold": of.recovery_threshold,
        "tags": list(of.tags),
        "alerts": dict(of.alerts),
        "depends_on": sorted(of.depends_on),
        "enabled": of.enabled if isinstance(of, Monitor) else enabled,
    }


def monitor_thing(of: Monitor) -> Thing:
    return Thing("monitor", of.id, of.name)


def fields(values: Mapping[str, Any], struct: type[msgspec.Struct]) -> dict[str, Any]:
    """`values` (plain JSON types), with every secret of `struct` hidden, and what it does not know."""
    kinds = {item.encode_name: item.type for item in fields_of(struct)}
    return {name: _shown(value, kinds.get(name)) for name, value in values.items()}


def _shown(value: Any, declared: inspect.Type | None) -> Any:
    if declared is None:
        return Hidden(value)
    kind, _, extra = plain_type(declared)
    if extra.get("secret"):
        return Hidden(value)
    if isinstance(kind, inspect.StructType) and isinstance(value, Mapping):
        return fields(value, kind.cls)
    if isinstance(kind, inspect.ListType | inspect.VarTupleType) and isinstance(value, list | tuple):
        return [_shown(item, kind.item_type) for item in value]
    return address(value) if isinstance(value, str) else value


def address(text: str) -> str | Hidden:
    """An address without what may be secret; any other text as it is."""
    found = _URL.fullmatch(text)
    if found is None or not (found["who"] or found["more"]):
        return text
    who, more = "…@" if found["who"] else "", f"{found['more'][0]}…" if found["more"] else ""
    return Hidden(text, f"{found['scheme']}{who}{found['rest']}{more}")
