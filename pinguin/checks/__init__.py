"""The check types. Each is one module of this folder; the scan finds it, and no list names it."""

from __future__ import annotations

import pkgutil
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from types import MappingProxyType

from pinguin.checks.contract import CheckType
from pinguin.errors import InvalidInput


@cache
def check_types() -> Mapping[str, CheckType]:
    """Every check type by its name, in the order of their names. A module with a TITLE is a check type."""
    found: dict[str, CheckType] = {}
    for info in pkgutil.iter_modules(__path__, f"{__name__}."):
        module = import_module(info.name)
        if hasattr(module, "TITLE"):
            kind = CheckType.of(module)
            found[kind.name] = kind
    return MappingProxyType(found)


def check_type(name: str) -> CheckType:
    """The check type called `name`. Raises `InvalidInput` that lists those there are."""
    try:
        return check_types()[name]
    except KeyError:
        raise InvalidInput({"type": f"{name!r} is not a check type; there are {', '.join(check_types())}"}) from None
