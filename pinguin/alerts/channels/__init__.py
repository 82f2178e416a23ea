"""The channel kinds. Each is one module of this folder; the scan finds it, and no list names it."""

from __future__ import annotations

import pkgutil
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import import_module
from types import MappingProxyType

from pinguin.alerts.contract import ChannelType
from pinguin.errors import InvalidInput


@cache
def _names() -> Sequence[str]:
    return sorted(info.name for info in pkgutil.iter_modules(__path__))


@cache
def _scanned(name: str) -> ChannelType | None:
    """What one module holds; imported when it is asked for, because some bring a large library."""
    module = import_module(f"{__name__}.{name}")
    return ChannelType.of(module) if hasattr(module, "TITLE") else None


@cache
def channel_types() -> Mapping[str, ChannelType]:
    """Every channel kind by its name, in the order of their names. A module with a TITLE is one."""
    found = {name: kind for name in _names() if (kind := _scanned(name)) is not None}
    return MappingProxyType(found)


def channel_type(name: str) -> ChannelType:
    """The channel kind called `name`. Raises `InvalidInput` that lists those there are."""
    kind = _scanned(name) if name in _names() else None
    if kind is None:
        wrong = f"{name!r} is not a kind of channel; there are {', '.join(channel_types())}"
        raise InvalidInput({"kind": wrong})
    return kind
