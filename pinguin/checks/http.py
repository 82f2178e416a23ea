"""Asks for a web page or an API's answer over HTTP/1.1, each time on a fresh connection.

The latency is the time from the start of the look-up to the end of the last answer's body, redirects and their
connections included.
"""

from __future__ import annotations

import re
from base64 import b64encode
from functools import cached_property, lru_cache
from http import HTTPStatus
from typing import Annotated, Any, Literal

import httpx
import msgspec

from pinguin.checks.contract import CheckOptions, Context, Outcome, field
from pinguin.checks.engine import certificate
from pinguin.checks.engine.certificate import Certificate
from pinguin.checks.engine.dial import dial
from pinguin.checks.engine.exchange import exchange
from pinguin.checks.engine.resolve import IpVersion
from pinguin.checks.engine.response import SAMPLE
from pinguin.checks.engine.stopwatch import Stopwatch
from pinguin.checks.engine.tls import TlsContexts, TlsPolicy, check_authorities, handshake, peer_certificate
from pinguin.checks.engine.wire import Wire
from pinguin.checks.evidence import text
from pinguin.checks.verdict import too_slow, wrong_host
from pinguin.errors import CheckFailed, InvalidInput

TITLE = "Web page or API (HTTP)"

AGENT = "Pinguin/0.1"
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_OURS = {"content-length", "transfer-encoding", "connection"}
DEFAULT_PORTS = {"http": 80, "https": 443}
_REDIRECTS = {301, 302, 303, 307, 308}
_HARMLESS = {b"accept", b"accept-encoding", b"accept-language", b"user-agent", b"cache-control"}


class Options(CheckOptions, frozen=True, dict=True):  # dict: so that cached_property has where to keep things
    url: Annotated[
        str,
        field(
            "URL", "With http:// or https://.", placeholder="https://example.org/health", min_length=1, max_length=4000
        ),
    ]
    method: Annotated[
        Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"],
        field("Method", "What to ask with. HEAD fetches no body."),
    ] = "GET"
    accepted_statuses: Annotated[
        list[str],
        field("Accepted statuses", "One code or range a line: 200-299, 404.", min_length=1, max_length=50),
    ] = msgspec.field(default_factory=lambda: ["200-299"])
    keyword: Annotated[
        str,
        field("Must contain", "A text that the body must contain, in upper and lower case as here.", max_length=1000),
    ] = ""
    keyword_absent: Annotated[
        str, field("Must not contain", "A text that the body must not contain.", max_length=1000)
    ] = ""
    slow_ms: Annotated[
        int, field("Slow above", "An answer that takes longer is degraded. 0 is no limit.", unit="ms", ge=0, le=600_000)
    ] = 0
    certificate_days: Annotated[
        int,
        field(
            "Warn before the certificate ends",
            "With fewer days left, the monitor is degraded. 0 turns this off.",
            unit="days",
            ge=0,
            le=365,
        ),
    ] = 14
    headers: Annotated[
        dict[str, str],
        field("Headers", "One `Name: value` a line.", secret=True, advanced=True, max_length=50),
    ] = msgspec.field(default_factory=dict)
    body: Annotated[
        str, field("Body", "Sent as it is, in UTF-8.", widget="textarea", advanced=True, max_length=65536)
    ] = ""
    username: Annotated[str, field("User", "For basic authentication.", advanced=True, max_length=200)] = ""
    password: Annotated[
        str, field("Password", "For basic authentication.", secret=True, advanced=True, max_length=500)
    ] = ""
    max_redirects: Annotated[
        int,
        field(
            "Follow redirects",
            "How many, at most. 0 follows none. A redirect whose status is accepted above is an answer.",
            advanced=True,
            ge=0,
            le=20,
        ),
    ] = 5
    verify_tls: Annotated[
        bool, field("Verify the certificate", "Its authority, its dates and its names.", advanced=True)
    ] = True
    ca_certificates: Annotated[
        str,
        field(
            "Own authorities",
            "Certificates in PEM form, trusted beside the system's.",
            widget="textarea",
            advanced=True,
            max_length=100_000,
        ),
    ] = ""
    ip_version: Annotated[IpVersion, field("IP version", "Which addresses of the name to use.", advanced=True)] = "any"
    max_body_bytes: Annotated[
        int,
        field(
            "Largest body",
            "A larger one, packed or unpacked, is down.",
            unit="bytes",
            advanced=True,
            ge=1024,
            le=100_000_000,
        ),
    ] = 5_000_000

    def __post_init__(self) -> None:
        wrong = {
            "url": _wrong_url(self.url),
            "accepted_statuses": _wrong_statuses(self.accepted_statuses),
            "headers": _wrong_headers(self.headers, self.username),
            "username": "must not contain a colon" if ":" in self.username else None,
            "keyword": _wrong_keyword(self),
            "ca_certificates": check_authorities(self.ca_certificates) if self.ca_certificates else None,
        }
        found = {name: words for name, words in wrong.items() if words}
        if found:
            raise InvalidInput(found)

    def target(self) -> str:
        return shown(parse_url(self.url))

    @cached_property
    def request(self) -> httpx.Request:
        """What to ask first. Made once: it is the same in each check."""
        return _first_request(self)

    @cached_property
    def policy(self) -> TlsPolicy:
        return TlsPolicy(self.verify_tls, self.ca_certificates)


