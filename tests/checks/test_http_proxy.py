from __future__ import annotations

import asyncio
import ssl
from base64 import b64encode

import pytest
import trustme

from pinguin.model import Status
from tests.checks.conftest import Check
from tests.checks.proxies import http_proxy, socks_proxy
from tests.checks.servers import answering, page, recording, serving, silent
from tests.ports import free_port


def tls_for(authority: trustme.CA, *names: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names).configure_cert(context)
    return context


async def test_a_plain_page_through_an_http_proxy(check: Check) -> None:
    asked: list[bytes] = []
    got: list[bytes] = []
    async with serving(recording(got, page())) as port, serving(http_proxy(asked)) as proxy:
        report = await check(
            "http",
            url=f"http://only-the-proxy-knows.test:{port}/a?b=c",
            proxy=f"http://127.0.0.1:{proxy}",
            proxy_username="me",
            proxy_password="hush",
        )

    assert report.status is Status.UP
    assert asked[0].startswith(f"GET http://only-the-proxy-knows.test:{port}/a?b=c HTTP/1.1\r\n".encode())
    assert b"proxy-authorization: Basic " + b64encode(b"me:hush") in asked[0]
    assert report.evidence["proxy"] == f"http://127.0.0.1:{proxy}"
    assert "address" not in report.evidence
    assert set(report.phases) == {"connect", "first_byte", "transfer"}


async def test_a_secure_page_through_an_http_proxy(check: Check, authority: trustme.CA) -> None:
    asked: list[bytes] = []
    got: list[bytes] = []
    async with (
        serving(recording(got, page()), tls_for(authority, "only.test")) as port,
        serving(http_proxy(asked)) as proxy,
    ):
        report = await check(
            "http",
            url=f"https://only.test:{port}/",
            proxy=f"http://127.0.0.1:{proxy}",
            proxy_username="me",
            proxy_password="hush",
            ca_certificates=authority.cert_pem.bytes().decode(),
        )

    assert report.status is Status.UP, report.message
    assert asked[0].startswith(f"CONNECT only.test:{port} HTTP/1.1\r\n".encode())
    assert b"Proxy-Authorization: Basic " + b64encode(b"me:hush") in asked[0]
    assert b"proxy-authorization" not in got[0].lower()
    assert got[0].startswith(b"GET / HTTP/1.1\r\n")
    assert report.evidence["certificate"]["covers_host"]
    assert "tls" in report.phases


@pytest.mark.parametrize("login", [None, (b"me", b"hush")])
async def test_socks(check: Check, authority: trustme.CA, login: tuple[bytes, bytes] | None) -> None:
    asked: list[str] = []
    options = {"proxy_username": "me", "proxy_password": "hush"} if login else {}
    async with (
        serving(answering(page())) as plain,
        serving(answering(page()), tls_for(authority, "only.test")) as secure,
        serving(socks_proxy(asked, login=login)) as proxy,
    ):
        options["proxy"] = f"socks5://127.0.0.1:{proxy}"
        pem = authority.cert_pem.bytes().decode()
        reports = [
            await check("http", url=f"http://only.test:{plain}/", **options),
            await check("http", url=f"https://only.test:{secure}/", ca_certificates=pem, **options),
            await check("http", url=f"http://127.0.0.1:{plain}/", **options),
            await check("http", url=f"http://[::1]:{plain}/", **options),
        ]

    assert [report.status for report in reports] == [Status.UP] * 4
    assert asked == [f"only.test:{plain}", f"only.test:{secure}", f"7f000001:{plain}", f"{'0' * 31}1:{plain}"]


async def test_a_proxy_that_is_not_there(check: Check) -> None:
    port = free_port()
    report = await check("http", url="http://only.test/", proxy=f"socks5://127.0.0.1:{port}")

    assert (report.status, report.reason) == (Status.DOWN, "refused")
    assert str(report.message).startswith(f"the proxy socks5://127.0.0.1:{port} does not answer: connection refused")


@pytest.mark.parametrize(
    ("answer", "reason", "words"),
    [
        (b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", "status", "it answered 407"),
        (b"HTTP/1.1 502 Bad Gateway\r\n\r\n", "unreachable", "it answered 502"),
        (b"SSH-2.0\r\n\r\n", "protocol", "does not answer in HTTP"),
        (b"HTTP/1.1 200 OK\r\n", "reset", "without an answer"),
        (b"HTTP/1.1 200 OK\r\n\r\nand more", "protocol", "sends more than its answer"),
        (b"X" * 20_000, "too_large", "larger than 16 KiB"),
    ],
)
async def test_an_http_proxy_that_does_not_connect(check: Check, answer: bytes, reason: str, words: str) -> None:
    async with serving(answering(answer)) as proxy:
        report = await check("http", url="https://only.test/", proxy=f"http://127.0.0.1:{proxy}")

    assert (report.status, report.reason) == (Status.DOWN, reason)
    assert words in str(report.message)


@pytest.mark.parametrize(
    ("code", "reason"), [(1, "unreachable"), (4, "unreachable"), (5, "refused"), (99, "unreachable")]
)
async def test_a_socks_proxy_that_does_not_connect(check: Check, code: int, reason: str) -> None:
    async with serving(socks_proxy([], code=code)) as proxy:
        report = await check("http", url="http://only.test/", proxy=f"socks5://127.0.0.1:{proxy}")

    assert (report.status, report.reason) == (Status.DOWN, reason)
    assert "does not connect to only.test:80" in str(report.message)


async def test_a_socks_proxy_that_wants_another_password(check: Check) -> None:
    async with serving(socks_proxy([], login=(b"me", b"right"))) as proxy:
        url = f"socks5://127.0.0.1:{proxy}"
        wrong = await check("http", url="http://a.test/", proxy=url, proxy_username="me", proxy_password="wrong")
        none = await check("http", url="http://a.test/", proxy=url)

    assert (wrong.reason, none.reason) == ("status", "status")
    assert "does not accept the user and password" in str(wrong.message)
    assert "wants another user and password" in str(none.message)


async def test_something_else_where_a_socks_proxy_should_be(check: Check) -> None:
    async def talkative(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example.test ESMTP\r\n")
        await reader.read()

    async with serving(talkative) as proxy:
        other = await check("http", url="http://a.test/", proxy=f"socks5://127.0.0.1:{proxy}")
    async with serving(silent) as proxy:
        mute = await check("http", url="http://a.test/", proxy=f"socks5://127.0.0.1:{proxy}", timeout=0.3)

    assert other.reason == "protocol"
    assert (mute.reason, "waiting for the proxy to connect to a.test" in str(mute.message)) == ("timeout", True)
