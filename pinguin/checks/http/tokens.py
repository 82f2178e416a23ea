"""OAuth2 client credentials (RFC 6749, 4.4): tokens, kept by all checks of a worker until shortly before they end."""

from __future__ import annotations

import asyncio
import math
import re
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from urllib.parse import quote_plus, urlencode

import httpx
import msgspec

from pinguin.checks.contract import Context
from pinguin.checks.engine.stopwatch import Stopwatch
from pinguin.checks.http import requests
from pinguin.checks.http.route import Route, visit
from pinguin.errors import CheckFailed

LARGEST = 100_000
EARLY_S = 30.0
"""A token is not used any more so many seconds before its end, or in the last tenth of a shorter life."""

SHORTEST_S, USUAL_S = 5.0, 300.0


@dataclass(frozen=True, slots=True)
class TokenSource:
    """Where a token comes from. Equal sources share one."""

    url: str
    client_id: str
    client_secret: str = field(repr=False)
    scope: str = ""
    audience: str = ""
    in_body: bool = False

    def request(self) -> httpx.Request:
        pairs = {"grant_type": "client_credentials", "scope": self.scope, "audience": self.audience}
        headers = {
            "user-agent": requests.AGENT,
            "accept": "application/json",
            "accept-encoding": "identity",
            "content-type": "application/x-www-form-urlencoded",
            "connection": "close",
        }
        if self.in_body:
            pairs |= {"client_id": self.client_id, "client_secret": self.client_secret}
        else:
            # RFC 6749, 2.3.1: both encoded like a form first.
            headers["authorization"] = requests.basic(quote_plus(self.client_id), quote_plus(self.client_secret))
        content = urlencode({name: value for name, value in pairs.items() if value}).encode()
        return requests.make("POST", requests.parse_url(self.url), headers, content)


class _Reply(msgspec.Struct):
    access_token: str
    expires_in: float | str | None = None


@dataclass(slots=True)
class _Place:
    """One source's token. At most one check at a time fetches it."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    token: str = ""
    good_until: float = 0.0


class Tokens:
    """The tokens of a worker, by source and route: other TLS options are another trust. TRAP 15"""

    MOST = 1000

    def __init__(self) -> None:
        self._places: OrderedDict[tuple[TokenSource, int], _Place] = OrderedDict()

    async def get(self, source: TokenSource, route: Route, context: Context, *, instead_of: str = "") -> str:
        """A token; a new one where the kept one is `instead_of`, which the server refused. Raises CheckFailed."""
        place = self._place(source, route)
        context.stage = f"waiting for a token from {requests.shown(requests.parse_url(source.url))}"
        async with place.lock:
            if place.token == instead_of or time.monotonic() >= place.good_until:
                place.token = ""
                place.token, life = await _fetch(source, route, context)
                place.good_until = time.monotonic() + life - min(EARLY_S, life / 10)
            return place.token

    def close(self) -> None:
        self._places.clear()

    def _place(self, source: TokenSource, route: Route) -> _Place:
        key = (source, hash((route.demand, route.ip_version, route.proxy)))
        place = self._places.setdefault(key, _Place())
        self._places.move_to_end(key)
        if len(self._places) > self.MOST:
            self._places.popitem(last=False)
        return place


async def _fetch(source: TokenSource, route: Route, context: Context) -> tuple[str, float]:
    """A new token and its life in seconds. What is seen on the way is not the target's evidence."""
    url = requests.shown(requests.parse_url(source.url))
    apart = Context(timeout=context.timeout, resources=context.resources)
    try:
        answer = (await visit(source.request(), route, apart, Stopwatch(apart), limit=LARGEST, keep=LARGEST)).answer
    except CheckFailed as failure:
        raise CheckFailed(failure.reason, f"no token from {url}: {failure.message}") from None
    finally:
        context.held_up = apart.held_up
    if answer.status != 200:
        raise CheckFailed("status", f"no token: {url} answered {answer.status}{_why(answer.body)}")
    try:
        reply = msgspec.json.decode(answer.body, type=_Reply)
        life = float(reply.expires_in or USUAL_S)
    except (msgspec.DecodeError, ValueError, RecursionError):
        raise CheckFailed("body", f"no token: the answer of {url} holds none") from None
    if not re.fullmatch(r"[\x21-\x7e]+", reply.access_token):
        raise CheckFailed("body", f"no token: what {url} sends is none")
    return reply.access_token, max(life, SHORTEST_S) if math.isfinite(life) else USUAL_S


class _Refusal(msgspec.Struct):
    error: str = ""


def _why(body: bytes) -> str:
    """` (invalid_client)`, where the answer is of that form."""
    try:
        code = msgspec.json.decode(body, type=_Refusal).error
    except (msgspec.DecodeError, RecursionError):
        return ""
    return f" ({code})" if re.fullmatch(r"[a-z_]{1,40}", code) else ""
