"""What people see when something is not as it should be. Never a traceback."""

from __future__ import annotations

import traceback

import structlog
from litestar.exceptions import HTTPException
from litestar.response import Template

from pinguin.errors import Conflict, InvalidInput, NotFound, PinguinError, Unavailable
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


def page(request: Req, status: int, detail: str) -> Template:
    answer = render(
        request,
        "pages/fault.html",
        status_code=status,
        status=status,
        title=_TITLES.get(status, "That does not work"),
        detail=_ADVICE.get(status) or detail,
    )
    if status == 503:
        answer.headers["Retry-After"] = "10"
    return answer


def known(request: Req, error: PinguinError) -> Template:
    """Our own exceptions."""
    statuses = {NotFound: 404, Conflict: 409, InvalidInput: 400, Unavailable: 503}
    status = next((code for kind, code in statuses.items() if isinstance(error, kind)), 500)
    if status >= 500:
        _log.error("page_failed", path=request.url.path, error=str(error))
    return page(request, status, str(error))


def http(request: Req, error: HTTPException) -> Template:
    """The framework's: no such page, wrong method, too large."""
    if error.status_code >= 500:
        return unexpected(request, error)
    return page(request, error.status_code, error.detail)


def unexpected(request: Req, error: Exception) -> Template:
    # Frames and the exception's type alone: its text, or a frame's variables, may hold what somebody typed.
    frames = "".join(traceback.format_tb(error.__traceback__))
    _log.error("page_crashed", path=request.url.path, error=type(error).__name__, frames=frames)
    return page(request, 500, "")
