"""The options of a webhook, and what may be wrong with them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Literal
from urllib.parse import parse_qsl

import httpx
import msgspec

from pinguin.alerts.contract import ChannelOptions
from pinguin.alerts.render import check
from pinguin.errors import InvalidInput
from pinguin.fields import Examples, field
from pinguin.fields.headers import written_twice

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_OURS = {"host", "content-length", "transfer-encoding", "connection", "idempotency-key", "x-pinguin-timestamp"}
_OURS |= {"x-pinguin-signature"}
PORTS = {"http": 80, "https": 443}

EXAMPLES: Examples = (
    (
        "The whole message as JSON, signed:",
        {"url": "https://hooks.example.org/pinguin", "signing_secret": "a long secret"},
    ),
    (
        "A body of your own, for a chat:",
        {
            "url": "https://chat.example.org/hooks/3a91",
            "body": '{"text": {{ (subject ~ "\\n" ~ item.url)|tojson }}}',
        },
    ),
    (
        "Plain text, with a header that says who asks:",
        {
            "url": "https://push.example.org/ops",
            "content": "text",
            "headers": {"Authorization": "Bearer 3f2a", "Title": "Pinguin"},
            "body": "{{ subject }}",
        },
    ),
    (
        "A service that wants everything in the URL:",
        {
            "url": "https://sms.example.org/send",
            "method": "GET",
            "parameters": {"to": "+15550100", "text": "{{ subject|truncate(140) }}"},
        },
    ),
)  # fmt: skip


class Options(ChannelOptions, frozen=True):
    url: Annotated[
        str,
        field(
            "URL", "Where the request goes. Kept secret, for such URLs often are a password.",
            secret=True, placeholder="https://…", min_length=1, max_length=2000,
        ),
    ]  # fmt: skip
    method: Annotated[Literal["POST", "PUT", "GET"], field("Method", "GET sends no body.")] = "POST"
    content: Annotated[Literal["json", "text"], field("Content", "What the body is.")] = "json"
    body: Annotated[
        str,
        field(
            "Body", "A template. Empty: the whole message as JSON, or its text.", widget="textarea", max_length=16384
        ),
    ] = ""
    headers: Annotated[
        dict[str, str], field("Headers", "Sent with it. Their values are kept secret.", secret=True, max_length=30)
    ] = msgspec.field(default_factory=dict)
    parameters: Annotated[
        dict[str, str],
        field("Parameters", "Added to the URL's query; their values are templates.", advanced=True, max_length=30),
    ] = msgspec.field(default_factory=dict)
    signing_secret: Annotated[
        str,
        field("Signing secret", "Signs time and body, for the receiver to verify.", secret=True, max_length=500),
    ] = ""
    verify_tls: Annotated[bool, field("Verify the certificate", "Off: any certificate will do.", advanced=True)] = True
    timeout_s: Annotated[float, field("Timeout", "For the whole request.", unit="s", ge=1, le=30, advanced=True)] = 10.0

    def __post_init__(self) -> None:
        InvalidInput.raise_for(_faults(self))

    def goes_to(self) -> Sequence[str]:
        url = httpx.URL(self.url)
        anybody = [] if self.verify_tls else ["any certificate"]
        return [f"{url.scheme}://{url.host}:{url.port or PORTS[url.scheme]}", *anybody]

    def target(self) -> str:
        url = httpx.URL(self.url)
        return f"{url.scheme}://{url.netloc.decode('ascii')}" + ("/…" if url.raw_path not in (b"", b"/") else "")


def secrets(options: Options) -> Iterable[str]:
    """The parts of the URL, besides the whole of it: a server that echoes a path echoes a password."""
    url = httpx.URL(options.url)
    path, _, query = url.raw_path.decode("ascii").partition("?")
    yield from (part for part in path.split("/") if len(part) >= 12 or any(letter.isdigit() for letter in part))
    yield from (value for _, value in parse_qsl(query))
    yield from (pair.partition("=")[2] for pair in query.split("&"))
    if path.strip("/"):
        yield path


# What can be wrong


def _faults(options: Options) -> Iterator[tuple[str, str | None]]:
    yield "url", _wrong_url(options.url)
    yield "headers", _wrong_headers(options.headers)
    yield "body", _wrong_template(options.body, options.content == "json")
    yield "body", "is not sent with GET; use parameters" if options.body and options.method == "GET" else None
    for source in options.parameters.values():
        yield "parameters", _wrong_template(source, False)


def _wrong_url(url: str) -> str | None:
    if url != url.strip() or any(ord(letter) < 33 for letter in url):
        return "must not contain spaces or control characters"
    try:
        parsed = httpx.URL(url)
    except (httpx.InvalidURL, ValueError):
        return "is not a valid URL"
    if parsed.scheme not in PORTS or not parsed.host:
        return "must begin with http:// or https:// and have a host"
    if parsed.port is not None and not 1 <= parsed.port <= 65535:
        return "has a port that is not between 1 and 65535"
    if parsed.userinfo:
        return "must not contain a user or password; put Authorization into the headers"
    return None


def _wrong_headers(headers: Mapping[str, str]) -> str | None:
    for name, value in headers.items():
        if not _TOKEN.fullmatch(name):
            return f"{name!r} is not a valid header name"
        if re.search(r"[\x00-\x08\x0a-\x1f\x7f]", value):
            return f"the value of {name} must not contain a line break"
        if name.lower() in _OURS:
            return f"{name} is set by Pinguin"
    return written_twice(headers)


def _wrong_template(source: str, json: bool) -> str | None:
    try:
        check(source, json=json)
    except InvalidInput as error:
        return error.fields["template"]
    return None
