"""What can be wrong with the options, field by field, in words that say the fix."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

import httpx
import msgspec

from pinguin.checks.common import wrong_tls
from pinguin.checks.conditions.syntax import parse
from pinguin.checks.http import requests
from pinguin.checks.http.reading import form_pairs, parse_proxy, status_range
from pinguin.checks.http.route import DEFAULT_PORTS, host_of
from pinguin.checks.http.subjects import SUBJECTS
from pinguin.checks.verdict import wrong_host
from pinguin.fields.headers import written_twice

if TYPE_CHECKING:
    from pinguin.checks.http.options import Options

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_OURS = {"content-length", "transfer-encoding", "connection"}


def faults(options: Options) -> Iterator[tuple[str, str | None]]:
    yield "url", _wrong_url(options.url)
    yield "accepted_statuses", _wrong_statuses(options.accepted_statuses)
    yield "headers", _wrong_headers(options)
    yield "cookies", _wrong_cookies(options)
    yield "body", _wrong_body(options)
    yield "keyword", _without_body(options, bool(options.keyword or options.keyword_absent))
    yield "conditions", _wrong_conditions(options)
    yield from wrong_tls(options).items()
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
    if wrong_host(host_of(parsed)):
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
    return written_twice(options.headers)


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
