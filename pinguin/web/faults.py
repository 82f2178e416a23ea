"""What people see when something is not as it should be. Never a traceback."""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from typing import Any

import structlog
from litestar import Response
from litestar.exceptions import HTTPException

from pinguin.errors import Conflict, InvalidInput, NotFound, PinguinError, Unavailable
from pinguin.web import problems
from pinguin.web.service import Req
from pinguin.web.templating import render

_log = structlog.get_logger(__name__)

_TITLES = {
    400: "That does not work",
    401: "Please sign in",
    403: "Not allowed",
    404: "There is nothing here",
    405: "Not like this",
    409: "Somebody was faster",
    412: "Somebody was faster",
    413: "Too large",
    415: "Not like this",
    429: "Too many tries",
    500: "That was our fault",
    503: "The database does not answer",
}

_ADVICE = {
    404: "The address may be old, or the monitor was deleted. The list has all that there is.",
    500: "Pinguin failed while it made this page. Its log says why; the monitors go on being checked.",
    503: "Checks go on, and their results are kept until it is back. This page tries again by itself.",
}


def page(request: Req, status: int, detail: str, headers: Mapping[str, str] | None = None) -> Response[Any]:
    if problems.wanted(request):
        return problems.problem(status, _TITLES.get(status, "That does not work"), detail or _ADVICE[500], headers)
    answer = render(
        request,
        "pages/fault.html",
        status_code=status,
        status=status,
        title=_TITLES.get(status, "That does not work"),
        detail=_ADVICE.get(status) or detail,
    )
    answer.headers.update(headers or {})
    return answer


def known(request: Req, error: PinguinError) -> Response[Any]:
    """Our own exceptions."""
    if problems.wanted(request) and isinstance(error, InvalidInput):
        return problems.invalid(error)
    statuses = {NotFound: 404, Conflict: 409, InvalidInput: 400, Unavailable: 503}
    status = next((code for kind, code in statuses.items() if isinstance(error, kind)), 500)
    if status >= 500:
        _log.error("page_failed", path=request.url.path, error=str(error))
    return page(request, status, str(error), {"Retry-After": "10"} if status == 503 else None)


def http(request: Req, error: HTTPException) -> Response[Any]:
    """The framework's: no such page, wrong method, too large."""
    if error.status_code >= 500:
        return unexpected(request, error)
    return page(request, error.status_code, error.detail, error.headers)


def unexpected(request: Req, error: Exception) -> Response[Any]:
    # Frames and the exception's type alone: its text, or a frame's variables, may hold what somebody typed.
    frames = "".join(traceback.format_tb(error.__traceback__))
    _log.error("page_crashed", path=request.url.path, error=type(error).__name__, frames=frames)
    return page(request, 500, "")
