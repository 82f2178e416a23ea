"""What a program is told when something is not as it should be: problem+json (RFC 9457)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from litestar import Response

from pinguin.errors import InvalidInput
from pinguin.web.service import Req

TYPE = "application/problem+json"


def wanted(request: Req) -> bool:
    """Whether a program asks, and not a person: /api itself is a page."""
    return request.url.path.startswith("/api/")


def problem(
    status: int, title: str, detail: str, headers: Mapping[str, str] | None = None, **more: Any
) -> Response[bytes]:
    """more: further members, such as `errors` by field."""
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail, **more}
    return Response(msgspec.json.encode(body), status_code=status, media_type=TYPE, headers=dict(headers or {}))


def invalid(error: InvalidInput) -> Response[bytes]:
    """Fields that are wrong, each with what is wrong with it."""
    return problem(422, "That does not work", str(error), errors=error.fields)
