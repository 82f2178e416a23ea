"""HEAD: what GET would say, without the body. Monitors and balancers ask so."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from litestar.handlers import HTTPRouteHandler

Handlers = TypeVar("Handlers", bound=Sequence[HTTPRouteHandler])


def with_head(handlers: Handlers) -> Handlers:
    """Those that answer GET answer HEAD too, at the same gate; the framework leaves the body out."""
    for each in handlers:
        if "GET" in each.http_methods:
            each.http_methods.add("HEAD")
    return handlers
