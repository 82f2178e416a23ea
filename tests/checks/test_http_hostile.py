"""Hostile servers: each ends with the right reason inside the timeout, in the clear and over TLS."""

from __future__ import annotations

import asyncio
import gzip
import math
import socket
import ssl
import struct
import time
import tracemalloc
import zlib
from collections.abc import Callable
from typing import Any

import pytest
import trustme

from pinguin.model import REASONS, Status
from tests.checks.conftest import Check, gone
from tests.checks.servers import Handler, answering, page, request_of, serving, silent

HEAD = b"HTTP/1.1 200 OK\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
TIMEOUT = 0.5


def cut(writer: asyncio.StreamWriter) -> None:
    """A RST instead of a FIN."""
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def resetting_after(*pieces: bytes, read: bool = True) -> Handler:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if read:
            await request_of(reader)
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0.02)  # so that the client has it before the reset takes it away
        cut(writer)

    return handler


def forever(piece: bytes, start: bytes = b"", pause: float | None = None) -> Handler:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_of(reader)
        writer.write(start)
        while True:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(pause or 0)

    return handler


async def half_open(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Says that it will send no more, and goes on listening."""
    await request_of(reader)
    if writer.can_write_eof():
        writer.write_eof()
    await asyncio.sleep(3600)


async def half_a_page_and_silence(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await request_of(reader)
    writer.write(HEAD + b"Content-Length: 100\r\n\r\nhalf")
    await asyncio.sleep(3600)


def packed(body: bytes, encoding: str = "gzip") -> bytes:
    return page(body, headers=f"Content-Encoding: {encoding}\r\n")


BOMB = gzip.compress(bytes(30_000_000))
HOSTILE: dict[str, tuple[Handler, str, str]] = {
    "endless body": (forever(b"x" * 65536, HEAD + b"\r\n"), "too_large", "larger than 100,000 bytes"),
    "endless chunks": (forever(b"1\r\nx\r\n" * 1000, CHUNKED), "too_large", "larger than 100,000 bytes"),
    "endless gzip": (
        forever(BOMB[:1000] + bytes(60000), HEAD + b"Content-Encoding: gzip\r\n\r\n"),
        "too_large",
        "larger",
    ),
    "slow drip of the body": (forever(b".", HEAD + b"\r\n", 0.02), "timeout", "reading the answer"),
    "slow drip of a header": (forever(b"x", HEAD + b"X: ", 0.02), "timeout", "reading the answer"),
    "slow drip of chunks": (forever(b"1\r\nx\r\n", CHUNKED, 0.02), "timeout", "reading the answer"),
    "half a page and silence": (half_a_page_and_silence, "timeout", "reading the answer"),
    "silence": (silent, "timeout", "waiting for the first byte"),
    "endless header": (forever(b"x" * 65536, HEAD + b"X: "), "too_large", "headers are larger"),
    "endless headers": (forever(b"X: y\r\n" * 1000, HEAD), "too_large", "headers are larger"),
    "endless status line": (forever(b"x" * 65536, b"HTTP/1.1 200 "), "too_large", "headers are larger"),
    "endless 100 Continue": (forever(b"HTTP/1.1 100 Continue\r\n\r\n" * 100), "too_large", "headers are larger"),
    "endless trailers": (forever(b"X: y\r\n" * 1000, CHUNKED + b"0\r\n"), "too_large", "headers are larger"),
    "endless chunk extension": (forever(b"x" * 65536, CHUNKED + b"5;"), "timeout", "reading the answer"),
    "endless empty lines": (forever(b"\r\n" * 10000), "too_large", "headers are larger"),
    "gzip bomb": (answering(packed(BOMB)), "too_large", "larger than 100,000 bytes"),
    "deflate bomb": (answering(packed(zlib.compress(bytes(30_000_000)), "deflate")), "too_large", "larger"),
    "many small gzips": (answering(packed(gzip.compress(b"") * 20_000)), "too_large", "larger"),
    "gzip then garbage": (answering(packed(gzip.compress(b"x") + b"garbage")), "protocol", "not packed the way"),
    "a negative length": (answering(HEAD + b"Content-Length: -1\r\n\r\n"), "protocol", "not valid HTTP"),
    "an enormous length": (answering(HEAD + b"Content-Length: " + b"9" * 40 + b"\r\n\r\n"), "protocol", "not valid"),
    "a length and no end": (answering(HEAD + b"Content-Length: 99\r\n\r\nx"), "reset", "after 1 of 99 bytes"),
    "two lengths": (answering(HEAD + b"Content-Length: 1\r\nContent-Length: 9\r\n\r\nx"), "protocol", "not valid"),
    "a chunk without an end": (answering(CHUNKED + b"FFFFFF\r\nabc"), "reset", "before the last chunk"),
    "a chunk of minus one": (answering(CHUNKED + b"-1\r\nabc"), "protocol", "chunks of the body are broken"),
    "a chunk beyond counting": (answering(CHUNKED + b"F" * 40 + b"\r\nabc"), "protocol", "chunks of the body"),
    "a chunk that lies": (answering(CHUNKED + b"3\r\nabcdef\r\n0\r\n\r\n"), "protocol", "chunks of the body"),
    "a status of four digits": (answering(b"HTTP/1.1 2000 OK\r\n\r\n"), "protocol", "not valid HTTP"),
    "no status": (answering(b"HTTP/1.1 OK\r\n\r\n"), "protocol", "not valid HTTP"),
    "HTTP/9.9": (answering(b"HTTP/9.9 200 OK\r\n\r\n"), "protocol", "not valid HTTP"),
    "HTTP/0.9": (answering(b"<html>hello</html>"), "protocol", "not valid HTTP"),
    "reset after the request": (resetting_after(), "reset", "reset the connection"),
    "reset in the headers": (resetting_after(HEAD + b"X:"), "reset", "reset the connection"),
    "reset in the body": (resetting_after(HEAD + b"Content-Length: 9\r\n\r\nx"), "reset", "reset the connection"),
    "reset in a chunk": (resetting_after(CHUNKED + b"5\r\nab"), "reset", "reset the connection"),
    "half open": (half_open, "reset", "without an answer"),
}


def patience(reason: str) -> float:
    """The timeout of a check that is to end so: a short one only where that is the reason."""
    return TIMEOUT if reason in ("timeout", "") else 60


@pytest.mark.parametrize("case", HOSTILE)
async def test_in_the_clear(check: Check, case: str, descriptors: Callable[[], int]) -> None:
    """At once, or with the timeout: this machine may be busy in some of five tries."""
    handler, reason, words = HOSTILE[case]
    before = descriptors()
    took: list[float] = []
    async with serving(handler) as port:
        while len(took) < 5 and min(took, default=math.inf) >= TIMEOUT + 0.5:
            began = time.perf_counter()
            report = await check(
                "http", url=f"http://127.0.0.1:{port}/", timeout=patience(reason), max_body_bytes=100_000
            )
            took.append(time.perf_counter() - began)

    assert (report.status, report.reason) == (Status.DOWN, reason), report.message
    assert words in str(report.message)
    assert min(took) < TIMEOUT + 0.5
    assert await gone(descriptors, before)


# TLS in asyncio's servers has no half-open sockets; of those that take the whole timeout, one will do.
OVER_TLS = [name for name in HOSTILE if name != "half open" and HOSTILE[name][1] != "timeout"] + ["silence"]


@pytest.mark.parametrize("case", OVER_TLS)
async def test_over_tls(check: Check, case: str, authority: trustme.CA, descriptors: Callable[[], int]) -> None:
    handler, reason, words = HOSTILE[case]
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    pem = authority.cert_pem.bytes().decode()
    async with serving(handler, tls) as port:
        report = await check(
            "http",
            url=f"https://127.0.0.1:{port}/",
            timeout=patience(reason),
            max_body_bytes=100_000,
            ca_certificates=pem,
        )

    assert (report.status, report.reason) == (Status.DOWN, reason), report.message
    assert words in str(report.message) or reason == "reset"  # asyncio's TLS servers end with a FIN in any case


async def reset_on_accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    cut(writer)


async def reset_in_the_handshake(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(10)
    writer.write(b"\x16\x03\x03\x00\x7a\x02")  # the beginning of a ServerHello
    await writer.drain()
    await asyncio.sleep(0.02)
    cut(writer)


async def closed_in_the_handshake(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(10)


async def plain_page(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(10)
    writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    await writer.drain()
    await reader.read()


async def alert(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(10)
    writer.write(b"\x15\x03\x03\x00\x02\x02\x28")
    await writer.drain()
    await reader.read()


HANDSHAKES: dict[str, tuple[Handler, str, str]] = {
    "reset on accept": (reset_on_accept, "reset", "the connection"),
    "reset in the handshake": (reset_in_the_handshake, "reset", "reset the connection"),
    "closed in the handshake": (closed_in_the_handshake, "", "clos"),
    "a page in the clear": (plain_page, "tls", "does not speak TLS"),
    "an alert": (alert, "tls", "handshake failure"),
    "silence": (silent, "timeout", "waiting for the TLS handshake"),
    "a drip": (forever(b"\x16"), "", ""),
}


@pytest.mark.parametrize("case", HANDSHAKES)
async def test_instead_of_a_handshake(check: Check, case: str, descriptors: Callable[[], int]) -> None:
    handler, reason, words = HANDSHAKES[case]
    before = descriptors()
    async with serving(handler) as port:
        report = await check("http", url=f"https://127.0.0.1:{port}/", timeout=patience(reason))

    assert report.status is Status.DOWN
    assert report.reason in ([reason] if reason else ("reset", "tls", "timeout"))
    assert words in str(report.message)
    assert await gone(descriptors, before)


async def test_plain_words_to_a_tls_port(check: Check, authority: trustme.CA) -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    async with serving(silent, tls) as port:
        report = await check("http", url=f"http://127.0.0.1:{port}/")

    assert (report.status, report.reason in ("reset", "protocol")) == (Status.DOWN, True), report.message


async def test_redirects_in_a_circle_and_ever_on(check: Check) -> None:
    circle = answering(page(b"", "302 Found", "Location: /\r\n"))
    number = 0

    async def ever_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal number
        number += 1
        await request_of(reader)
        writer.write(page(b"", "307 On", f"Location: /{'x' * 3000}{number}\r\n"))

    for handler in (circle, ever_on):
        async with serving(handler) as port:
            report = await check("http", url=f"http://127.0.0.1:{port}/", max_redirects=20)
        assert (report.status, report.reason) == (Status.DOWN, "redirect")
        assert len(report.evidence.get("hops", [])) <= 21


@pytest.mark.parametrize(
    "location",
    [
        b"//",
        b"http:///",
        b"\xff\xfe",
        b"http://\xc3\xbc",
        b"http://a:99999/",
        b"http://a b/",
        b"http://" + b"a" * 300,
        b"\\\\x",
        b"http://127.0.0.1:0/",
        b"h" * 60_000,
    ],
)
async def test_odd_locations_are_no_crash(check: Check, location: bytes) -> None:
    async with serving(answering(HEAD.replace(b"200", b"302") + b"Location: " + location + b"\r\n\r\n")) as port:
        report = await check("http", url=f"http://127.0.0.1:{port}/", max_redirects=2)

    assert report.status is Status.DOWN
    assert report.reason in ("redirect", "dns", "reset", "protocol", "refused", "unreachable"), report.message


ODD: dict[str, bytes] = {
    "invalid UTF-8": page(b"\xff\xfe hello \xc3"),
    "an unknown charset": page(b"hello", headers="Content-Type: text/html; charset=klingon\r\n"),
    "a charset that is no text": page(b"hello", headers="Content-Type: text/html; charset=hex\r\n"),
    "a costly charset": page(b"hello", headers="Content-Type: text/html; charset=punycode\r\n"),
    "invalid headers": page(b"hello", headers="X-A: \xff\x00\x01\r\nContent-Type: \xff\x00\r\n"),
    "a bad cookie": page(b"hello", headers="Set-Cookie: ;;=;=\r\nSet-Cookie: \xff\r\n"),
    "a cookie with a break": page(b"hello", headers='Set-Cookie: a="b\x01c"; Path=/\r\n'),
}


@pytest.mark.parametrize("oddity", ODD)
async def test_odd_texts_are_no_crash(check: Check, oddity: str) -> None:
    hop = ODD[oddity].replace(b"200 OK", b"302 Found").replace(b"Content-Length", b"Location: /next\r\nContent-Length")
    async with serving(answering(ODD[oddity])) as port, serving(answering(hop)) as first:
        url = f"http://127.0.0.1:{port}/"
        up = await check("http", url=url, keyword="hello", conditions=["header content-type not contains x-y"])
        down = await check("http", url=url, keyword="goodbye", conditions=["json $.a == 1", "header set-cookie exists"])
        around = await check("http", url=f"http://127.0.0.1:{first}/", max_redirects=1)

    assert up.status is Status.UP, up.message
    assert down.reason == "body"
    assert around.reason == "redirect"


async def test_a_bomb_takes_no_memory(check: Check) -> None:
    async with serving(answering(packed(gzip.compress(bytes(100_000_000))))) as port:
        await check("http", url=f"http://127.0.0.1:{port}/")
        tracemalloc.start()
        try:
            report = await check("http", url=f"http://127.0.0.1:{port}/", max_body_bytes=2_000_000, keyword="x")
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    assert report.reason == "too_large"
    assert peak < 12_000_000


@pytest.mark.parametrize("handler", [silent, half_open, half_a_page_and_silence, forever(b".", HEAD + b"\r\n", 0.01)])
async def test_cancelling_at_any_phase_leaves_no_descriptor(
    check: Check, descriptors: Callable[[], int], handler: Handler, authority: trustme.CA
) -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    before = descriptors()
    async with serving(handler) as plain, serving(handler, tls) as secure:
        urls = [f"http://127.0.0.1:{plain}/", f"https://127.0.0.1:{secure}/"]
        more: list[dict[str, Any]] = [{}, {"http2": True}, {"proxy": f"socks5://127.0.0.1:{plain}"}]
        for wait in (0.0, 0.01, 0.1):
            tasks = [
                asyncio.create_task(check("http", url=url, verify_tls=False, **options))
                for url in urls
                for options in more
            ]
            await asyncio.sleep(wait)
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
    assert await gone(descriptors, before)


def test_every_reason_here_is_a_known_one() -> None:
    assert {reason for _, reason, _ in HOSTILE.values()} <= set(REASONS)


async def test_hostile_servers_hold_up_nobody(check: Check) -> None:
    """Nor slow anybody down: this machine may be busy in some of five tries."""
    endless = forever(b"x" * 65536, HEAD + b"\r\n")
    latencies: list[float] = []
    async with serving(endless) as one, serving(silent) as other, serving(answering(page())) as honest:
        while len(latencies) < 5 and min(latencies, default=math.inf) >= 400:
            urls = [f"http://127.0.0.1:{one}/"] * 10 + [f"http://127.0.0.1:{other}/"] * 50
            hostile = [asyncio.create_task(check("http", url=url)) for url in urls]
            await asyncio.sleep(0.05)
            good = await check("http", url=f"http://127.0.0.1:{honest}/")
            assert good.status is Status.UP
            assert not any(task.done() for task in hostile[10:])
            latencies.append(good.latency_ms or math.inf)
            for task in hostile:
                task.cancel()
            await asyncio.wait(hostile)

    assert min(latencies) < 400


async def test_what_came_of_an_answer_that_broke_off_is_evidence(check: Check) -> None:
    """What sent it (a proxy, say), and how far it came; never a cookie."""
    head = b"HTTP/1.1 200 OK\r\nServer: edge-7\r\nSet-Cookie: id=1\r\nContent-Length: 500\r\n\r\n"
    async with serving(answering(head + b"Welcome")) as port:
        report = await check("http", url=f"http://127.0.0.1:{port}/")

    assert (report.status, report.reason) == (Status.DOWN, "reset")
    assert (report.evidence["status_code"], report.evidence["body_sample"]) == (200, "Welcome…")
    assert report.evidence["headers"]["server"] == "edge-7"
    assert report.evidence["headers"]["set-cookie"] == "…"
