from __future__ import annotations

import asyncio
import gzip
import socket
import zlib
from base64 import b64encode
from collections.abc import Callable

import pytest

from pinguin.model import Status
from tests.checks.conftest import Check, gone
from tests.checks.servers import (
    Handler,
    answering,
    full_backlog,
    page,
    recording,
    request_of,
    resetting,
    serving,
    silent,
)
from tests.ports import free_port


async def test_an_answering_page_is_up_with_phases_and_evidence(check: Check) -> None:
    async with serving(answering(page(b"hello", headers="Content-Type: text/plain\r\n"))) as port:
        report = await check("http", url=f"http://127.0.0.1:{port}/")

    assert (report.status, report.reason, report.message) == (Status.UP, None, None)
    assert set(report.phases) == {"connect", "first_byte", "transfer"}
    assert report.latency_ms
    assert report.latency_ms >= sum(report.phases.values()) - 0.1
    assert report.evidence == {
        "address": f"127.0.0.1:{port}",
        "status_code": 200,
        "http_version": "HTTP/1.1",
        "body_bytes": 5,
        "content_type": "text/plain",
    }


async def test_a_name_is_looked_up_and_the_look_up_is_timed(check: Check) -> None:
    async with serving(answering(page())) as port:
        report = await check("http", url=f"http://localhost:{port}/", ip_version="4")

    assert report.status is Status.UP
    assert report.phases["dns"] > 0


async def test_the_second_address_of_a_name_is_tried_when_the_first_refuses(check: Check) -> None:
    # `localhost` is ::1 first where the hosts file says so; our server listens on 127.0.0.1 alone.
    async with serving(answering(page())) as port:
        report = await check("http", url=f"http://localhost:{port}/")

    assert report.status is Status.UP
    assert report.evidence["address"] == f"127.0.0.1:{port}"


async def test_ipv6(check: Check) -> None:
    async with serving(answering(page()), host="::1") as port:
        report = await check("http", url=f"http://[::1]:{port}/")

    assert report.status is Status.UP
    assert report.evidence["address"] == f"[::1]:{port}"


async def test_an_address_of_the_other_ip_version_is_a_failure_of_the_name(check: Check) -> None:
    report = await check("http", url="http://127.0.0.1:1/", ip_version="6")

    assert (report.status, report.reason) == (Status.DOWN, "dns")