async def check(options: Options, context: Context) -> Outcome:
    watch = Stopwatch(context)
    visit = _Visit(options, context, watch)
    response = await visit.follow()
    latency = watch.total_ms()
    _judge(options, response, context, latency)
    degraded = _ends_soon(options.certificate_days, visit.certificates) or too_slow(latency, options.slow_ms)
    return Outcome(latency, degraded=degraded)


class _Visit:
    """One check's way through its redirects. Keeps the certificates that it met, by host."""

    def __init__(self, options: Options, context: Context, watch: Stopwatch) -> None:
        self._options = options
        self._context = context
        self._watch = watch
        self.certificates: dict[str, Certificate] = {}

    async def follow(self) -> httpx.Response:
        """The last answer, after as many redirects as are allowed."""
        request = self._options.request
        hops: list[dict[str, Any]] = []
        while True:
            response = await self._fetch(request)
            onward = _next_request(self._options, request, response)
            if onward is None:
                return response
            hops.append({"url": shown(request.url), "status": response.status_code, **self._so_far()})
            self._context.evidence["hops"] = hops
            if len(hops) > self._options.max_redirects:
                raise self._endless(onward.url)
            request = onward

    async def _fetch(self, request: httpx.Request) -> httpx.Response:
        """One hop, on its own connection, which is closed on every way out."""
        url, options = request.url, self._options
        host = url.raw_host.decode("ascii")
        wire = await dial(host, url.port or DEFAULT_PORTS[url.scheme], options.ip_version, self._context, self._watch)
        try:
            if url.scheme == "https":
                await self._secure(wire, host)
            keep = options.max_body_bytes if options.keyword or options.keyword_absent else SAMPLE
            response = await exchange(wire, request, self._watch, limit=options.max_body_bytes, keep=keep)
        finally:
            wire.close()
        self._note(response)
        return response

    async def _secure(self, wire: Wire, host: str) -> None:
        self._watch.begin("waiting for the TLS handshake")
        sock = await handshake(wire, host, self._options.policy, self._context.resources.get(TlsContexts), self._watch)
        self._watch.done("tls")
        cipher = sock.cipher()
        self._context.evidence["tls"] = {"version": sock.version(), "cipher": cipher[0] if cipher else None}
        seen = peer_certificate(sock)
        if seen:
            self.certificates[host] = seen
            self._context.evidence["certificate"] = seen.facts(host, certificate.now())

    def _note(self, response: httpx.Response) -> None:
        evidence = self._context.evidence
        evidence["status_code"] = response.status_code
        evidence["http_version"] = response.http_version
        evidence["body_bytes"] = response.extensions["body_bytes"]
        kind = response.headers.get("content-type")
        if kind:
            evidence["content_type"] = kind[:100]

    def _so_far(self) -> dict[str, Any]:
        return {"address": self._context.evidence["address"], "after_ms": round(self._watch.total_ms(), 3)}

    def _endless(self, onward: httpx.URL) -> CheckFailed:
        message = f"more than {self._options.max_redirects} redirects; the next one leads to {shown(onward)}"
        return CheckFailed("redirect", message, latency_ms=self._watch.total_ms())


def shown(url: httpx.URL) -> str:
    """`url` without what may be secret: a user, a password, a query, a fragment. TRAP 20, TRAP 24"""
    host = f"[{url.host}]" if ":" in url.host else url.host
    port = f":{url.port}" if url.port else ""
    path, query, _ = url.raw_path.decode("ascii").partition("?")
    return f"{url.scheme}://{host}{port}{path}{query and '?…'}"


def _first_request(options: Options) -> httpx.Request:
    headers = {
        "user-agent": AGENT,
        "accept": "*/*",
        "accept-encoding": "gzip, deflate",
        **{name.lower(): value for name, value in options.headers.items()},
        "connection": "close",
    }
    if options.username or options.password:
        pair = f"{options.username}:{options.password}".encode()
        headers["authorization"] = f"Basic {b64encode(pair).decode()}"
    # As bytes: httpx takes texts for ASCII, and fails on others.
    raw = [(name.encode("ascii"), value.encode("utf-8")) for name, value in headers.items()]
    return httpx.Request(options.method, parse_url(options.url), headers=raw, content=options.body.encode() or None)


