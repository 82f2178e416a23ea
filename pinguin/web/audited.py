"""What of a thing goes into the audit log: all that people may see, and of secrets that they changed.

    await audit.write(conn, gate.principal(request), "channel.edit", Thing("channel", 7, name), of(before), of(after))

`fields` hides what the annotations of a struct call secret, and of addresses what may be (user, password, query).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import inspect

from pinguin.checks.contract import CheckType
from pinguin.fields.describe import plain_type
from pinguin.store.audit import Hidden, Thing
from pinguin.store.monitors import Draft, Monitor

_URL = re.compile(
    r"(?P<scheme>[a-zA-Z][a-zA-Z0-9+.-]*://)(?P<who>[^/?#@]*@)?(?P<rest>[^?#]*)(?P<more>[?#].*)?", re.DOTALL
)


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
    info = inspect.type_info(struct)
    assert isinstance(info, inspect.StructType)
    kinds = {item.encode_name: item.type for item in info.fields}
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
