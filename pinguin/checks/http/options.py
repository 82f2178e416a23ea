"""The options of the HTTP check, strictly read; and what is made of them once for all checks."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Annotated, Literal

import httpx
import msgspec

from pinguin.checks.common import (
    AdvancedSlowMs,
    Authorities,
    CertificateDays,
    ClientCertificate,
    ClientKey,
    IpVersion,
    ServerName,
    VerifyTls,
)
from pinguin.checks.conditions import MOST_CONDITIONS, Condition, effort
from pinguin.checks.conditions.syntax import parse
from pinguin.checks.contract import CheckOptions
from pinguin.checks.engine.answer import SAMPLE
from pinguin.checks.engine.secure import Demand
from pinguin.checks.http import requests
from pinguin.checks.http.faults import faults
from pinguin.checks.http.made import first_request, plain_conditions, secrets_of
from pinguin.checks.http.reading import parse_proxy
from pinguin.checks.http.route import Route, host_of
from pinguin.checks.http.subjects import SUBJECTS
from pinguin.checks.http.tokens import TokenSource
from pinguin.errors import InvalidInput
from pinguin.fields import field
from pinguin.scrub import Scrubber


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
    slow_ms: AdvancedSlowMs = 0
    certificate_days: CertificateDays = 14
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
    verify_tls: VerifyTls = True
    ca_certificates: Authorities = ""
    tls_minimum: Annotated[
        Literal["1.2", "1.3"],
        field("Oldest TLS version", "A server that only speaks older ones is down.", advanced=True),
    ] = "1.2"
    server_name: ServerName = ""
    client_certificate: ClientCertificate = ""
    client_key: ClientKey = ""
    http2: Annotated[bool, field("HTTP/2", "Where the server offers it over TLS; else HTTP/1.1.", advanced=True)] = (
        False
    )
    ip_version: IpVersion = "any"
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
        InvalidInput.raise_for(faults(self))

    def target(self) -> str:
        return requests.shown(requests.parse_url(self.url))

    def goes_to(self) -> Sequence[str]:
        """The Host header and the name in TLS count: behind one address there may be another's server."""
        urls = {"": self.url, "token ": self.oauth_token_url, "proxy ": self.proxy}
        places = [name + requests.origin_shown(requests.parse_url(url)) for name, url in urls.items() if url]
        hosts = [value for name, value in self.headers.items() if name.lower() == "host"]
        anybody = [] if self.verify_tls else ["any certificate"]
        return [*places, *(f"host {host}" for host in (*hosts, self.server_name) if host), *anybody]

    @cached_property
    def request(self) -> httpx.Request:
        """What to ask first. Made once: it is the same in each check, except for `cache_busting` and `oauth2`."""
        return first_request(self)

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
            names={host_of(requests.parse_url(self.url)): self.server_name} if self.server_name else {},
        )

    @cached_property
    def all_conditions(self) -> tuple[Condition, ...]:
        """Those that were typed, and those that the plain options stand for: there is one way to judge."""
        return (*plain_conditions(self), *parse(self.conditions, SUBJECTS))

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
        return Scrubber(secrets_of(self))