def _next_request(options: Options, request: httpx.Request, response: httpx.Response) -> httpx.Request | None:
    """Where `response` leads to, or None where it is the answer."""
    status = response.status_code
    if not options.max_redirects or status not in _REDIRECTS or _accepted(options.accepted_statuses, status):
        return None
    if "location" not in response.headers:
        return None
    url = _location(request.url, response.headers["location"])
    method, content = request.method, request.content
    if (status == 303 and method != "HEAD") or (status in (301, 302) and method == "POST"):
        method, content = "GET", b""
    headers = [item for item in request.headers.raw if item[0].lower() not in (b"host", b"content-length")]
    if _origin(url) != _origin(request.url):
        # Keys and passwords in headers are for the host that the monitor names, not for wherever it points to.
        headers = [item for item in headers if item[0].lower() in _HARMLESS]
    return httpx.Request(method, url, headers=headers, content=content or None)


def _location(base: httpx.URL, location: str) -> httpx.URL:
    try:
        url = base.join(location)
    except httpx.InvalidURL:
        raise CheckFailed("redirect", "redirected to something that is not a URL") from None
    if url.scheme not in DEFAULT_PORTS or not url.host or wrong_host(url.host):
        raise CheckFailed("redirect", f"redirected to a URL that is not for the web: {url.scheme}:…")
    return url.copy_with(username=None, password=None, fragment=None) if url.userinfo or url.fragment else url


def _judge(options: Options, response: httpx.Response, context: Context, latency: float) -> None:
    wrong = _wrong_answer(options, response)
    if wrong is None:
        return
    sample = {"body_sample": text(response.text[:500], 500)} if response.read() else {}
    raise CheckFailed(*wrong, evidence=sample, latency_ms=latency)


def _wrong_answer(options: Options, response: httpx.Response) -> tuple[str, str] | None:
    status = response.status_code
    if not _accepted(options.accepted_statuses, status):
        accepted = ", ".join(options.accepted_statuses)
        return "status", f"answered {_in_words(status)}; accepted: {accepted}"
    if not options.keyword and not options.keyword_absent:
        return None
    response.read()
    if options.keyword and options.keyword not in response.text:
        return "body", f"the body does not contain “{options.keyword[:100]}”"
    if options.keyword_absent and options.keyword_absent in response.text:
        return "body", f"the body contains “{options.keyword_absent[:100]}”"
    return None


def _ends_soon(days: int, certificates: dict[str, Certificate]) -> tuple[str, str] | None:
    if not days or not certificates:
        return None
    host, first = min(certificates.items(), key=lambda item: item[1].not_after)
    left = first.days_left(certificate.now())
    if left >= days:
        return None
    when = f"ends in {left} days" if left >= 0 else f"ended {-left} days ago"
    return "certificate_expiry", f"the certificate of {host} {when}, on {first.not_after:%Y-%m-%d}"


def _in_words(status: int) -> str:
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)


def _origin(url: httpx.URL) -> tuple[str, str, int]:
    return url.scheme, url.host, url.port or DEFAULT_PORTS[url.scheme]


def parse_url(url: str) -> httpx.URL:
    """`url` without its fragment. Raises httpx.InvalidURL."""
    return httpx.URL(url).copy_with(fragment=None)


def _accepted(ranges: list[str], status: int) -> bool:
    return any(low <= status <= high for low, high in map(_range, ranges))


@lru_cache(maxsize=1024)
def _range(words: str) -> tuple[int, int]:
    """`404` or `200-299`. Raises ValueError."""
    low, dash, high = (part.strip() for part in words.partition("-"))
    first, last = int(low), int(high if dash else low)
    if not 100 <= first <= last <= 999:
        raise ValueError
    return first, last


def _wrong_url(url: str) -> str | None:
    if url != url.strip() or any(ord(letter) < 32 for letter in url):
        return "must not contain spaces at its ends or control characters"
    try:
        parsed = parse_url(url)
    except (httpx.InvalidURL, ValueError):
        return "is not a valid URL"
    if parsed.scheme not in DEFAULT_PORTS:
        return "must begin with http:// or https://"
    if not parsed.host:
        return "has no host"
    if wrong_host(parsed.host):
        return "has a host that is not a valid name or address"
    if parsed.port is not None and not 1 <= parsed.port <= 65535:
        return "has a port that is not between 1 and 65535"
    if parsed.userinfo:
        return "must not contain a user or password; there are fields for them"
    return None


def _wrong_statuses(statuses: list[str]) -> str | None:
    for words in statuses:
        try:
            _range(words)
        except ValueError:
            return f"{words!r} is not a status (404) or a range (200-299)"
    return None


def _wrong_headers(headers: dict[str, str], username: str) -> str | None:
    for name, value in headers.items():
        if not _TOKEN.fullmatch(name):
            return f"{name!r} is not a valid header name"
        if re.search(r"[\r\n\x00]", value):
            return f"the value of {name} must not contain a line break"
        if name.lower() in _OURS:
            return f"{name} is set by Pinguin"
        if name.lower() == "authorization" and username:
            return "Authorization contradicts the user and password"
    return None


def _wrong_keyword(options: Options) -> str | None:
    if options.method == "HEAD" and (options.keyword or options.keyword_absent):
        return "needs a body, and HEAD fetches none"
    return None
