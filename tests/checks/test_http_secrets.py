"""A canary in every secret option, and none of them in any report, however the check ends. TRAP 24"""

from __future__ import annotations

import asyncio
import json
from base64 import b64encode
from collections.abc import Awaitable, Callable
from html import escape
from typing import Any
from urllib.parse import urlencode

import msgspec
import pytest
from msgspec.structs import fields
from structlog.testing import capture_logs

from pinguin.checks import check_type
from pinguin.checks.http import Options
from pinguin.checks.runner import Report
from pinguin.errors import InvalidInput
from pinguin.scrub import Scrubber
from tests.checks.certificates import house, make, server
from tests.checks.conftest import Check
from tests.checks.proxies import http_proxy
from tests.checks.servers import Handler, answering, page, request_of, resetting, serving, silent
from tests.ports import free_port

ROOT, MIDDLE, LEAF = house()
MINE = make("me", ROOT, names=("me.test",))

QUERY = "canary-query-5f3a"
SECRETS: dict[str, Any] = {
    "headers": {"X-Key": "canary-header-77c1", "X-Auth": "Token canary-part-9e0d"},
    "cookies": {"session": "canary-cookie-a1b2"},
    "password": "canary-password-c3d4",
    "bearer_token": "canary-bearer-e5f6",
    "oauth_client_secret": "canary-client-0718",
    "proxy_password": "canary-proxy-293a",
    "client_key": MINE.key_pem,
}
CANARIES = [
    QUERY,
    "canary-header-77c1",
    "canary-part-9e0d",
    "canary-cookie-a1b2",
    "canary-password-c3d4",
    "canary-bearer-e5f6",
    "canary-client-0718",
    "canary-proxy-293a",
    "canary-token-4b5c",
    b64encode(b"me:canary-password-c3d4").decode(),
    b64encode(b"me:canary-proxy-293a").decode(),
    *MINE.key_pem.splitlines()[1:-1],
]


def test_every_secret_option_has_a_canary() -> None:
    secret = {item.name for item in fields(check_type("http").options) if item.type.__metadata__[0].extra["secret"]}
    assert secret == set(SECRETS)


async def echoing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Sends back all that it was sent, in the body, in JSON, in headers."""
    request = await request_of(reader)
    head = request.partition(b"\r\n\r\n")[0].decode()
    target = head.split()[1]
    body = json.dumps({"you_sent": head, "where": target})
    value = " ".join(head.split("\r\n")[1:])[:3000]
    writer.write(page(body.encode(), headers=f"X-Echo: {value}\r\nContent-Type: text/plain; x={target}\r\n"))
    await writer.drain()


async def providing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await request_of(reader)
    writer.write(page(b'{"access_token": "canary-token-4b5c", "expires_in": 99}'))
    await writer.drain()


async def failing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    request = await request_of(reader)
    body = b"Cannot " + request
    writer.write(page(body, "404 Not Found", "Set-Cookie: a=canary-cookie-a1b2\r\nWWW-Authenticate: Basic\r\n"))
    await writer.drain()


async def broken(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"canary-header-77c1 is no HTTP: " + await request_of(reader))
    await writer.drain()


async def breaking_off(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    body = b"Cannot " + await request_of(reader)
    writer.write(page(body + b"and more", headers="Set-Cookie: a=canary-cookie-a1b2\r\n")[: -len(b"and more")])
    await writer.drain()


async def sending_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    target = (await request_of(reader)).split()[1].decode()
    location = f"Location: /login/canary-bearer-e5f6{target}\r\n"
    writer.write(page(b"", "302 Found", location + "Set-Cookie: b=canary-cookie-a1b2\r\n"))
    await writer.drain()


ENDS: dict[str, Handler] = {
    "answers": echoing,
    "fails": failing,
    "breaks": broken,
    "breaks off": breaking_off,
    "redirects": sending_on,
    "resets": resetting,
    "is silent": silent,
}
KINDS: dict[str, dict[str, Any]] = {
    "basic": {"auth": "basic", "username": "me", "password": SECRETS["password"]},
    "digest": {"auth": "digest", "username": "me", "password": SECRETS["password"]},
    "bearer": {"auth": "bearer", "bearer_token": SECRETS["bearer_token"]},
    "oauth2": {"auth": "oauth2", "oauth_client_id": "me", "oauth_client_secret": SECRETS["oauth_client_secret"]},
}
LOOKS: dict[str, dict[str, Any]] = {
    "plainly": {},
    "closely": {
        "conditions": [
            "body contains nothing of the kind",
            "json $.you_sent missing",
            "json $ missing",
            "header x-echo missing",
            "header set-cookie missing",
            "redirect target missing",
            "warn size < 1 B",
        ]
    },
    "upside down": {"upside_down": True},
}


@pytest.fixture
def report_of(check: Check) -> Callable[..., Awaitable[Report]]:
    """One check with all secrets, in the clear or over TLS, straight or through a proxy, against `handler`."""

    async def one(
        handler: Handler, kind: str, *, secure: bool = False, proxied: bool = False, **options: Any
    ) -> Report:
        tls = server(LEAF, MIDDLE) if secure else None
        async with (
            serving(handler, tls) as port,
            serving(providing) as provider,
            serving(http_proxy([])) as proxy,
        ):
            whole = {
                "url": f"http{'s' if secure else ''}://127.0.0.1:{port}/?key={QUERY}",
                **SECRETS,
                "proxy_password": "",
                "username": "me",
                "client_certificate": MINE.pem,
                "ca_certificates": ROOT.pem,
                **KINDS[kind],
                **options,
            }
            if kind == "oauth2":
                whole["oauth_token_url"] = f"http://127.0.0.1:{provider}/?key={QUERY}"
            if proxied:
                whole |= {
                    "proxy": f"http://127.0.0.1:{proxy}",
                    "proxy_username": "me",
                    "proxy_password": SECRETS["proxy_password"],
                }
            return await check("http", timeout=0.15 if handler is silent else 60, **whole)

    return one


def leaks(*shown: object) -> list[str]:
    words = " ".join(map(repr, shown)) + "".join(msgspec.json.encode(each).decode() for each in shown)
    return [canary for canary in CANARIES if canary in words]


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("end", ENDS)
async def test_no_secret_in_any_report(
    report_of: Callable[..., Awaitable[Report]], end: str, kind: str, look: str
) -> None:
    ways: list[dict[str, bool]] = [{}] if end == "is silent" else [{}, {"secure": True}, {"proxied": True}]
    with capture_logs() as logs:
        reports = [await report_of(ENDS[end], kind, **way, **LOOKS[look]) for way in ways]

    assert leaks(*reports, logs) == []
    assert all(report.reason != "internal" for report in reports)


@pytest.mark.parametrize("sent", [page(b"x" * 99).replace(b"x" * 99, b"you sent "), b"HTTP/1.1 200 OK\r\nX-Echo: "])
async def test_a_secret_within_which_an_answer_breaks_off_is_hidden(
    report_of: Callable[..., Awaitable[Report]], sent: bytes
) -> None:
    report = await report_of(answering(sent + b"canary-header-77c"), "basic")

    assert report.reason == "reset"
    assert "[secret]" in repr(report.evidence)
    assert "canary" not in repr(report)


async def test_the_canaries_sing_where_nothing_hides_them(
    report_of: Callable[..., Awaitable[Report]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or else the test above would find nothing because there is nothing."""
    monkeypatch.setattr("pinguin.scrub.Scrubber.all", lambda self, value: value)
    monkeypatch.setattr("pinguin.scrub.Scrubber.text", lambda self, words: words)

    assert len(leaks(await report_of(failing, "basic"), await report_of(echoing, "bearer", **LOOKS["closely"]))) > 3


