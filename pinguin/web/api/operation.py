"""One operation of the API: who may ask what, and what is answered. Handler and OpenAPI are made of the same.

    @operation("GET", "/monitors/{id:int}", etag=True)
    async def show_monitor(call: Call[NoQuery, NoBody]) -> Monitor:
        '''One monitor, with what it is now.'''

`Call[…]` names the structs of the query and of the body, the annotation of what is returned that of the answer. What
changes something runs in one transaction, which its idempotency key is written in too.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, TypeVar, get_args, get_type_hints
from urllib.parse import urlencode

import msgspec
from litestar import Response
from litestar.enums import HttpMethod
from litestar.exceptions import ClientException, TooManyRequestsException
from litestar.handlers import HTTPRouteHandler
from litestar.handlers import route as litestar_route

from pinguin.db import Connection
from pinguin.errors import NotFound
from pinguin.fields import convert
from pinguin.people import Principal, Role
from pinguin.web.api import etags, idempotency, reading
from pinguin.web.database import connection
from pinguin.web.gate import principal
from pinguin.web.service import Req, Web, of

Q = TypeVar("Q")
B = TypeVar("B")

JSON = "application/json"
BASE = "/api/v1"
Holds = Literal["transaction", "connection", "nothing"]
_PARAMETER = re.compile(r"\{(\w+):(\w+)\}")


@dataclass(slots=True)
class Call(Generic[Q, B]):
    """A request that was let in. sent: its JSON as it came; `body` is the same as a struct.

    later: what is done after the commit. mark: what the ETag's first part is made of (see `etags`).
    """

    request: Req
    web: Web
    who: Principal
    query: Q
    sent: dict[str, Any]
    body: B
    status: int
    headers: dict[str, str] = field(default_factory=dict)
    mark: str = ""
    later: list[Callable[[], Awaitable[None]]] = field(default_factory=list)
    held: Connection | None = None

    @property
    def conn(self) -> Connection:
        assert self.held is not None, "this operation holds no connection"
        return self.held

    @property
    def id(self) -> int:
        return self.number("id")

    def number(self, name: str) -> int:
        """A path parameter. Raises `NotFound` for what can be no number of ours."""
        found = self.request.path_params[name]
        if not 0 < found < 2**63:
            raise NotFound("There is no such thing: its number cannot be.")
        return int(found)

    def made(self, path: str) -> None:
        """Something new is there now."""
        self.headers["Location"] = BASE + path

    def following(self, cursor: str | None) -> str | None:
        """The address of the next page: this one, from `cursor` on."""
        if cursor is None:
            return None
        given = [(name, value) for name, value in self.request.query_params.multi_items() if name != "cursor"]
        return f"{self.request.url.path}?{urlencode([*given, ('cursor', cursor)])}"

    def unless_changed(self, mark: str) -> None:
        """What is to be changed has this mark now. Raises 412 where `If-Match` asks for another one."""
        if not etags.matches(self.request.headers.get("if-match"), mark):
            raise ClientException(
                "It was changed since you read it. Read it again, and send the ETag of that as If-Match.",
                status_code=412,
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """path: below /api/v1. answer: a struct, or None where there is nothing to say. opt: as `gate` reads it.

    holds: a GET a connection, all else a transaction; what waits for other machines holds nothing.
    loose: `call.body` is not read; the handler reads `call.sent` itself.
    secret: what is answered holds a secret, and is not kept for a second answer.
    patience_s: how long it may wait for the database, if longer than most.
    media: what is answered, if not JSON.
    """

    method: str
    path: str
    name: str
    group: str
    words: str
    run: Callable[[Any], Awaitable[Any]]
    query: type[reading.Query]
    body: type[msgspec.Struct] | None
    answer: Any
    status: int
    opt: Mapping[str, Any]
    etag: bool
    if_match: bool
    holds: Holds
    loose: bool
    secret: bool
    patience_s: float | None
    media: tuple[str, ...]

    @property
    def least_role(self) -> Role:
        declared: Role | None = self.opt.get("least_role")
        return declared or (Role.VIEWER if self.method == "GET" else Role.EDITOR)

    @property
    def parameters(self) -> list[tuple[str, str]]:
        """(name, int or str) of each in the path."""
        return _PARAMETER.findall(self.path)

    @property
    def address(self) -> str:
        """As OpenAPI writes it."""
        return BASE + _PARAMETER.sub(r"{\1}", self.path)

    def handler(self) -> HTTPRouteHandler:
        async def answered(request: Req) -> Response[Any]:
            return await self._answer(request)

        answered.__name__ = self.name
        made = litestar_route(self.path, http_method=[HttpMethod(self.method)], opt=dict(self.opt), status_code=200)
        return made(answered)

    async def _answer(self, request: Req) -> Response[Any]:
        web, who = of(request), principal(request)
        if wait_s := web.rate.wait_s(who.token_id):
            words = f"Too many requests with this token. Wait {wait_s} s; at most {web.rate.words} are answered."
            raise TooManyRequestsException(words, headers={"Retry-After": str(wait_s)})
        asked = reading.query(request, self.query)
        sent = await reading.body(request) if self.method != "GET" else {}
        body = convert(sent, self.body) if self.body is not None and not self.loose else None
        call = Call(request, web, who, asked, sent, body, self.status)
        if self.method == "POST" and (key := request.headers.get("idempotency-key")) is not None:
            return await idempotency.once(
                web.pool, who, key, request, sent, lambda finish: self._done(call, finish), keep=not self.secret
            )
        return await self._done(call, None)

    async def _done(self, call: Call[Any, Any], finish: idempotency.Finish | None) -> Response[Any]:
        """finish: writes the answer down, in the transaction of the change."""
        if self.holds == "nothing":
            answer = self._response(call, await self.run(call))
            if finish is not None:
                async with connection(call.web.pool) as conn:
                    await finish(conn, answer)
        else:
            async with connection(call.web.pool, self.patience_s) as conn:
                call.held = conn
                if self.holds == "connection":
                    answer = self._response(call, await self.run(call))
                else:
                    async with conn.transaction():
                        answer = self._response(call, await self.run(call))
                        if finish is not None:
                            await finish(conn, answer)
        for act in call.later:
            await act()
        return answer

    def _response(self, call: Call[Any, Any], value: Any) -> Response[Any]:
        if isinstance(value, Response):
            return value
        if value is None:
            return Response(b"", status_code=204, headers=call.headers)
        content = msgspec.json.encode(value)
        if self.etag:
            tag = etags.tag(call.mark, content)
            call.headers |= {"ETag": tag, "Cache-Control": "private, no-cache"}
            if self.method == "GET" and etags.known(call.request.headers.get("if-none-match"), tag):
                return Response(b"", status_code=304, headers=call.headers)
        following = getattr(value, "next", None)
        if isinstance(following, str):
            call.headers["Link"] = f'<{following}>; rel="next"'
        return Response(content, status_code=call.status, media_type=JSON, headers=call.headers)


Run = Callable[[Any], Awaitable[Any]]


def operation(
    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"],
    path: str,
    *,
    status: int = 200,
    opt: Mapping[str, Any] | None = None,
    etag: bool = False,
    if_match: bool = False,
    holds: Holds | None = None,
    loose: bool = False,
    secret: bool = False,
    patience_s: float | None = None,
    media: tuple[str, ...] = (JSON,),
) -> Callable[[Run], Operation]:
    """Its words are those of the function's docstring; its group is the module's name."""

    def made(run: Run) -> Operation:
        hints = get_type_hints(run, include_extras=True)
        asked, body = get_args(hints["call"])
        nothing = body is reading.NoBody
        return Operation(
            method=method,
            path=path,
            name=run.__name__,
            group=run.__module__.rpartition(".")[2],
            words=" ".join((run.__doc__ or "").split()),
            run=run,
            query=asked,
            body=reading.NoBody if nothing and method != "GET" else None if nothing else body,
            answer=hints["return"],
            status=204 if hints["return"] is type(None) else status,
            opt=opt or {},
            etag=etag,
            if_match=if_match,
            holds=holds or ("connection" if method == "GET" else "transaction"),
            loose=loose,
            secret=secret,
            patience_s=patience_s,
            media=media,
        )

    return made
