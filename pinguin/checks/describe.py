"""What the options of a check type are, read from its struct: for the command line and the documentation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_type_hints

import msgspec
from msgspec import inspect

from pinguin.checks.contract import CheckOptions, CheckType

Kind = Literal["text", "whole number", "number", "yes or no", "choice", "list", "pairs"]


@dataclass(frozen=True, slots=True)
class Option:
    """One option. default: `msgspec.NODEFAULT` where it is required. limits: in words, "" where there are none."""

    name: str
    title: str
    help: str
    kind: Kind
    default: Any
    limits: str
    unit: str
    choices: tuple[str, ...]
    advanced: bool
    secret: bool
    placeholder: str

    @property
    def required(self) -> bool:
        return self.default is msgspec.NODEFAULT

    @property
    def flag(self) -> str:
        return "--" + self.name.replace("_", "-")


def options_of(struct: type[CheckOptions]) -> list[Option]:
    info = inspect.type_info(struct)
    assert isinstance(info, inspect.StructType)
    hints = get_type_hints(struct)  # msgspec sorts a Literal's values; here they stand as somebody wrote them
    return [_option(each, hints[each.name]) for each in info.fields]


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
        port = rest.pop("port")
        target = f"[{target}]:{port}" if ":" in target else f"{target}:{port}"
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


def _option(each: inspect.Field, hint: Any) -> Option:
    kind, schema, extra = _plain(each.type)
    default = each.default_factory() if each.default_factory is not msgspec.NODEFAULT else each.default
    return Option(
        name=each.encode_name,
        title=schema.get("title") or each.encode_name.replace("_", " ").capitalize(),
        help=schema.get("description", ""),
        kind=_kind(kind),
        default=default,
        limits=_limits(kind),
        unit=extra.get("unit", ""),
        choices=tuple(map(str, get_args(hint) or kind.values)) if isinstance(kind, inspect.LiteralType) else (),
        advanced=bool(extra.get("advanced")),
        secret=bool(extra.get("secret")),
        placeholder=extra.get("placeholder", ""),
    )


def _plain(kind: inspect.Type) -> tuple[inspect.Type, dict[str, Any], dict[str, Any]]:
    """The type below its annotations, and behind `| None`; its title and description; what is ours."""
    schema: dict[str, Any] = {}
    extra: dict[str, Any] = {}
    while isinstance(kind, inspect.Metadata | inspect.UnionType):
        if isinstance(kind, inspect.UnionType):
            kind = next(each for each in kind.types if not isinstance(each, inspect.NoneType))
            continue
        schema = {**(kind.extra_json_schema or {}), **schema}
        extra = {**(kind.extra or {}), **extra}
        kind = kind.type
    return kind, schema, extra


def _kind(kind: inspect.Type) -> Kind:
    match kind:
        case inspect.BoolType():
            return "yes or no"
        case inspect.IntType():
            return "whole number"
        case inspect.FloatType():
            return "number"
        case inspect.LiteralType():
            return "choice"
        case inspect.ListType():
            return "list"
        case inspect.DictType():
            return "pairs"
    return "text"


def _limits(kind: inspect.Type) -> str:
    match kind:
        case inspect.IntType() | inspect.FloatType():
            return _between(kind.ge, kind.le, "")
        case inspect.StrType():
            return _between(None, kind.max_length, " characters")
        case inspect.ListType() | inspect.DictType():
            return _between(kind.min_length, kind.max_length, " entries")
    return ""


def _between(least: float | None, most: float | None, unit: str) -> str:
    if least is not None and most is not None:
        return f"{least:,} to {most:,}{unit}"
    if most is not None:
        return f"at most {most:,}{unit}"
    return f"at least {least:,}{unit}" if least is not None else ""
