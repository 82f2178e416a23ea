"""Where jobs ping: no session, no form token. The addresses and answers are those of healthchecks.io.

Tokens are secrets: nothing here logs an address, and errors are told without one. TRAP 24
"""

from __future__ import annotations

import asyncio
import codecs
import hmac
import re
import traceback
from uuid import UUID, uuid4

import structlog
from litestar import Response, route
from litestar.exceptions import HTTPException
from litestar.response import Template

from pinguin.errors import Unavailable
from pinguin.push import Kind, Ping
from pinguin.web import faults
from pinguin.web.intake import Answer
from pinguin.web.service import Req, Web, of

_log = structlog.get_logger(__name__)

BODY_S = 20.0
MOST_BYTES = 100_000_000
"""A longer body is not read to its end; the ping counts all the same."""
USER_AGENT = 200

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_SLUG = re.compile(r"[a-z0-9_-]{1,100}")
_CODE = re.compile(r"\d{1,9}", re.ASCII)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_ANSWERS = {
    Answer.TAKEN: (200, "OK"),
    Answer.CREATED: (201, "Created"),
    Answer.UNKNOWN: (404, "not found"),
    Answer.AMBIGUOUS: (409, "ambiguous slug"),
}

Text = Response[str]


class BadAddress(Exception):
    """What is wrong with it, as Healthchecks words it; and its status."""

    def __init__(self, status: int, words: str) -> None:
        super().__init__(words)
        self.status, self.words = status, words


@route(
    ["/ping/{first:str}", "/ping/{first:str}/{second:str}", "/ping/{first:str}/{second:str}/{third:str}"],
    http_method=["GET", "POST", "HEAD"],
)
async def ping(request: Req) -> Text:
    return await _answer(request, _parts(request))


@route(
    ["/{first:str}", "/{first:str}/{second:str}", "/{first:str}/{second:str}/{third:str}"],
    http_method=["GET", "POST", "HEAD"],
)
async def ping_at_root(request: Req) -> Text | Template:
    """As hc-ping.com has them. Whatever else there is not, is not here either."""
    parts = _parts(request)
    if _UUID.fullmatch(parts[0]) or _is_key(of(request), parts[0]):
        return await _answer(request, parts)
    return faults.page(request, 404, "")


def _parts(request: Req) -> list[str]:
    return [request.path_params[name] for name in ("first", "second", "third") if name in request.path_params]


async def _answer(request: Req, parts: list[str]) -> Text:
    web = of(request)
    try:
        target, kind, exit_code = _address(web, parts)
        run_id = _run_id(request)
    except BadAddress as wrong:
        return _text(web, wrong.status, wrong.words)
    remote = request.client.host if request.client else None
    if wait := web.strangers.wait_s(target, remote):
        answer = _text(web, 429, "too many pings for monitors that do not exist")
        answer.headers["Retry-After"] = str(round(wait) + 1)
        return answer
    sent = Ping(
        id=uuid4(),
        kind=kind,
        token=target if isinstance(target, UUID) else None,
        slug=target if isinstance(target, str) else None,
        create=request.query_params.get("create") == "1",
        exit_code=exit_code,
        run_id=run_id,
        method=request.method,
        remote=remote,
        user_agent=_CONTROL.sub("\ufffd", request.headers.get("user-agent", ""))[:USER_AGENT],
        body=await _body(request, web.settings.ping_body_limit),
    )
    try:
        found = await web.intake.take(sent)
    except Unavailable as error:
        _log.error("ping_refused", error=str(error).partition("\n")[0])
        answer = _text(web, 503, "neither the database nor Redis answers; try again")
        answer.headers["Retry-After"] = "10"
        return answer
    web.strangers.note(target, remote, known=found is not Answer.UNKNOWN)
    return _text(web, *_ANSWERS[found])


def _address(web: Web, parts: list[str]) -> tuple[UUID | str, Kind, int | None]:
    """(token or slug, what the ping says, exit code)"""
    if _UUID.fullmatch(parts[0]) and len(parts) <= 2:
        target: UUID | str = UUID(parts[0])
        action = parts[1:]
    elif len(parts) >= 2 and _is_key(web, parts[0]):
        if not _SLUG.fullmatch(parts[1]):
            raise BadAddress(400, "invalid url format")
        target, action = parts[1], parts[2:]
    else:
        raise BadAddress(404, "not found")
    return (target, *_action(action))


def _is_key(web: Web, text: str) -> bool:
    key = web.settings.ping_key
    return bool(key) and hmac.compare_digest(text.encode(), key.encode())


def _action(action: list[str]) -> tuple[Kind, int | None]:
    word = action[0] if action else "success"
    kinds: dict[str, Kind] = {"start": "start", "fail": "fail", "log": "log"}
    if not action:
        return "success", None
    if word in kinds:
        return kinds[word], None
    if not _CODE.fullmatch(word):
        raise BadAddress(404, "not found")
    if int(word) > 255:
        raise BadAddress(400, "invalid url format")
    return "exit", int(word)


def _run_id(request: Req) -> UUID | None:
    given = request.query_params.get("rid")
    if given is None:
        return None
    if not _UUID.fullmatch(given):
        raise BadAddress(400, "invalid uuid format")
    return UUID(given)


async def _body(request: Req, limit: int) -> str:
    """The first `limit` bytes as text. All of it is read, or the client would not see our answer; up to a bound."""
    kept, size = bytearray(), 0
    try:
        async with asyncio.timeout(BODY_S):
            async for chunk in request.stream():
                kept += chunk[: limit - len(kept)]
                size += len(chunk)
                if size > MOST_BYTES:
                    break
    except TimeoutError:
        pass  # the job has pinged, whatever it meant to add
    text = codecs.getincrementaldecoder("utf-8")("replace").decode(bytes(kept), final=size <= limit)
    return text.replace("\0", "\ufffd")


def _text(web: Web, status: int, words: str) -> Text:
    headers = {"Access-Control-Allow-Origin": "*", "Ping-Body-Limit": str(web.settings.ping_body_limit)}
    return Response(words, status_code=status, media_type="text/plain", headers=headers)


def unexpected(request: Req, error: Exception) -> Text:
    """Never with the address."""
    frames = "".join(traceback.format_tb(error.__traceback__))
    _log.error("ping_crashed", error=type(error).__name__, frames=frames)
    return _text(of(request), 500, "Pinguin failed; its log says why")


def refused(request: Req, error: HTTPException) -> Text:
    return _text(of(request), error.status_code, error.detail)
