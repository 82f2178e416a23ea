"""The channel kinds. Each is one module of this folder; the scan finds it, and no list names it."""

from __future__ import annotations

import pkgutil
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from types import MappingProxyType

from pinguin.alerts.contract import ChannelType
from pinguin.errors import InvalidInput


@cache
def channel_types() -> Mapping[str, ChannelType]:
    """Every channel kind by its name, in the order of their names. A module with a TITLE is one."""
    found: dict[str, ChannelType] = {}
    for info in pkgutil.iter_modules(__path__, f"{__name__}."):
        module = import_module(info.name)
        if hasattr(module, "TITLE"):
            kind = ChannelType.of(module)
            found[kind.name] = kind
    return MappingProxyType(found)


def channel_type(name: str) -> ChannelType:
    """The channel kind called `name`. Raises `InvalidInput` that lists those there are."""
    try:
        return channel_types()[name]
    except KeyError:
        wrong = f"{name!r} is not a kind of channel; there are {', '.join(channel_types())}"
        raise InvalidInput({"kind": wrong}) from None
