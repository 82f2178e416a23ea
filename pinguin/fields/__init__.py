"""Options: strict structs whose annotations draw the form, the documentation and the limits."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import msgspec
from msgspec import inspect

from pinguin.errors import InvalidInput

T = TypeVar("T")

Examples = Sequence[tuple[str, Mapping[str, Any]]]
"""A sentence, and options in plain JSON types, for each."""


class StrictOptions(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """Options of a check type or a channel kind. A field without a default is required.

    A subclass may define `__post_init__` and raise `InvalidInput` where two fields contradict each other.
    """

    def __repr__(self) -> str:
        """No values: options hold passwords, and a repr ends up in logs. TRAP 24"""
        return f"{type(self).__name__}(…)"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return []

    def target(self) -> str:
        """What is watched or told, in a few words, without secrets: a URL, `host:port`, a name."""
        raise TypeError(f"{type(self).__name__} does not say what its target is")

    def goes_to(self) -> Sequence[str]:
        """Where its secrets are sent, each with what is sent there: saved ones are never sent anywhere else."""
        return (self.target(),)


def field(
    title: str,
    help: str = "",
    *,
    widget: str = "",
    unit: str = "",
    placeholder: str = "",
    advanced: bool = False,
    secret: bool = False,
    **limits: Any,
) -> msgspec.Meta:
    """Annotate an option: `Annotated[int, field("Port", "…", ge=1, le=65535)]`.

    widget: "" (drawn from the type: text, number, checkbox, select for a Literal, one line an item for a list, one
    `name: value` line an item for a dict) or "textarea". unit: shown behind the field ("ms", "days").
    advanced: folded away at first. secret: never shown again once saved. limits: msgspec's (ge, le, min_length,
    max_length, pattern).
    """
    extra = {
        "widget": widget,
        "unit": unit,
        "placeholder": placeholder,
        "advanced": advanced,
        "secret": secret,
    }
    return msgspec.Meta(title=title, description=help, extra=extra, **limits)


def convert(value: Mapping[str, Any], kind: type[T], *, prefix: str = "") -> T:
    """`value` as the strict struct `kind`. Raises `InvalidInput` with every wrong field, not the first alone."""
    try:
        return msgspec.convert(dict(value), kind)
    except InvalidInput:
        raise
    except msgspec.ValidationError:
        raise InvalidInput({prefix + k: v for k, v in _wrong_fields(value, kind).items()}) from None


def _wrong_fields(value: Mapping[str, Any], kind: type[Any]) -> dict[str, str]:
    wrong: dict[str, str] = {}
    known = {item.encode_name: item for item in msgspec.structs.fields(kind)}
    for name in value:
        if name not in known:
            wrong[name] = f"is not an option here; the options are {', '.join(known)}"
    for name, item in known.items():
        if name not in value:
            if item.required:
                wrong[name] = "is required"
            continue
        try:
            msgspec.convert(value[name], item.type)
        except msgspec.ValidationError as error:
            wrong[name] = in_words(str(error), item.type)
    return wrong or {"options": "do not fit together"}


_BOUND = re.compile(r"Expected `(\w+)`( of length)? (<=|>=|<|>) (\S+)")
_AT = {"<=": "at most", ">=": "at least", "<": "less than", ">": "more than"}
_COUNTED = {"str": " characters", "array": " entries", "object": " entries"}


def in_words(message: str, kind: Any) -> str:
    """A sentence of msgspec's about a `kind`, which names no field beyond a path: `Expected `int` >= 1 - at `$[0]``."""
    text, _, path = message.partition(" - at `$")
    bound = _BOUND.fullmatch(text)
    if text.startswith("Invalid enum value") and (choices := _choices(inspect.type_info(kind))):
        text = f"must be one of {', '.join(choices)}"
    elif "datetime" in text:
        text = "must be a time with its zone, such as 2026-01-31T12:00:00Z"
    elif bound:
        what, length, sign, limit = bound.groups()
        text = f"must {'have' if length else 'be'} {_AT[sign]} {limit}{_COUNTED.get(what, '')}"
        if length and (sign, limit) == (">=", "1"):
            text = "must not be empty"
    text = text.replace("Expected", "must be", 1).replace("`", "")
    item = path.rstrip("`")
    return text + (f" (item {item})" if item else "")


def _choices(kind: inspect.Type) -> list[str]:
    """What may be written where it is one of a few words, alone or in a list."""
    if isinstance(kind, inspect.LiteralType):
        return [str(each) for each in kind.values]
    if isinstance(kind, inspect.EnumType):
        return [str(each.value) for each in kind.cls]
    if isinstance(kind, inspect.UnionType):
        return [word for each in kind.types for word in _choices(each)]
    if isinstance(kind, inspect.Metadata):
        return _choices(kind.type)
    return _choices(kind.item_type) if isinstance(kind, inspect.ListType) else []
