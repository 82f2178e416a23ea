"""Requests: how they are made, where a redirect leads, what of a URL may be shown."""

from __future__ import annotations

import re
import secrets
from base64 import b64encode
from collections.abc import Mapping
from email.message import Message
from http.cookiejar import CookieJar
from urllib.request import Request

import httpx

from pinguin.checks.engine.answer import Answer
from pinguin.checks.http.route import DEFAULT_PORTS, host_of, without_zone
from pinguin.checks.verdict import wrong_host
from pinguin.errors import CheckFailed

AGENT = "Pinguin/0.1"
REDIRECTS = {301, 302, 303, 307, 308}
_HARMLESS = {b"accept", b"accept-encoding", b"accept-language", b"user-agent", b"cache-control", b"connection"}
_OF_THE_BODY = {b"content-length", b"content-type"}
_BREAKS = re.compile(rb"[\x00-\x1f]")
_ANEW = {b"host", b"content-length", b"cookie"}


def parse_url(url: str) -> httpx.URL:
    """`url` without its fragment. Raises httpx.InvalidURL."""
    return httpx.URL(url).copy_with(fragment=None)


def shown(url: httpx.URL) -> str:
    """`url` without what may be secret: a user, a password, a query, a fragment. TRAP 20, TRAP 24"""
    host = f"[{url.host}]" if ":" in url.host else url.host
    port = f":{url.port}" if url.port else ""
    path, query, _ = url.raw_path.decode("ascii").partition("?")
    return f"{url.scheme}://{host}{port}{path}{query and '?…'}"


def origin(url: httpx.URL) -> tuple[str, str, int]:
    return url.scheme, url.host, url.port or DEFAULT_PORTS[url.scheme]


def origin_shown(url: httpx.URL) -> str:
    """`https://shop.example:443`; of any scheme."""
    host = f"[{url.host}]" if ":" in url.host else url.host
    port = url.port or DEFAULT_PORTS.get(url.scheme)
    return f"{url.scheme}://{host}" + (f":{port}" if port else "")


def make(method: str, url: httpx.URL, headers: Mapping[str, str], content: bytes = b"") -> httpx.Request:
    # As bytes: httpx takes texts for ASCII, and fails on others.
    raw = [(name.encode("ascii"), value.encode("utf-8")) for name, value in headers.items()]
    return _new(method, url, raw, content)


def _new(method: str, url: httpx.URL, headers: list[tuple[bytes, bytes]], content: bytes) -> httpx.Request:
    if "%" in url.host and not any(name.lower() == b"host" for name, _ in headers):
        headers = [(b"Host", without_zone(url.netloc)), *headers]
    return httpx.Request(method, url, headers=headers, content=content or None)


def with_header(request: httpx.Request, name: str, value: str) -> httpx.Request:
    """`request` anew: the one that the options keep is every check's."""
    headers = [item for item in request.headers.raw if item[0].lower() != name.encode()]
    headers.append((name.encode(), value.encode("utf-8")))
    return httpx.Request(request.method, request.url, headers=headers, content=request.content or None)


def past_caches(request: httpx.Request) -> httpx.Request:
    """`request` with a parameter that no cache has seen."""
    url = str(request.url)
    unique = f"{'&' if request.url.query else '?'}pinguin={secrets.token_hex(8)}"
    return httpx.Request(
        request.method, httpx.URL(url + unique), headers=request.headers.raw, content=request.content or None
    )


def basic(username: str, password: str) -> str:
    return f"Basic {b64encode(f'{username}:{password}'.encode()).decode()}"


def cookie_header(cookies: Mapping[str, str]) -> str:
    return "; ".join(f"{name}={value}" for name, value in cookies.items())


class Jar:
    """The cookies of one check: those of its options, for their origin, and those that its answers set."""

    def __init__(self, own: Mapping[str, str], home: httpx.URL) -> None:
        self._own = own
        self._home = origin(home)
        self._set: CookieJar | None = None

    def keep(self, url: httpx.URL, answer: Answer) -> None:
        """What the answer from `url` sets."""
        values = [value for name, value in answer.headers if name.lower() == b"set-cookie"]
        if values:
            self._set = self._set if self._set is not None else CookieJar()
            self._set.extract_cookies(_Reply(values), Request(str(url)))  # type: ignore[arg-type]  # noqa: S310

    def header(self, url: httpx.URL) -> bytes:
        """The value of Cookie for a request to `url`, or b"" where there is nothing to send."""
        found = {}
        if origin(url) == self._home:
            found = {name.encode(): value.encode() for name, value in self._own.items()}
        if self._set is not None:
            request = Request(str(url))  # noqa: S310
            self._set.add_cookie_header(request)
            sent = (request.get_header("Cookie") or "").encode("latin-1", "replace")
            found |= dict(pair.partition(b"=")[::2] for pair in sent.split(b"; ") if pair and not _BREAKS.search(pair))
        return b"; ".join(name + b"=" + value for name, value in found.items())


class _Reply:
    """As much of urllib's response as a cookie jar looks at."""

    def __init__(self, values: list[bytes]) -> None:
        self._message = Message()
        for value in values:
            self._message["Set-Cookie"] = value.decode("latin-1")

    def info(self) -> Message:
        return self._message


def redirected(request: httpx.Request, answer: Answer) -> httpx.URL | None:
    """Where `answer` leads to, or None where it leads nowhere. Raises CheckFailed("redirect")."""
    location = answer.header("location") if answer.status in REDIRECTS else None
    if location is None:
        return None
    try:
        url = request.url.join(location)
    except (httpx.InvalidURL, ValueError):
        raise CheckFailed("redirect", "redirected to something that is not a URL") from None
    if url.scheme not in DEFAULT_PORTS or not url.host or wrong_host(host_of(url)):
        raise CheckFailed("redirect", f"redirected to a URL that is not for the web: {url.scheme}:…")
    if url.port is not None and not 1 <= url.port <= 65535:  # the system would take it for another one
        raise CheckFailed("redirect", f"redirected to port {url.port}, which there is not")
    return url.copy_with(username=None, password=None, fragment=None) if url.userinfo or url.fragment else url


def next_request(request: httpx.Request, answer: Answer, url: httpx.URL, jar: Jar) -> httpx.Request:
    """The request after a redirect to `url`, its method and headers as browsers have them."""
    method, content, status = request.method, request.content, answer.status
    dropped = set(_ANEW)
    if (status == 303 and method != "HEAD") or (status in (301, 302) and method == "POST"):
        method, content = "GET", b""
        dropped |= _OF_THE_BODY
    headers = [item for item in request.headers.raw if item[0].lower() not in dropped]
    if origin(url) != origin(request.url):
        # Keys and passwords in headers are for the host that the monitor names, not for wherever it points to.
        kept = _HARMLESS | _OF_THE_BODY if content else _HARMLESS
        headers = [item for item in headers if item[0].lower() in kept]
    cookies = jar.header(url)
    if cookies:
        headers.append((b"cookie", cookies))
    return _new(method, url, headers, content)
