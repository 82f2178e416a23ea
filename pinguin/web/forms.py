"""Forms drawn from strict structs, and read back into plain values. A new option needs no template."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
from msgspec import inspect

from pinguin.errors import InvalidInput
from pinguin.fields.describe import fields_of, options_of

Struct = type[msgspec.Struct]

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
_BREAK = re.compile(r"[\n\r\u2028\u2029\x85]")
REMOVE = ".remove"
"""Ends the name of the box that clears a saved secret."""


@dataclass(slots=True)
class Field:
    """One input as the template draws it. widget: text, number, checkbox, select, textarea, lines or pairs."""

    key: str
    name: str
    title: str
    help: str
    widget: str
    required: bool
    unit: str = ""
    placeholder: str = ""
    advanced: bool = False
    secret: bool = False
    saved: bool = False
    default: Any = msgspec.NODEFAULT
    kind: inspect.Type = field(default_factory=inspect.AnyType, repr=False)
    optional: bool = False
    attributes: dict[str, str | int | float] = field(default_factory=dict)
    choices: Sequence[tuple[str, str]] = ()
    value: str = ""
    checked: bool = False
    error: str = ""

    @property
    def multiline(self) -> bool:
        return self.widget in ("textarea", "lines", "pairs")

    @property
    def id(self) -> str:
        return "f-" + self.name.replace(".", "-").replace("_", "-")


def fields(struct: Struct, prefix: str = "") -> list[Field]:
    """The empty form of `struct`, its defaults filled in; names are `prefix` + the struct's own."""
    choices = {each.name: each.choices for each in options_of(struct)}
    return [_field(each, prefix, choices[each.encode_name]) for each in fields_of(struct)]


def _field(each: inspect.Field, prefix: str, choices: Sequence[str]) -> Field:
    kind, schema, extra = _plain(each.type)
    kind, optional = _optional(kind)
    inner, inner_schema, inner_extra = _plain(kind)
    schema, extra = {**inner_schema, **schema}, {**inner_extra, **extra}
    default = each.default_factory() if each.default_factory is not msgspec.NODEFAULT else each.default
    drawn = Field(
        key=each.encode_name,
        name=prefix + each.encode_name,
        title=schema.get("title") or each.encode_name.replace("_", " ").capitalize(),
        help=schema.get("description", ""),
        widget=extra.get("widget") or _widget(inner),
        required=each.required,
        unit=extra.get("unit", ""),
        placeholder=extra.get("placeholder", ""),
        advanced=bool(extra.get("advanced")),
        secret=bool(extra.get("secret")),
        default=default,
        kind=inner,
        optional=optional,
        attributes=_attributes(inner),
        choices=[(each, each) for each in choices],
    )
    if default is not msgspec.NODEFAULT:
        show(drawn, default)
    return drawn


def _plain(kind: inspect.Type) -> tuple[inspect.Type, dict[str, Any], dict[str, Any]]:
    schema: dict[str, Any] = {}
    extra: dict[str, Any] = {}
    while isinstance(kind, inspect.Metadata):
        schema = {**(kind.extra_json_schema or {}), **schema}
        extra = {**(kind.extra or {}), **extra}
        kind = kind.type
    return kind, schema, extra


def _optional(kind: inspect.Type) -> tuple[inspect.Type, bool]:
    if isinstance(kind, inspect.UnionType):
        others = [each for each in kind.types if not isinstance(each, inspect.NoneType)]
        if len(others) < len(kind.types) and len(others) == 1:
            return others[0], True
    return kind, False


def _widget(kind: inspect.Type) -> str:
    match kind:
        case inspect.BoolType():
            return "checkbox"
        case inspect.IntType() | inspect.FloatType():
            return "number"
        case inspect.LiteralType():
            return "select"
        case inspect.ListType() | inspect.SetType() | inspect.VarTupleType():
            return "lines"
        case inspect.DictType():
            return "pairs"
        case _:
            return "text"


def _attributes(kind: inspect.Type) -> dict[str, str | int | float]:
    """Limits as the browser knows them; ours are checked in any case."""
    found: dict[str, Any] = {}
    if isinstance(kind, inspect.IntType | inspect.FloatType):
        found = {"min": kind.ge, "max": kind.le, "step": 1 if isinstance(kind, inspect.IntType) else "any"}
    if isinstance(kind, inspect.StrType):
        found = {"maxlength": kind.max_length}
    return {name: value for name, value in found.items() if value is not None}


def show(drawn: Field, value: Any) -> None:
    """Fill in a typed value. A secret is only said to be there."""
    if drawn.secret:
        drawn.saved = bool(value)
    elif drawn.widget == "checkbox":
        drawn.checked = bool(value)
    else:
        drawn.value = _as_text(value)


