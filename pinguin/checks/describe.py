"""The options of a check type as words of a command line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pinguin.checks.contract import CheckType
from pinguin.checks.engine.resolve import with_port
from pinguin.fields.describe import Option, options_of


def main_option(kind: CheckType) -> Option:
    """What is checked: a URL, a host, a name. It is the first option of every type."""
    return options_of(kind.options)[0]


def takes_port(kind: CheckType) -> bool:
    """Whether the target may be written host:port."""
    names = [option.name for option in options_of(kind.options)]
    return names[:1] == ["host"] and "port" in names


def command_line(kind: CheckType, values: Mapping[str, Any]) -> list[str]:
    """The words behind `pinguin check` that stand for `values`."""
    rest = dict(values)
    target = str(rest.pop(main_option(kind).name))
    if takes_port(kind) and "port" in rest:
        target = with_port(target, rest.pop("port"))
    words = [kind.name, target]
    for option in options_of(kind.options):
        if option.name in rest:
            words += _words(option, rest[option.name])
    return words


def _words(option: Option, value: Any) -> list[str]:
    match option.kind:
        case "yes or no":
            return [option.flag if value else option.flag.replace("--", "--no-", 1)]
        case "list":
            return [word for each in value for word in _pair(option.flag, str(each))]
        case "pairs":
            return [word for name, each in value.items() for word in _pair(option.flag, f"{name}: {each}")]
    return _pair(option.flag, str(value))


def _pair(flag: str, value: str) -> list[str]:
    """As one word where the value would be taken for a flag."""
    return [f"{flag}={value}"] if value.startswith("-") else [flag, value]
