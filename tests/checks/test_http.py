from __future__ import annotations

import asyncio
import socket
from base64 import b64encode
from collections.abc import Callable

import pytest

from pinguin.model import Status
from tests.checks.conftest import Check, cancelled, gone
from tests.checks.servers import Handler, answering, full_backlog, page, recording, resetting, serving, silent
from tests.checks.test_http_answers import endless
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


async def test_slower_than_the_limit_is_degraded(check: Check) -> None:
    async with serving(answering(b"HTTP/1.1 200 OK\r\n\r\n", b"x", pause=0.03)) as port:
        report = await check("http", url=f"http://127.0.0.1:{port}/", slow_ms=10)

    assert (report.status, report.reason) == (Status.DEGRADED, "slow")


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
        await cancelled([check("http", url=f"http://127.0.0.1:{port}/") for _ in range(10)], descriptors)
        assert descriptors() == before


async def test_the_limit_of_open_files_is_our_fault(check: Check, monkeypatch: pytest.MonkeyPatch) -> None:
    def none_left(*_: object) -> socket.socket:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr("pinguin.checks.engine.wire.socket.socket", none_left)

    report = await check("http", url="http://127.0.0.1:1/")

    assert (report.status, report.reason) == (Status.UNKNOWN, "internal")
    assert "EMFILE" in str(report.message)