def test_what_a_cut_leaves_of_a_secret_is_hidden_too() -> None:
    scrubber = Scrubber(["canary-one", "canary-one-and-two", "abc", ""])

    assert scrubber.text("a canary-one-and-two b canary-one c abc") == "a [secret] b [secret] c abc"
    assert scrubber.text('seen "xcanary-one-a…", and canar…') == 'seen "x[secret]-a…", and [secret]…'
    assert scrubber.all({"canary-one": ["canary-one", 5, None, ("x canary…",)]}) == {
        "[secret]": ["[secret]", 5, None, ["x [secret]…"]]
    }
    assert not Scrubber(["abc"])


async def test_a_secret_is_hidden_as_json_addresses_and_pages_write_it(check: Check) -> None:
    secret = 'keyId="a/b", sig="c+d=é&e"'
    scrubber = Scrubber([]).and_also(secret)
    for written in (json.dumps({"you_sent": secret}), json.dumps([secret], ensure_ascii=False), escape(secret)):
        assert "c+d" not in scrubber.text(written)
    assert scrubber.text(f"/login?{urlencode({'next': secret})}") == "/login?next=[secret]"

    async with serving(echoing) as port:
        url = f"http://127.0.0.1:{port}/"
        report = await check("http", url=url, headers={"X-Sig": secret}, conditions=["json $.you_sent missing"])
        whole = await check("http", url=url, headers={"X-Sig": secret}, accepted_statuses=["404"])
    assert "keyId" not in repr(report)
    assert "keyId" not in repr(whole)


async def test_no_secret_where_nobody_answers(check: Check) -> None:
    port = free_port()
    for kind in KINDS.values():
        options = {"oauth_token_url": f"http://127.0.0.1:{port}/?a={QUERY}"} if kind["auth"] == "oauth2" else {}
        url = f"http://127.0.0.1:{port}/?key={QUERY}"
        assert leaks(await check("http", url=url, headers=SECRETS["headers"], **kind, **options)) == []


async def test_no_secret_where_a_certificate_is_refused(check: Check) -> None:
    tls = server(make("alone", names=("127.0.0.1",)))
    async with serving(echoing, tls) as port:
        report = await check(
            "http",
            url=f"https://127.0.0.1:{port}/?key={QUERY}",
            headers=SECRETS["headers"],
            client_certificate=MINE.pem,
            client_key=MINE.key_pem,
        )
    assert report.reason == "certificate"
    assert leaks(report) == []


def test_no_secret_in_what_is_printed_of_the_options_or_told_of_bad_ones() -> None:
    kind = check_type("http")
    options = kind.parse(
        {
            "url": f"https://example.org/?key={QUERY}",
            **SECRETS,
            "proxy_password": "",
            "username": "me",
            "client_certificate": MINE.pem,
        }
    )
    assert isinstance(options, Options)
    shown = [repr(options), options.target(), repr(options.route), repr(options.scrubber), repr(options.token_source)]
    for name, value in SECRETS.items():
        with pytest.raises(InvalidInput) as refused:
            kind.parse({"url": "", name: value})
        shown.append(repr(refused.value.fields))

    assert [canary for canary in CANARIES if any(canary in words for words in shown)] == []
