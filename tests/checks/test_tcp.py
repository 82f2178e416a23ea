from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from pinguin.checks import check_type
from pinguin.checks.tcp import as_bytes
from pinguin.errors import InvalidInput
from pinguin.model import Status
from tests.checks.conftest import Check, cancelled, gone
from tests.checks.servers import Handler, full_backlog, resetting, serving, silent
from tests.ports import free_port


def banner(text: bytes) -> Handler:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for i in range(0, len(text), 5):
            writer.write(text[i : i + 5])
            await writer.drain()
        await reader.read()

    return handler


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while line := await reader.readline():
        writer.write(b"you said " + line)
        await writer.drain()


async def test_a_port_that_accepts_is_up(check: Check) -> None:
    async with serving(silent) as port:
        report = await check("tcp", host="127.0.0.1", port=port)

    assert (report.status, set(report.phases)) == (Status.UP, {"connect"})
    assert report.evidence == {"address": f"127.0.0.1:{port}"}
    assert report.latency_ms


async def test_ipv6_and_names(check: Check) -> None:
    async with serving(silent, host="::1") as port:
        assert (await check("tcp", host="::1", port=port)).status is Status.UP
    async with serving(silent) as port:
        report = await check("tcp", host="localhost", port=port, ip_version="4")
    assert set(report.phases) == {"dns", "connect"}


async def test_a_closed_port(check: Check) -> None:
    port = free_port()
    report = await check("tcp", host="127.0.0.1", port=port)

    assert (report.status, report.reason, report.latency_ms) == (Status.DOWN, "refused", None)
    assert f"127.0.0.1:{port}" in str(report.message)


async def test_a_silent_kernel(check: Check) -> None:
    """TRAP 25. On a server of our own: in a sandbox an unrouted address may well answer."""
    with full_backlog() as port:
        report = await check("tcp", host="127.0.0.1", port=port, timeout=0.2)

    assert (report.status, report.reason) == (Status.DOWN, "timeout")


async def test_a_name_that_does_not_exist(check: Check) -> None:
    assert (await check("tcp", host="name.invalid", port=1, timeout=20)).reason == "dns"


async def test_an_expected_banner(check: Check) -> None:
    async with serving(banner(b"220 mail.example.test ESMTP ready\r\n")) as port:
        report = await check("tcp", host="127.0.0.1", port=port, expect="ESMTP ready")

    assert report.status is Status.UP
    assert set(report.phases) == {"connect", "first_byte"}
    assert report.evidence["answer"].startswith("220 mail")


async def test_send_and_expect(check: Check) -> None:
    async with serving(echo) as port:
        report = await check("tcp", host="127.0.0.1", port=port, send=r"PING\r\n", expect=r"you said PING\r\n")

    assert report.status is Status.UP


async def test_another_answer_than_the_expected_one(check: Check) -> None:
    async def other(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"-ERR busy \x00\xff\r\n")
        await writer.drain()

    async with serving(other) as port:
        report = await check("tcp", host="127.0.0.1", port=port, expect="+OK")

    assert (report.status, report.reason) == (Status.DOWN, "answer")
    assert report.message == "“+OK” is not in the answer of 14 bytes"
    assert report.evidence["answer"] == "-ERR busy \ufffd\ufffd\r\n"


async def test_an_endless_answer_is_capped(check: Check) -> None:  # TRAP 14
    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            writer.write(b"x" * 65536)
            await writer.drain()

    async with serving(endless) as port:
        assert (await check("tcp", host="127.0.0.1", port=port, expect="y")).reason == "answer"


async def test_an_answer_that_never_comes(check: Check) -> None:  # TRAP 1
    async with serving(silent) as port:
        report = await check("tcp", host="127.0.0.1", port=port, expect="+OK", timeout=0.2)

    assert (report.status, report.reason) == (Status.DOWN, "timeout")
    assert "waiting for the expected text" in str(report.message)


async def test_connections_that_are_cut(check: Check) -> None:
    async def closing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)

    async with serving(closing) as port:
        closed = await check("tcp", host="127.0.0.1", port=port, send="x", expect="y")
    async with serving(resetting) as port:
        reset = await check("tcp", host="127.0.0.1", port=port, send="x", expect="y")

    assert (closed.status, closed.reason) == (Status.DOWN, "reset")
    assert (reset.status, reset.reason) == (Status.DOWN, "reset")


async def test_slower_than_the_limit_is_degraded(check: Check) -> None:
    async def sleepy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.05)
        writer.write(b"hello")

    async with serving(sleepy) as port:
        report = await check("tcp", host="127.0.0.1", port=port, expect="hello", slow_ms=10)

    assert (report.status, report.reason) == (Status.DEGRADED, "slow")


async def test_cancelling_leaves_no_descriptor(check: Check, descriptors: Callable[[], int]) -> None:
    before = descriptors()
    async with serving(silent) as port:
        calls = [check("tcp", host="127.0.0.1", port=port, expect="x") for _ in range(10)]
        await cancelled(calls, descriptors)
    assert await gone(descriptors, before)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("host", {"host": "http://example.org", "port": 1}),
        ("host", {"host": "exa mple.org", "port": 1}),
        ("host", {"host": "example.org:80", "port": 1}),
        ("host", {"host": "example.org:80:90", "port": 1}),
        ("host", {"host": "1::2::3", "port": 1}),
        ("host", {"host": "exa%20mple.org", "port": 1}),
        ("host", {"host": "*", "port": 1}),
        ("host", {"host": "", "port": 1}),
        ("host", {"host": "a..b", "port": 1}),
        ("host", {"host": "a" * 64 + ".org", "port": 1}),
        ("port", {"host": "example.org", "port": 0}),
        ("port", {"host": "example.org", "port": 65536}),
        ("port", {"host": "example.org", "port": "80"}),
        ("port", {"host": "example.org"}),
    ],
)
def test_a_bad_option_is_refused_by_its_name(name: str, options: dict[str, object]) -> None:
    with pytest.raises(InvalidInput) as refused:
        check_type("tcp").parse(options)
    assert list(refused.value.fields) == [name]


@pytest.mark.parametrize(
    ("written", "sent"),
    [(r"a\r\nb", b"a\r\nb"), (r"\x00\xff", b"\x00\xff"), (r"\\n", b"\\n"), (r"\q", b"\\q"), ("ü", "ü".encode())],
)
def test_escapes_stand_for_bytes(written: str, sent: bytes) -> None:
    assert as_bytes(written) == sent


def test_targets() -> None:
    assert check_type("tcp").parse({"host": "::1", "port": 5}).target() == "[::1]:5"
    assert check_type("tcp").parse({"host": "example.org", "port": 5, "send": "hush"}).target() == "example.org:5"
