"""Requests whose Host is none (empty, twice, a port past all ports): refused before anything makes an address of it."""

from __future__ import annotations

import re
from typing import cast

from litestar import Litestar
from litestar.types import HTTPScope, LifeSpanReceive, LifeSpanScope, LifeSpanSend, Receive, Scope, Send

_HOST = re.compile(rb"(?:[A-Za-z0-9._~%!$&'()*+,;=-]{1,255}|\[[0-9A-Fa-f:.]{2,45}\])(?::([0-9]{1,5}))?")
_ANSWER = b"The Host of this request is none.\n"


class Server(Litestar):
    """The framework's errors, and our pages for them, read the address: with such a host they fail themselves."""

    async def __call__(
        self, scope: Scope | LifeSpanScope, receive: Receive | LifeSpanReceive, send: Send | LifeSpanSend
    ) -> None:
        headers = cast("HTTPScope", scope).get("headers", ())
        if not good([value for name, value in headers if name == b"host"]):
            await _refuse(cast("Send", send))
            return
        await super().__call__(scope, receive, send)


def good(hosts: list[bytes]) -> bool:
    """Of one request. None at all is how HTTP/1.0 asks."""
    found = _HOST.fullmatch(hosts[0]) if hosts else None
    return not hosts or (len(hosts) == 1 and found is not None and int(found[1] or 0) < 65536)


async def _refuse(send: Send) -> None:
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", str(len(_ANSWER)).encode()),
        (b"x-content-type-options", b"nosniff"),
        (b"cache-control", b"no-store"),
    ]
    await send({"type": "http.response.start", "status": 400, "headers": headers})
    await send({"type": "http.response.body", "body": _ANSWER, "more_body": False})
