"""The way to a server, and one request over it: the connection, a proxy, TLS, HTTP/1.1 or HTTP/2."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import httpx

from pinguin.checks.contract import Context
from pinguin.checks.engine import http2
from pinguin.checks.engine.answer import Answer
from pinguin.checks.engine.chain import Link
from pinguin.checks.engine.dial import dial, permit_behind_proxy
from pinguin.checks.engine.exchange import exchange
from pinguin.checks.engine.failures import failure_of
from pinguin.checks.engine.resolve import IpVersion
from pinguin.checks.engine.secure import Demand
from pinguin.checks.engine.stopwatch import Stopwatch, in_words
from pinguin.checks.engine.tls import handshake
from pinguin.checks.engine.tunnel import Proxy, tunnel
from pinguin.checks.engine.wire import Wire
from pinguin.errors import CheckFailed

DEFAULT_PORTS = {"http": 80, "https": 443}
_OF_THE_CONNECTION = {b"connection", b"host", b"keep-alive", b"transfer-encoding", b"upgrade", b"proxy-connection"}


@dataclass(frozen=True, slots=True)
class Route:
    """How a check connects, to whichever host. names: what a host is called in TLS, where it is not its own name."""

    demand: Demand
    ip_version: IpVersion = "any"
    proxy: Proxy | None = None
    names: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Visit:
    """What one request brought. chain: of the server's certificate, empty without TLS."""

    answer: Answer
    chain: tuple[Link, ...]


async def visit(
    request: httpx.Request, route: Route, context: Context, watch: Stopwatch, *, limit: int, keep: int
) -> Visit:
    """Ask `request` on a connection of its own, which is closed on every way out. Raises CheckFailed."""
    host, port, secure = _place(request)
    if route.proxy:
        await permit_behind_proxy(host, port, context)
        wire = await _reach(route.proxy, route, context, watch)
    else:
        wire = await dial(host, port, route.ip_version, context, watch)
    chain: tuple[Link, ...] = ()
    try:
        if route.proxy and (secure or route.proxy.scheme != "http"):
            await _pass(wire, route.proxy, host, port, watch)
        if secure:
            watch.begin("waiting for the TLS handshake")
            chain = await handshake(wire, route.names.get(host, host), route.demand, context, watch)
            if "h2" in route.demand.alpn and _speaks_http2(wire):
                return Visit(await _over_http2(wire, request, watch, limit, keep), chain)
        sent = serialised(request) if secure or not route.proxy else through_proxy(request, route.proxy)
        head_only = request.method == "HEAD"
        return Visit(await exchange(wire, sent, watch, head_only=head_only, limit=limit, keep=keep), chain)
    finally:
        wire.close()


def _place(request: httpx.Request) -> tuple[str, int, bool]:
    """Host, port, and whether over TLS. Read once, as in `serialised`."""
    found: tuple[str, int, bool] | None = request.extensions.get("place")
    if found is None:
        url = request.url
        port = url.port or DEFAULT_PORTS[url.scheme]
        found = request.extensions["place"] = (host_of(url), port, url.scheme == "https")
    return found


def host_of(url: httpx.URL) -> str:
    """In ASCII, as it is looked up: in a URL `%25` stands for the sign before an address' zone (RFC 6874, 2)."""
    return url.raw_host.decode("ascii").replace("%25", "%", 1)


def without_zone(netloc: bytes) -> bytes:
    """A zone is this machine's own, and goes to no server (RFC 6874, 4)."""
    before, _, zone = netloc.partition(b"%")
    return before + zone[zone.find(b"]") :] if zone else netloc


def _speaks_http2(wire: Wire) -> bool:
    return bool(wire.sock.selected_alpn_protocol() == "h2")


def serialised(request: httpx.Request) -> bytes:
    """`request` as it is sent, made once: the first request of a monitor is the same in each check."""
    made = request.extensions.get("serialised")
    if not isinstance(made, bytes):
        made = request.extensions["serialised"] = _written(request, request.url.raw_path, ())
    return made


def through_proxy(request: httpx.Request, proxy: Proxy) -> bytes:
    """For an HTTP proxy that fetches the page itself: the whole URL, and who we are to the proxy."""
    if proxy.scheme != "http":
        return serialised(request)
    url = request.url
    target = url.scheme.encode() + b"://" + without_zone(url.netloc) + url.raw_path
    login = [(b"proxy-authorization", proxy.authorization)] if proxy.authorization else []
    return _written(request, target, login)


def _written(request: httpx.Request, target: bytes, more: list[tuple[bytes, bytes]] | tuple[()]) -> bytes:
    lines = [b"%s %s HTTP/1.1" % (request.method.encode("ascii"), target)]
    lines += [b"%s: %s" % item for item in (*request.headers.raw, *more)]
    return b"\r\n".join(lines) + b"\r\n\r\n" + request.content


async def _over_http2(wire: Wire, request: httpx.Request, watch: Stopwatch, limit: int, keep: int) -> Answer:
    url = request.url
    headers = [
        (b":method", request.method.encode()),
        (b":authority", request.headers.get("host", "").encode("utf-8") or without_zone(url.netloc)),
        (b":scheme", url.scheme.encode()),
        (b":path", url.raw_path),
    ]
    headers += [(name.lower(), value) for name, value in request.headers.raw if name.lower() not in _OF_THE_CONNECTION]
    return await http2.exchange(wire, headers, request.content, watch, limit=limit, keep=keep)


async def _reach(proxy: Proxy, route: Route, context: Context, watch: Stopwatch) -> Wire:
    """Connect to the proxy; the evidence's `address` is one of targets."""
    try:
        wire = await dial(proxy.host, proxy.port, route.ip_version, context, watch)
    except CheckFailed as failure:
        failure.message = f"the proxy {proxy} does not answer: {failure.message}"
        raise
    context.evidence.pop("address", None)
    context.evidence["proxy"] = f"{proxy.scheme}://{wire.address}"
    return wire


async def _pass(wire: Wire, proxy: Proxy, host: str, port: int, watch: Stopwatch) -> None:
    try:
        await tunnel(wire, proxy, host, port, watch)
    except OSError as error:
        failure = failure_of(error, str(wire.address), in_words(watch.total_ms()))
        failure.message = f"the proxy {proxy} gave up: {failure.message}"
        raise failure from None
