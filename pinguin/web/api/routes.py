"""All operations of the API, its description, and the router that serves them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from types import ModuleType

import msgspec
from litestar import Response, Router, get

import pinguin
from pinguin.web import gate
from pinguin.web.api import (
    badges,
    bulk,
    channel_groups,
    channels,
    incidents,
    logs,
    maintenance,
    meta,
    monitors,
    overview,
    people,
    pings,
    results,
    sql,
    tokens,
    types,
    uptimes,
    views,
)
from pinguin.web.api.openapi import document
from pinguin.web.api.operation import BASE, JSON, Operation
from pinguin.web.heads import with_head

MODULES: Sequence[ModuleType] = (
    overview, monitors, bulk, results, uptimes, pings, badges, incidents, maintenance, channels, channel_groups,
    logs, types, views, sql, people, tokens, meta,
)  # fmt: skip
"""In the order in which people read of them."""


@cache
def operations() -> Sequence[Operation]:
    return [each for module in MODULES for each in vars(module).values() if isinstance(each, Operation)]


def router() -> Router:
    """What takes a token."""
    handlers = with_head([each.handler() for each in operations()])
    return Router(BASE, route_handlers=handlers, before_request=gate.token_only)


@cache
def described() -> bytes:
    return msgspec.json.encode(document(operations(), pinguin.__version__))


@get(f"{BASE}/openapi.json")
async def show_openapi() -> Response[bytes]:
    """Open to anyone: it says nothing that is not in the source."""
    return Response(described(), media_type=JSON)
