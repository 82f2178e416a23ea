"""What the options of a struct are, read from its annotations: for the command line and the documentation."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, get_args, get_type_hints

import msgspec
from msgspec import inspect

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


def options_of(struct: type[msgspec.Struct]) -> list[Option]:
    return list(_options(struct))


@cache
def fields_of(struct: type[msgspec.Struct]) -> tuple[inspect.Field, ...]:
    """As msgspec knows them; it takes milliseconds to find out."""
    info = inspect.type_info(struct)
    assert isinstance(info, inspect.StructType)
    return info.fields


@cache
def _options(struct: type[msgspec.Struct]) -> tuple[Option, ...]:
    hints = get_type_hints(struct)  # msgspec sorts a Literal's values; here they stand as somebody wrote them
    return tuple(_option(each, hints[each.name]) for each in fields_of(struct))


def _option(each: inspect.Field, hint: Any) -> Option:
    kind, schema, extra = plain_type(each.type)
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


def plain_type(kind: inspect.Type) -> tuple[inspect.Type, dict[str, Any], dict[str, Any]]:
    """The type below its annotations, and behind `| None`; its title and description; what is ours (`field`'s)."""
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
