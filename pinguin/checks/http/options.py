"""The options of the HTTP check, strictly read; and what is made of them once for all checks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cached_property, lru_cache
from typing import Annotated, Literal
from urllib.parse import parse_qsl, urlencode

import httpx
import msgspec

from pinguin.checks.conditions import MOST_CONDITIONS, SEEN, Condition, effort
from pinguin.checks.conditions_syntax import parse
from pinguin.checks.contract import CheckOptions
from pinguin.checks.engine.resolve import IpVersion
from pinguin.checks.engine.response import SAMPLE
from pinguin.checks.engine.secure import Demand, wrong_identity, wrong_pem
from pinguin.checks.engine.tunnel import Proxy
from pinguin.checks.http import requests
from pinguin.checks.http.route import DEFAULT_PORTS, Route
from pinguin.checks.http.subjects import BODY, STATUS, SUBJECTS
from pinguin.checks.http.tokens import TokenSource
from pinguin.checks.verdict import wrong_host
from pinguin.errors import InvalidInput
from pinguin.fields import field
from pinguin.scrub import Scrubber

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_OURS = {"content-length", "transfer-encoding", "connection"}
_PROXY = re.compile(r"(http|socks5)://(.+?)(?::(\d{1,5}))?/?")
_PROXY_PORTS = {"http": 3128, "socks5": 1080}


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
        str, field("Must not contain", "A text that the body must not contain.", advanced=True, max_length=1000)
    ] = ""
    conditions: Annotated[
        list[str],
        field(
            "Conditions",
            'One a line, all must be met: status < 400, header content-type contains json, json $.status == "ok", '
            "body not matches (?i)error, time < 500 ms, certificate > 14 days, size < 1 MB. "
            "With warn before it, a line that is not met is degraded instead of down.",
            placeholder='json $.status == "ok"',
            advanced=True,
            max_length=MOST_CONDITIONS,
        ),
    ] = msgspec.field(default_factory=list)
    upside_down: Annotated[
        bool,
        field("Upside down", "Down when it answers as configured, up when it does not.", advanced=True),
    ] = False
    slow_ms: Annotated[
        int,
        field(
            "Slow above",
            "An answer that takes longer is degraded. 0 is no limit.",
            unit="ms",
            advanced=True,
            ge=0,
            le=600_000,
        ),
    ] = 0
    certificate_days: Annotated[
        int,
        field(
            "Warn before the certificate ends",
            "With fewer days left, of it or of one above it, the monitor is degraded. 0 turns this off.",
            unit="days",
            advanced=True,
            ge=0,
            le=365,
        ),
    ] = 14
    headers: Annotated[
        dict[str, str],
        field("Headers", "One `Name: value` a line.", secret=True, advanced=True, max_length=50),
    ] = msgspec.field(default_factory=dict)
    cookies: Annotated[
        dict[str, str],
        field(
            "Cookies",
            "One `name: value` a line. Those that answers set on the way are kept for the rest of the check.",
            secret=True,
            advanced=True,
            max_length=50,
        ),
    ] = msgspec.field(default_factory=dict)
    body_kind: Annotated[
        Literal["raw", "json", "form"],
        field(
            "Kind of body", "JSON and forms bring their Content-Type; a form is one name=value a line.", advanced=True
        ),
    ] = "raw"
    body: Annotated[str, field("Body", "Sent in UTF-8.", widget="textarea", advanced=True, max_length=65536)] = ""
    auth: Annotated[
        Literal["basic", "digest", "bearer", "oauth2"],
        field(
            "Authentication",
            "Basic and digest take the user and password, where there is one; bearer takes the token; "
            "oauth2 fetches a token with the client's credentials.",
            advanced=True,
        ),
    ] = "basic"
    username: Annotated[str, field("User", "For basic and digest.", advanced=True, max_length=200)] = ""
    password: Annotated[str, field("Password", "For basic and digest.", secret=True, advanced=True, max_length=500)] = (
        ""
    )
    bearer_token: Annotated[str, field("Token", "For bearer.", secret=True, advanced=True, max_length=10_000)] = ""
    oauth_token_url: Annotated[
        str,
        field(
            "Token URL",
            "For oauth2: where the client credentials are exchanged for a token.",
            placeholder="https://login.example.org/oauth2/token",
            advanced=True,
            max_length=4000,
        ),
    ] = ""
    oauth_client_id: Annotated[str, field("Client ID", "For oauth2.", advanced=True, max_length=500)] = ""
    oauth_client_secret: Annotated[
        str, field("Client secret", "For oauth2.", secret=True, advanced=True, max_length=1000)
    ] = ""
    oauth_scope: Annotated[
        str, field("Scope", "For oauth2; several with spaces between them.", advanced=True, max_length=1000)
    ] = ""
    oauth_audience: Annotated[
        str, field("Audience", "For oauth2, where the provider wants one.", advanced=True, max_length=1000)
    ] = ""
    oauth_credentials: Annotated[
        Literal["header", "body"],
        field("Client credentials in", "For oauth2: as basic authentication, or in the body.", advanced=True),
    ] = "header"
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
    tls_minimum: Annotated[
        Literal["1.2", "1.3"],
        field("Oldest TLS version", "A server that only speaks older ones is down.", advanced=True),
    ] = "1.2"
    server_name: Annotated[
        str,
        field(
            "Server name",
            "For TLS (SNI) and the certificate, where it is not the URL's host. For the request, set the Host header.",
            placeholder="www.example.org",
            advanced=True,
            max_length=253,
        ),
    ] = ""
    client_certificate: Annotated[
        str,
        field(
            "Client certificate",
            "In PEM form, with those above it, for servers that demand one.",
            widget="textarea",
            advanced=True,
            max_length=100_000,
        ),
    ] = ""
    client_key: Annotated[
        str,
        field(
            "Client key",
            "The certificate's private key in PEM form, not encrypted.",
            widget="textarea",
            secret=True,
            advanced=True,
            max_length=20_000,
        ),
    ] = ""
    http2: Annotated[bool, field("HTTP/2", "Where the server offers it over TLS; else HTTP/1.1.", advanced=True)] = (
        False
    )
    ip_version: Annotated[IpVersion, field("IP version", "Which addresses of the name to use.", advanced=True)] = "any"
    proxy: Annotated[
        str,
        field(
            "Proxy",
            "http://host:port or socks5://host:port; it looks the name up.",
            placeholder="http://proxy.example.org:3128",
            advanced=True,
            max_length=300,
        ),
    ] = ""
    proxy_username: Annotated[str, field("Proxy user", "Where the proxy wants one.", advanced=True, max_length=200)] = (
        ""
    )
    proxy_password: Annotated[
        str, field("Proxy password", "For its user.", secret=True, advanced=True, max_length=250)
    ] = ""
    compression: Annotated[
        bool, field("Accept packed answers", "gzip and deflate. The limit below holds for both sizes.", advanced=True)
    ] = True
    cache_busting: Annotated[
        bool,
        field("Avoid caches", "Adds a random parameter to the query, so that no cache has the answer.", advanced=True),
    ] = False
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
        found: dict[str, str] = {}
        for name, words in _faults(self):
            if words:
                found.setdefault(name, words)
        if found:
            raise InvalidInput(found)

    def target(self) -> str:
        return requests.shown(requests.parse_url(self.url))

    @cached_property
    def request(self) -> httpx.Request:
        """What to ask first. Made once: it is the same in each check, except for `cache_busting` and `oauth2`."""
        return _first_request(self)

    @cached_property
    def route(self) -> Route:
        return Route(
            demand=Demand(
                verify=self.verify_tls,
                authorities=self.ca_certificates,
                least=self.tls_minimum,
                client_certificate=self.client_certificate,
                client_key=self.client_key,
                alpn=("h2", "http/1.1") if self.http2 else ("http/1.1",),
            ),
            ip_version=self.ip_version,
            proxy=parse_proxy(self.proxy, self.proxy_username, self.proxy_password) if self.proxy else None,
            names={requests.parse_url(self.url).raw_host.decode("ascii"): self.server_name} if self.server_name else {},
        )

    @cached_property
    def all_conditions(self) -> tuple[Condition, ...]:
        """Those that were typed, and those that the plain options stand for: there is one way to judge."""
        return (*_plain_conditions(self), *parse(self.conditions, SUBJECTS))

    @cached_property
    def effort(self) -> int:
        """What its conditions may cost, for each byte of an answer."""
        return effort(self.all_conditions)

    @cached_property
    def keep(self) -> int:
        """How much of a body is worth keeping."""
        return self.max_body_bytes if any(each.subject.wide for each in self.all_conditions) else SAMPLE

    @cached_property
    def token_source(self) -> TokenSource | None:
        if self.auth != "oauth2":
            return None
        return TokenSource(
            url=self.oauth_token_url,
            client_id=self.oauth_client_id,
            client_secret=self.oauth_client_secret,
            scope=self.oauth_scope,
            audience=self.oauth_audience,
            in_body=self.oauth_credentials == "body",
        )

    @cached_property
    def scrubber(self) -> Scrubber:
        return Scrubber(_secrets(self))


def accepts(ranges: list[str], status: int) -> bool:
    return any(low <= status <= high for low, high in map(status_range, ranges))


@lru_cache(maxsize=1024)
def status_range(words: str) -> tuple[int, int]:
    """`404` or `200-299`. Raises ValueError."""
    low, dash, high = (part.strip() for part in words.partition("-"))
    first, last = int(low), int(high if dash else low)
    if not 100 <= first <= last <= 999:
        raise ValueError
    return first, last


def parse_proxy(url: str, username: str = "", password: str = "") -> Proxy:
    """Raises ValueError."""
    match = _PROXY.fullmatch(url)
    if not match or wrong_host(host := match[2].strip("[]")):
        raise ValueError
    scheme: Literal["http", "socks5"] = "http" if match[1] == "http" else "socks5"
    port = int(match[3] or _PROXY_PORTS[scheme])
    if not 1 <= port <= 65535:
        raise ValueError
    return Proxy(scheme, host, port, username, password)


def form_pairs(body: str) -> list[tuple[str, str]]:
    """One `name=value` a line. Raises ValueError."""
    pairs = []
    for line in body.splitlines():
        name, equals, value = line.partition("=")
        if line.strip():
            if not equals or not name.strip():
                raise ValueError
            pairs.append((name.strip(), value.strip()))
    return pairs


def _first_request(options: Options) -> httpx.Request:
    content, kind = _content(options)
    headers = {
        "user-agent": requests.AGENT,
        "accept": "*/*",
        "accept-encoding": "gzip, deflate" if options.compression else "identity",
        **kind,
        **{name.lower(): value for name, value in options.headers.items()},
        "connection": "close",
    }
    if options.cookies:
        headers["cookie"] = requests.cookie_header(options.cookies)
    if options.auth == "basic" and (options.username or options.password):
        headers["authorization"] = requests.basic(options.username, options.password)
    if options.auth == "bearer":
        headers["authorization"] = f"Bearer {options.bearer_token}"
    return requests.make(options.method, requests.parse_url(options.url), headers, content)


def _content(options: Options) -> tuple[bytes, dict[str, str]]:
    """The body as it is sent, and its Content-Type, where it has one."""
    if options.body_kind == "form":
        pairs = form_pairs(options.body)
        return urlencode(pairs).encode(), {"content-type": "application/x-www-form-urlencoded"}
    kind = {"content-type": "application/json"} if options.body_kind == "json" else {}
    return options.body.encode(), kind if options.body else {}


def _plain_conditions(options: Options) -> Iterator[Condition]:
    ranges = tuple(map(status_range, options.accepted_statuses))
    accepted = f"answered {SEEN}; accepted: {', '.join(options.accepted_statuses)}"
    yield Condition(STATUS, "in", ranges, complaint=accepted)
    if options.keyword:
        yield Condition(BODY, "contains", options.keyword)
    if options.keyword_absent:
        yield Condition(BODY, "contains", options.keyword_absent, negated=True)


def _secrets(options: Options) -> Iterator[str]:
    """What must never be seen in a result, even where a server sends it back to us. TRAP 24"""
    for each in (*options.headers.values(), *options.cookies.values()):
        yield each
        yield from each.split()[1:]  # Bearer …
    yield from (options.password, options.bearer_token, options.oauth_client_secret, options.proxy_password)
    for user, password in ((options.username, options.password), (options.proxy_username, options.proxy_password)):
        yield requests.basic(user, password).partition(" ")[2] if password else ""
    yield from options.client_key.splitlines()
    query = requests.parse_url(options.url).query.decode("ascii")
    yield from (value for _, value in parse_qsl(query))
    yield from (pair.partition("=")[2] for pair in query.split("&"))


# What can be wrong


def _faults(options: Options) -> Iterator[tuple[str, str | None]]:
    yield "url", _wrong_url(options.url)
    yield "accepted_statuses", _wrong_statuses(options.accepted_statuses)
    yield "headers", _wrong_headers(options)
    yield "cookies", _wrong_cookies(options)
    yield "body", _wrong_body(options)
    yield "keyword", _without_body(options, bool(options.keyword or options.keyword_absent))
    yield "conditions", _wrong_conditions(options)
    yield "ca_certificates", wrong_pem(options.ca_certificates)
    yield "server_name", wrong_host(options.server_name) if options.server_name else None
    yield from wrong_identity(options.client_certificate, options.client_key).items()
    yield from _wrong_auth(options)
    yield from _wrong_proxy(options)


def _wrong_url(url: str) -> str | None:
    if url != url.strip() or any(ord(letter) < 32 for letter in url):
        return "must not contain spaces at its ends or control characters"
    try:
        parsed = requests.parse_url(url)
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
            status_range(words)
        except ValueError:
            return f"{words!r} is not a status (404) or a range (200-299)"
    return None


def _wrong_headers(options: Options) -> str | None:
    for name, value in options.headers.items():
        if not _TOKEN.fullmatch(name):
            return f"{name!r} is not a valid header name"
        if re.search(r"[\r\n\x00]", value):
            return f"the value of {name} must not contain a line break"
        if name.lower() in _OURS:
            return f"{name} is set by Pinguin"
        if name.lower() == "authorization" and (options.username or options.auth != "basic"):
            return "Authorization contradicts the authentication below"
        if name.lower() == "cookie" and options.cookies:
            return "Cookie contradicts the cookies below"
    return None


def _wrong_cookies(options: Options) -> str | None:
    for name, value in options.cookies.items():
        if not _TOKEN.fullmatch(name):
            return f"{name!r} is not a valid name of a cookie"
        if re.search(r"[\x00-\x1f;]", value):
            return f"the value of {name} must not contain a semicolon or a line break"
    return None


def _wrong_body(options: Options) -> str | None:
    if options.body_kind == "json" and options.body:
        try:
            msgspec.json.decode(options.body)
        except (msgspec.DecodeError, RecursionError):
            return "is not valid JSON; choose raw to send it all the same"
    if options.body_kind == "form":
        try:
            form_pairs(options.body)
        except ValueError:
            return "must be one name=value a line"
    return None


def _without_body(options: Options, needed: bool) -> str | None:
    return "needs a body, and HEAD fetches none" if needed and options.method == "HEAD" else None


def _wrong_conditions(options: Options) -> str | None:
    try:
        found = parse(options.conditions, SUBJECTS)
    except ValueError as error:
        return str(error)
    return _without_body(options, any(each.subject.wide for each in found))


def _wrong_auth(options: Options) -> Iterator[tuple[str, str | None]]:
    yield "username", "must not contain a colon" if ":" in options.username else None
    if options.auth == "digest" and not options.username:
        yield "username", "is required for digest"
    if options.auth == "bearer":
        yield "bearer_token", _wrong_token(options.bearer_token)
    if options.auth == "oauth2":
        yield "oauth_token_url", _wrong_url(options.oauth_token_url)
        yield "oauth_client_id", None if options.oauth_client_id else "is required for oauth2"
        yield "oauth_client_secret", None if options.oauth_client_secret else "is required for oauth2"
    if options.auth == "basic" and not options.username:
        meant = "bearer" if options.bearer_token else "oauth2" if options.oauth_token_url else ""
        yield "auth", f"must be {meant} for what is filled in to be used" if meant else None


def _wrong_token(token: str) -> str | None:
    if not token:
        return "is required for bearer"
    return None if re.fullmatch(r"[\x21-\x7e]+", token) else "must be one word of ASCII letters, digits and signs"


def _wrong_proxy(options: Options) -> Iterator[tuple[str, str | None]]:
    if not options.proxy:
        yield "proxy_username", "is for a proxy, and there is none" if options.proxy_username else None
        return
    try:
        parse_proxy(options.proxy)
    except ValueError:
        yield "proxy", "must be http://host:port or socks5://host:port, without a user or password"
    if options.proxy_password and not options.proxy_username:
        yield "proxy_username", "is required where there is a password"