async def test_what_is_sent(check: Check) -> None:
    seen: list[bytes] = []
    async with serving(recording(seen, page())) as port:
        await check(
            "http",
            url=f"http://127.0.0.1:{port}/a%20b?c=d#part",
            method="POST",
            body="körper",
            headers={"X-Key": "schlüssel"},
            username="me",
            password="secret",
        )

    head, _, body = seen[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /a%20b?c=d HTTP/1.1\r\n")
    assert f"host: 127.0.0.1:{port}".encode() in head.lower()
    assert b"authorization: Basic " + b64encode(b"me:secret") in head
    assert "x-key: schlüssel".encode() in head
    assert b"connection: close" in head
    assert body == "körper".encode()


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
async def test_every_method_is_sent_as_it_is_called(check: Check, method: str) -> None:
    seen: list[bytes] = []
    answer = page()[:-5] if method == "HEAD" else page()
    async with serving(recording(seen, answer)) as port:
        report = await check("http", url=f"http://127.0.0.1:{port}/", method=method)

    assert report.status is Status.UP
    assert seen[0].startswith(method.encode() + b" / HTTP/1.1\r\n")


async def test_nobody_listens(check: Check) -> None:
    port = free_port()
    report = await check("http", url=f"http://127.0.0.1:{port}/")

    assert (report.status, report.reason, report.latency_ms) == (Status.DOWN, "refused", None)
    assert str(report.message).startswith(f"connection refused by 127.0.0.1:{port} after ")


async def test_a_name_that_does_not_exist(check: Check) -> None:
    report = await check("http", url="http://name.invalid/", timeout=20)

    assert (report.status, report.reason) == (Status.DOWN, "dns")
    assert "name.invalid" in str(report.message)


async def test_the_connection_itself_is_not_answered(check: Check) -> None:
    with full_backlog() as port:
        report = await check("http", url=f"http://127.0.0.1:{port}/", timeout=0.3)

    assert (report.status, report.reason) == (Status.DOWN, "timeout")
    assert report.message == "no answer within 0.3 s (waiting for the connection)"


async def test_accepted_but_never_answered(check: Check) -> None:  # TRAP 1
    async with serving(silent) as port:
        report = await check("http", url=f"http://127.0.0.1:{port}/", timeout=0.3)

    assert (report.status, report.reason, report.latency_ms) == (Status.DOWN, "timeout", None)
    assert "connected after" in str(report.message)
    assert "waiting for the first byte" in str(report.message)
    assert "connect" in report.phases


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
    assert report.message == "the body is larger than 200000 bytes"


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


async def test_a_status_that_is_not_accepted_keeps_a_sample_of_the_body(check: Check) -> None:
    async with serving(answering(page(b"no \x00 database\xff" + b"x" * 5000, "503 Sorry"))) as port:
        report = await check("http", url=f"http://127.0.0.1:{port}/")

    assert (report.status, report.reason) == (Status.DOWN, "status")
    assert report.message == "answered 503 Service Unavailable; accepted: 200-299"
    assert report.latency_ms
    assert report.evidence["body_sample"].startswith("no \ufffd database")
    assert len(report.evidence["body_sample"]) <= 500


async def test_accepted_statuses_are_codes_and_ranges(check: Check) -> None:
    async with serving(answering(page(b"", "404 Not Found"))) as port:
        report = await check("http", url=f"http://127.0.0.1:{port}/", accepted_statuses=["200-299", "404"])

    assert report.status is Status.UP


async def test_keywords(check: Check) -> None:
    async with serving(
        answering(page("Wir öffnen um acht".encode("latin-1"), headers="Content-Type: text/html; charset=latin-1\r\n"))
    ) as port:
        url = f"http://127.0.0.1:{port}/"
        found = await check("http", url=url, keyword="öffnen")
        missing = await check("http", url=url, keyword="schließen")
        unwanted = await check("http", url=url, keyword_absent="acht")
        absent = await check("http", url=url, keyword_absent="neun")

    assert (found.status, absent.status) == (Status.UP, Status.UP)
    assert (missing.reason, missing.message) == ("body", "the body does not contain “schließen”")
    assert (unwanted.reason, unwanted.message) == ("body", "the body contains “acht”")
    assert unwanted.evidence["body_sample"] == "Wir öffnen um acht"


async def test_a_charset_that_nobody_knows_is_no_crash(check: Check) -> None:
    async with serving(answering(page(b"hello", headers="Content-Type: text/html; charset=klingon\r\n"))) as port:
        assert (await check("http", url=f"http://127.0.0.1:{port}/", keyword="hello")).status is Status.UP


async def test_slower_than_the_limit_is_degraded(check: Check) -> None:
    async with serving(answering(b"HTTP/1.1 200 OK\r\n\r\n", b"x", pause=0.03)) as port:
        report = await check("http", url=f"http://127.0.0.1:{port}/", slow_ms=10)

    assert (report.status, report.reason) == (Status.DEGRADED, "slow")


async def test_redirects_are_followed_on_fresh_connections_and_listed(check: Check) -> None:
    seen: list[bytes] = []
    hop = page(b"", "302 Found", "Location: /second?token=hush\r\n")
    async with serving(recording(seen, hop, page())) as port:
        report = await check("http", url=f"http://127.0.0.1:{port}/first")

    assert report.status is Status.UP
    assert [line.split()[1] for line in seen] == [b"/first", b"/second?token=hush"]
    hops = report.evidence["hops"]
    assert [(hop["url"], hop["status"], hop["address"]) for hop in hops] == [
        (f"http://127.0.0.1:{port}/first", 302, f"127.0.0.1:{port}"),
        (f"http://127.0.0.1:{port}/second?…", 200, f"127.0.0.1:{port}"),
    ]
    assert [set(hop["phases"]) for hop in hops] == [{"connect", "first_byte", "transfer"}] * 2
    for phase, spent in report.phases.items():
        assert sum(hop["phases"][phase] for hop in hops) == pytest.approx(spent, abs=0.01)
    assert "hush" not in repr(report)


async def test_redirects_have_a_limit(check: Check) -> None:
    seen: list[bytes] = []
    async with serving(recording(seen, page(b"", "302 Found", "Location: /again?key=hush\r\n"))) as port:
        report = await check("http", url=f"http://127.0.0.1:{port}/", max_redirects=3)

    assert (report.status, report.reason) == (Status.DOWN, "redirect")
    assert report.message == f"more than 3 redirects; the next one leads to http://127.0.0.1:{port}/again?…"
    assert len(seen) == 4
    assert report.latency_ms


async def test_a_redirect_is_an_answer_where_none_is_followed_or_its_status_is_accepted(check: Check) -> None:
    async with serving(answering(page(b"", "301 Moved", "Location: /elsewhere\r\n"))) as port:
        url = f"http://127.0.0.1:{port}/"
        assert (await check("http", url=url, max_redirects=0)).reason == "status"
        assert (await check("http", url=url, accepted_statuses=["301"])).status is Status.UP


@pytest.mark.parametrize(
    "location", ["ftp://127.0.0.1/", "http://", "http://.dot/", "http://[::", "javascript:alert(1)"]
)
async def test_a_redirect_that_leads_nowhere(check: Check, location: str) -> None:
    async with serving(answering(page(b"", "302 Found", f"Location: {location}\r\n"))) as port:
        report = await check("http", url=f"http://127.0.0.1:{port}/")

    assert (report.status, report.reason) == (Status.DOWN, "redirect")


@pytest.mark.parametrize(
    ("status", "method"), [("302 Found", b"GET"), ("307 Temporary", b"POST"), ("303 Other", b"GET")]
)
async def test_a_redirect_keeps_or_drops_the_method_as_browsers_do(check: Check, status: str, method: bytes) -> None:
    seen: list[bytes] = []
    async with serving(recording(seen, page(b"", status, "Location: /next\r\n"), page())) as port:
        await check("http", url=f"http://127.0.0.1:{port}/", method="POST", body="payload")

    assert seen[1].startswith(method + b" /next ")
    assert seen[1].endswith(b"payload") == (method == b"POST")


async def test_secrets_do_not_follow_a_redirect_to_another_origin(check: Check) -> None:
    there: list[bytes] = []
    here: list[bytes] = []
    options = {"headers": {"X-Api-Key": "hush", "Accept-Language": "de"}, "username": "me", "password": "secret"}
    async with serving(recording(there, page())) as other:
        answer = page(b"", "302 Found", f"Location: http://127.0.0.1:{other}/\r\n")
        async with serving(recording(here, answer)) as port:
            await check("http", url=f"http://127.0.0.1:{port}/", **options)

    assert b"hush" in here[0]
    assert b"authorization" in here[0].lower()
    assert b"hush" not in there[0]
    assert b"authorization" not in there[0].lower()
    assert b"accept-language: de" in there[0]
    assert f"host: 127.0.0.1:{other}".encode() in there[0].lower()


async def test_an_answer_before_the_request_was_read_is_what_counts(check: Check) -> None:
    async def hasty(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(page(b"", "413 Too Large"))
        await writer.drain()

    async with serving(hasty) as port:
        report = await check("http", url=f"http://127.0.0.1:{port}/", method="POST", body="x" * 60_000)

    assert report.reason in ("status", "reset")  # the kernel may throw away what it had when the server resets


@pytest.mark.parametrize("handler", [silent, endless, resetting, answering(page())], ids=lambda h: h.__name__)
async def test_no_descriptor_is_left_behind(check: Check, descriptors: Callable[[], int], handler: Handler) -> None:
    await check("http", url="http://127.0.0.1:1/")  # opens what is opened but once
    before = descriptors()
    async with serving(handler) as port:
        url = f"http://127.0.0.1:{port}/"
        await asyncio.gather(*(check("http", url=url, timeout=0.2, max_body_bytes=100_000) for _ in range(10)))
    assert await gone(descriptors, before)


async def test_cancelling_leaves_no_descriptor(check: Check, descriptors: Callable[[], int]) -> None:
    with full_backlog() as port:
        before = descriptors()
        tasks = [asyncio.create_task(check("http", url=f"http://127.0.0.1:{port}/")) for _ in range(10)]
        async with asyncio.timeout(60):
            while descriptors() != before + 10:
                await asyncio.sleep(0.01)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        assert descriptors() == before


async def test_the_limit_of_open_files_is_our_fault(check: Check, monkeypatch: pytest.MonkeyPatch) -> None:
    def none_left(*_: object) -> socket.socket:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr("pinguin.checks.engine.wire.socket.socket", none_left)

    report = await check("http", url="http://127.0.0.1:1/")

    assert (report.status, report.reason) == (Status.UNKNOWN, "internal")
    assert "EMFILE" in str(report.message)