def _as_text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, Mapping):
        return "\n".join(f"{name}: {item}" for name, item in value.items())
    if isinstance(value, list | tuple | set | frozenset):
        return "\n".join(str(item) for item in value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def fill(form: Sequence[Field], values: Mapping[str, Any]) -> None:
    """Fill in what is stored."""
    for drawn in form:
        if drawn.key in values:
            show(drawn, values[drawn.key])


def fill_again(form: Sequence[Field], sent: Mapping[str, str]) -> None:
    """Fill in what somebody sent, as they wrote it; secrets have to be typed again."""
    for drawn in form:
        if drawn.widget == "checkbox":
            drawn.checked = drawn.name in sent
        elif not drawn.secret:
            drawn.value = shown(sent.get(drawn.name, ""))


def shown(text: str) -> str:
    """What somebody sent, fit to be shown again."""
    return _CONTROL.sub("\ufffd", text)


def number(text: str) -> float:
    """Raises ValueError in people's words."""
    return _number(text, float, "must be a number")


def mark(form: Sequence[Field], wrong: Mapping[str, str]) -> dict[str, str]:
    """Put each error beside its field; returns those that belong to no field."""
    rest = dict(wrong)
    for drawn in form:
        drawn.error = rest.pop(drawn.key, "")
    return rest


def read(form: Sequence[Field], sent: Mapping[str, str], saved: Mapping[str, Any]) -> dict[str, Any]:
    """Plain values for the struct's own strict reading. An empty secret keeps the saved one.

    Raises `InvalidInput` for what cannot even be told apart as a number, a line or a pair.
    """
    values: dict[str, Any] = {}
    wrong: dict[str, str] = {}
    for drawn in form:
        try:
            value = _read(drawn, sent, saved)
        except ValueError as error:
            wrong[drawn.key] = str(error)
            continue
        if value is not msgspec.UNSET:
            values[drawn.key] = value
    if wrong:
        raise InvalidInput(wrong)
    return values


def keeps(drawn: Field, sent: Mapping[str, str]) -> bool:
    """Whether what was sent leaves a saved secret as it is."""
    return drawn.secret and not sent.get(drawn.name, "") and drawn.name + REMOVE not in sent


def _read(drawn: Field, sent: Mapping[str, str], saved: Mapping[str, Any]) -> Any:
    if drawn.widget == "checkbox":
        return drawn.name in sent
    text = sent.get(drawn.name, "").replace("\r\n", "\n")
    if _CONTROL.search(text):
        raise ValueError("must not contain control characters")
    if not drawn.multiline and not drawn.secret:
        text = text.strip()
    if not drawn.multiline and _BREAK.search(text):
        raise ValueError("must be one line")
    if keeps(drawn, sent) and drawn.key in saved:
        return saved[drawn.key]
    if not text.strip():
        return _empty(drawn)
    value = _typed(drawn.kind, text)
    _within(drawn.kind, value)
    return value


def _within(kind: inspect.Type, value: Any) -> None:
    """The struct checks its limits itself; here they are told in people's words."""
    if isinstance(kind, inspect.IntType | inspect.FloatType):
        size, unit = value, ""
        least, above, most = kind.ge, kind.gt, kind.le
    elif isinstance(kind, inspect.StrType | inspect.ListType | inspect.DictType):
        size, unit = len(value), " characters" if isinstance(kind, inspect.StrType) else " lines"
        least, above, most = kind.min_length, None, kind.max_length
    else:
        return
    verb = "have" if unit else "be"
    if least is not None and size < least:
        raise ValueError(f"must {verb} at least {least:g}{unit}")
    if above is not None and size <= above:
        raise ValueError(f"must be more than {above:g}")
    if most is not None and size > most:
        raise ValueError(f"must {verb} at most {most:g}{unit}")


def _empty(drawn: Field) -> Any:
    """What an empty input means: nothing, where that is allowed, and otherwise that it was not given."""
    if drawn.optional:
        return None
    if isinstance(drawn.kind, inspect.ListType):
        return [] if not drawn.required else msgspec.UNSET
    if isinstance(drawn.kind, inspect.DictType):
        return {}
    if isinstance(drawn.kind, inspect.StrType):
        return msgspec.UNSET if drawn.required else ""
    return msgspec.UNSET


def _typed(kind: inspect.Type, text: str) -> Any:
    kind, _, _ = _plain(kind)
    match kind:
        case inspect.IntType():
            return _number(text, int, "must be a whole number")
        case inspect.FloatType():
            return _number(text, float, "must be a number")
        case inspect.LiteralType():
            return next((value for value in kind.values if str(value) == text), text)
        case inspect.ListType():
            return [_typed(kind.item_type, line.strip()) for line in text.splitlines() if line.strip()]
        case inspect.DictType():
            return _pairs(text)
        case inspect.UnionType():
            return _union(kind, text)
        case _:
            return text


def _number(text: str, kind: type[int] | type[float], words: str) -> int | float:
    if not re.fullmatch(r"[+-]?\d{1,15}" if kind is int else r"[+-]?(\d{1,15}(\.\d{0,15})?|\.\d{1,15})", text.strip()):
        raise ValueError(words)
    return kind(text)


def _pairs(text: str) -> dict[str, str]:
    """Raises ValueError, also where a name is there twice: only the last one would count."""
    found: dict[str, str] = {}
    for place, line in enumerate(text.splitlines(), 1):
        if line.strip():
            name, value = _pair(place, line)
            if name in found:
                raise ValueError(f"must have each name once; line {place} has {name[:60]} again")
            found[name] = value
    return found


def _pair(place: int, line: str) -> tuple[str, str]:
    """Raises ValueError without the line: it may be a secret."""
    name, colon, value = line.partition(":")
    if not colon or not name.strip():
        raise ValueError(f"must be one `name: value` a line; line {place} is none")
    return name.strip(), value.strip()


def _union(kind: inspect.UnionType, text: str) -> Any:
    for each in kind.types:
        if isinstance(each, inspect.IntType | inspect.FloatType):
            try:
                return _typed(each, text)
            except ValueError:
                continue
    return text
