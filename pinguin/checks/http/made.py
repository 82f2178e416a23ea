"""What is made of the options once, for all the checks of a monitor."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlencode

import httpx

from pinguin.checks.conditions import SEEN, Condition
from pinguin.checks.http import requests
from pinguin.checks.http.reading import form_pairs, status_range
from pinguin.checks.http.subjects import BODY, STATUS

if TYPE_CHECKING:
    from pinguin.checks.http.options import Options


def first_request(options: Options) -> httpx.Request:
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


def plain_conditions(options: Options) -> Iterator[Condition]:
    ranges = tuple(map(status_range, options.accepted_statuses))
    accepted = f"answered {SEEN}; accepted: {', '.join(options.accepted_statuses)}"
    yield Condition(STATUS, "in", ranges, complaint=accepted)
    if options.keyword:
        yield Condition(BODY, "contains", options.keyword)
    if options.keyword_absent:
        yield Condition(BODY, "contains", options.keyword_absent, negated=True)


def secrets_of(options: Options) -> Iterator[str]:
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
