"""Idempotency keys: a POST with one is done once, however often it is sent in a day.

The key is claimed in a statement of its own, so that of two at a time one is refused; what was answered is written in
the transaction of the change, so that a process which dies between leaves both or neither. A request that is refused
frees its key.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec
from litestar import Response
from litestar.exceptions import HTTPException
from litestar.response import Stream

from pinguin.db import Connection, Pool
from pinguin.errors import Conflict, InvalidInput
from pinguin.people import Principal
from pinguin.store import idempotency
from pinguin.store.idempotency import Claim, Kept
from pinguin.web.database import connection
from pinguin.web.service import Req

Finish = Callable[[Connection, Response[Any]], Awaitable[None]]
HEADER = "Idempotency-Key"
_KEY = re.compile(r"[\x21-\x7e]{1,255}")
_HEADERS = ("Location", "ETag")
"""What of an answer's headers is answered again."""


async def once(
    pool: Pool, who: Principal, key: str, request: Req, sent: Mapping[str, Any],
    act: Callable[[Finish], Awaitable[Response[Any]]], *, keep: bool = True,
) -> Response[Any]:  # fmt: skip
    """What `act` answers, or answered when this was sent first. keep: False where the answer holds a secret; files are
    not kept either.

    Raises `InvalidInput` where the key was used for something else, 409 while the first one is under way.
    """
    if not _KEY.fullmatch(key):
        raise InvalidInput({HEADER: "must have 1 to 255 printable characters, without spaces"})
    assert who.token_id is not None
    claim = Claim(who.token_id, key, _sum(request, sent))
    async with connection(pool) as conn:
        kept = await idempotency.claim(conn, claim)
    if kept is not None:
        return _again(kept, claim)

    async def finish(conn: Connection, answer: Response[Any]) -> None:
        headers = {name: answer.headers[name] for name in _HEADERS if name in answer.headers}
        content = answer.content if keep and not isinstance(answer, Stream) else None
        if not await idempotency.finish(conn, claim, answer.status_code or 200, headers, content):
            raise Conflict("This request took so long that another with the same key took its place.")

    try:
        return await act(finish)
    except Exception:
        async with connection(pool) as conn:
            await idempotency.free(conn, claim)
        raise


def _sum(request: Req, sent: Mapping[str, Any]) -> bytes:
    """Keyed with the token itself, which is stored nowhere: in what was sent there may be a password to be guessed."""
    what = [request.method, request.url.path, request.url.query, sent]
    token = request.headers.get("authorization", "").encode("utf-8", "surrogatepass")
    return hmac.digest(token, msgspec.json.encode(what, order="deterministic"), "sha256")


def _again(kept: Kept, claim: Claim) -> Response[Any]:
    if kept.request_hash != claim.request_hash:
        raise InvalidInput({HEADER: "was used for another request; take a new one"})
    if kept.status is None:
        words = "A request with this Idempotency-Key is under way. Ask again in a moment."
        raise HTTPException(words, status_code=409, headers={"Retry-After": "1"})
    if kept.body is None:
        raise HTTPException(
            "This was done. What was answered is not kept: it held a secret, or was a file.", status_code=409
        )
    headers = {**kept.headers, "Idempotent-Replayed": "true"}
    media_type = "application/json" if kept.body else None
    return Response(kept.body, status_code=kept.status, media_type=media_type, headers=headers)
