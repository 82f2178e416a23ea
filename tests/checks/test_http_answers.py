"""What servers answer: packed, odd, broken, without an end."""

from __future__ import annotations

import asyncio
import gzip
import zlib

import pytest

from pinguin.model import Status
from tests.checks.conftest import Check
from tests.checks.servers import Handler, answering, page, request_of, resetting, serving


async def test_a_slow_drip_hits_the_timeout(check: Check) -> None:  # TRAP 14
    drip = answering(b"HTTP/1.1 200 OK\r\n\r\n", *[b"."] * 1000, pause=0.02)
    async with serving(drip) as port:
        report = await check("http", url=f"http://127.0.0.1:{port}/", timeout=0.4)

    assert (report.status, report.reason) == (Status.DOWN, "timeout")
    assert "reading the answer" in str(report.message)


async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await request_of(reader)
    writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        writer.write(b"x" * 65536)
        await writer.drain()


async def test_an_endless_body_is_capped(check: Check) -> None:  # TRAP 14
    async with serving(endless) as port:
        report = await check("http", url=f"http://127.0.0.1:{port}/", max_body_bytes=200_000)

    assert (report.status, report.reason) == (Status.DOWN, "too_large")
    assert report.message == "the body is larger than 200,000 bytes"


async def test_a_gzip_bomb_is_capped(check: Check) -> None:  # TRAP 14
    bomb = gzip.compress(bytes(50_000_000))
    async with serving(answering(page(bomb, headers="Content-Encoding: gzip\r\n"))) as port:
        report = await check("http", url=f"http://127.0.0.1:{port}/", max_body_bytes=100_000, keyword="x")

    assert (report.status, report.reason) == (Status.DOWN, "too_large")


RAW_DEFLATE = zlib.compressobj(wbits=-15)


PACKED = {
    "gzip": gzip.compress(b"a keyword here"),
    "gzip ": gzip.compress(b"a key") + gzip.compress(b"word here"),
    "deflate": zlib.compress(b"a keyword here"),
    "Deflate": RAW_DEFLATE.compress(b"a keyword here") + RAW_DEFLATE.flush(),
}


@pytest.mark.parametrize("encoding", PACKED)
async def test_packed_bodies_are_searched_unpacked(check: Check, encoding: str) -> None:
    body = PACKED[encoding]
    async with serving(answering(page(body, headers=f"Content-Encoding: {encoding}\r\n"))) as port:
        report = await check("http", url=f"http://127.0.0.1:{port}/", keyword="keyword")

    assert report.status is Status.UP
    assert report.evidence["body_bytes"] == 14


LIES: dict[str, tuple[Handler, str, str]] = {
    "content-length too long": (
        answering(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n0123456789"),
        "reset",
        "after 10 of 100 bytes",
    ),
    "content-length not a number": (
        answering(b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"),
        "protocol",
        "not valid HTTP",
    ),
    "two lengths": (
        answering(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab"),
        "protocol",
        "not valid HTTP",
    ),
    "broken chunks": (
        answering(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nzz\r\n"),
        "protocol",
        "chunks",
    ),
    "no last chunk": (
        answering(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"),
        "reset",
        "before the last chunk",
    ),
    "not HTTP": (answering(b"SSH-2.0-OpenSSH_9.2p1\r\n"), "protocol", "not valid HTTP"),
    "closed without a byte": (answering(), "reset", "without an answer"),
    "closed in the headers": (answering(b"HTTP/1.1 200 OK\r\nServ"), "reset", "in the middle of the headers"),
    "reset": (resetting, "reset", "reset the connection"),
    "not gzip": (answering(page(b"plain", headers="Content-Encoding: gzip\r\n")), "protocol", "not packed"),
    "half gzip": (
        answering(page(gzip.compress(bytes(100))[:-12], headers="Content-Encoding: gzip\r\n")),
        "protocol",
        "ends too early",
    ),
    "giant header": (answering(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200_000), "too_large", "headers"),
    "giant headers": (answering(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 40_000 + b"\r\n"), "too_large", "headers"),
    "endless early hints": (answering(b"HTTP/1.1 103 Early Hints\r\n\r\n" * 9000), "too_large", "headers"),
}


@pytest.mark.parametrize("lie", LIES)
async def test_a_server_that_lies_is_down_with_the_right_reason(check: Check, lie: str) -> None:
    handler, reason, words = LIES[lie]
    async with serving(handler) as port:
        report = await check("http", url=f"http://127.0.0.1:{port}/")

    assert (report.status, report.reason) == (Status.DOWN, reason)
    assert words in str(report.message)


async def test_what_was_seen_of_a_broken_answer_is_kept(check: Check) -> None:
    async with serving(LIES["not HTTP"][0]) as port:
        garbage = await check("http", url=f"http://127.0.0.1:{port}/")
    async with serving(LIES["broken chunks"][0]) as port:
        broken = await check("http", url=f"http://127.0.0.1:{port}/")

    assert garbage.evidence["answer_sample"] == "SSH-2.0-OpenSSH_9.2p1\r\n"
    assert broken.evidence["status_code"] == 200


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


ODD_BUT_FINE: dict[str, bytes] = {
    "no length, closed": b"HTTP/1.0 200 OK\r\n\r\nhello",
    "bare line feeds": b"HTTP/1.1 200 OK\nContent-Length: 5\n\nhello",
    "no reason phrase": b"HTTP/1.1 200\r\nContent-Length: 5\r\n\r\nhello",
    "early hints first": b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + page(b"hello"),
    "length too short": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello, and more",
    "chunks with extensions": CHUNKED + b"5;a=b\r\nhello\r\n0\r\nTrailer: x\r\n\r\n",
}


@pytest.mark.parametrize("oddity", ODD_BUT_FINE)
async def test_what_every_browser_shows_is_up(check: Check, oddity: str) -> None:
    async with serving(answering(ODD_BUT_FINE[oddity])) as port:
        report = await check("http", url=f"http://127.0.0.1:{port}/", keyword="hello")

    assert report.status is Status.UP
    assert report.evidence["body_bytes"] == 5


async def test_an_answer_of_two_bytes_a_time_is_read_whole(check: Check) -> None:
    whole = page(b"hello")
    async with serving(answering(*[whole[i : i + 2] for i in range(0, len(whole), 2)], pause=0.001)) as port:
        assert (await check("http", url=f"http://127.0.0.1:{port}/", keyword="hello")).status is Status.UP


async def test_a_charset_that_nobody_knows_is_no_crash(check: Check) -> None:
    async with serving(answering(page(b"hello", headers="Content-Type: text/html; charset=klingon\r\n"))) as port:
        assert (await check("http", url=f"http://127.0.0.1:{port}/", keyword="hello")).status is Status.UP


async def test_an_answer_before_the_request_was_read_is_what_counts(check: Check) -> None:
    async def hasty(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(page(b"", "413 Too Large"))
        await writer.drain()

    async with serving(hasty) as port:
        report = await check("http", url=f"http://127.0.0.1:{port}/", method="POST", body="x" * 60_000)

    assert report.reason in ("status", "reset")  # the kernel may throw away what it had when the server resets
