"""What monitors and channels can be: check types and kinds of channels, each with the schema of its options."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from pinguin.errors import NotFound
from pinguin.fields import Examples, StrictOptions
from pinguin.fields.describe import options_of
from pinguin.web.api.operation import Call, operation
from pinguin.web.api.reading import NoBody, NoQuery
from pinguin.web.routes.channels import off


class CheckTypeListed(msgspec.Struct, kw_only=True, frozen=True):
    """passive: it is told, not checked."""

    name: str
    title: str
    passive: bool


class CheckTypes(msgspec.Struct, frozen=True):
    items: list[CheckTypeListed]


class Example(msgspec.Struct, frozen=True):
    """What it shows, and its options."""

    about: str
    options: dict[str, Any]


class CheckType(CheckTypeListed, kw_only=True, frozen=True):
    """schema: of a monitor's options, JSON Schema 2020-12. secrets: names of options that are never shown."""

    about: str
    schema: dict[str, Any]
    secrets: list[str]
    examples: list[Example]


class ChannelKindListed(msgspec.Struct, kw_only=True, frozen=True):
    """off: why it cannot be used here; null where it can."""

    name: str
    title: str
    off: str | None


class ChannelKinds(msgspec.Struct, frozen=True):
    items: list[ChannelKindListed]


class ChannelKind(ChannelKindListed, kw_only=True, frozen=True):
    """schema: of a channel's options, JSON Schema 2020-12. secrets: names of options that are never shown."""

    schema: dict[str, Any]
    secrets: list[str]
    examples: list[Example]


@operation("GET", "/check-types", holds="nothing")
async def list_check_types(call: Call[NoQuery, NoBody]) -> CheckTypes:
    """What a monitor can be."""
    kinds = sorted(call.web.types.values(), key=lambda kind: kind.name)
    return CheckTypes([CheckTypeListed(name=each.name, title=each.title, passive=each.passive) for each in kinds])


@operation("GET", "/check-types/{name:str}", holds="nothing", etag=True)
async def show_check_type(call: Call[NoQuery, NoBody]) -> CheckType:
    """One check type with the schema of its options."""
    kind = _named(call.web.types, call.request.path_params["name"], "check type")
    return CheckType(
        name=kind.name,
        title=kind.title,
        passive=kind.passive,
        about=kind.doc,
        **_options(kind.options, kind.examples),
    )


@operation("GET", "/channel-kinds", holds="nothing")
async def list_channel_kinds(call: Call[NoQuery, NoBody]) -> ChannelKinds:
    """What a channel can be."""
    why = off(call.web)
    kinds = sorted(call.web.kinds.values(), key=lambda kind: kind.name)
    return ChannelKinds([ChannelKindListed(name=each.name, title=each.title, off=why.get(each.name)) for each in kinds])


@operation("GET", "/channel-kinds/{name:str}", holds="nothing", etag=True)
async def show_channel_kind(call: Call[NoQuery, NoBody]) -> ChannelKind:
    """One kind of channel with the schema of its options."""
    kind = _named(call.web.kinds, call.request.path_params["name"], "kind of channel")
    why = off(call.web).get(kind.name)
    return ChannelKind(name=kind.name, title=kind.title, off=why, **_options(kind.options, kind.examples))


def _named(known: Mapping[str, Any], name: str, what: str) -> Any:
    if name not in known:
        raise NotFound(f"There is no such {what}; there are {', '.join(known)}.")
    return known[name]


def _options(struct: type[StrictOptions], examples: Examples) -> dict[str, Any]:
    return {
        "schema": msgspec.json.schema(struct),
        "secrets": [each.name for each in options_of(struct) if each.secret],
        "examples": [Example(about, dict(options)) for about, options in examples],
    }
