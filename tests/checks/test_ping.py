from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Any

import pytest

from pinguin.checks import check_type
from pinguin.checks.contract import Resources
from pinguin.checks.engine.icmp import EchoSocket, Pinger, checksum, icmp_permission
from pinguin.checks.engine.resolve import Address
from pinguin.errors import InvalidInput
from pinguin.model import Status
from tests.checks.conftest import Check

pings = pytest.mark.skipif(icmp_permission() is not None, reason="this machine allows no pings")


@pings
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_loopback_answers(check: Check, host: str) -> None:
    report = await check("ping", host=host)

    assert report.status is Status.UP
    assert (report.evidence["sent"], report.evidence["received"], report.evidence["loss_percent"]) == (3, 3, 0)
    assert report.evidence["address"] == host
    assert report.evidence["min_ms"] <= report.evidence["avg_ms"] <= report.evidence["max_ms"]
    assert report.latency_ms == pytest.approx(report.evidence["avg_ms"], abs=0.001)
    assert report.evidence["jitter_ms"] >= 0


@pings
@pytest.mark.parametrize("size", [8, 9, 1000, 20000])
async def test_packet_sizes(check: Check, size: int) -> None:
    assert (await check("ping", host="127.0.0.1", count=1, size=size)).status is Status.UP


@pings
async def test_a_name(check: Check) -> None:
    report = await check("ping", host="localhost", count=1, ip_version="4")

    assert report.status is Status.UP
    assert report.phases["dns"] > 0


@pings
async def test_hundreds_at_once_share_one_socket_and_get_their_own_replies(
    check: Check, descriptors: Callable[[], int], resources: Resources
) -> None:
    await check("ping", host="127.0.0.1", count=1)
    before = descriptors()
    hosts = [f"127.0.{n % 100}.{n % 9 + 1}" for n in range(300)]
    tasks = [asyncio.create_task(check("ping", host=host, count=2)) for host in hosts]
    await asyncio.sleep(0.05)
    assert descriptors() == before

    reports = await asyncio.gather(*tasks)

    assert {report.status for report in reports} == {Status.UP}
    assert [report.evidence["address"] for report in reports] == hosts
    assert not resources.get(Pinger).of(socket.AF_INET)._waiting


def losing(*numbers: int) -> Any:
    """An `EchoSocket._take` that loses the replies with these sequence numbers."""
    take = EchoSocket._take

    def lossy(self: EchoSocket, packet: bytes, source: str, arrived: float) -> None:
        sequence = int.from_bytes(packet[-58:-56], "big")  # before the 56 bytes of payload
        if sequence not in numbers:
            take(self, packet, source, arrived)

    return lossy


@pings
async def test_lost_packets_are_counted(check: Check, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(EchoSocket, "_take", losing(1))
    report = await check("ping", host="127.0.0.1", count=4, timeout=0.5)
    assert (report.status, report.reason) == (Status.DOWN, "packet_loss")
    assert report.message == "1 of 4 pings to 127.0.0.1 were lost (25 %)"
    assert (report.evidence["received"], report.evidence["loss_percent"]) == (3, 25)
    assert report.latency_ms


@pings
async def test_tolerated_loss_is_up(check: Check, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(EchoSocket, "_take", losing(1))
    report = await check("ping", host="127.0.0.1", count=4, timeout=0.5, max_loss_percent=25)
    assert (report.status, report.evidence["loss_percent"]) == (Status.UP, 25)


@pings
async def test_no_reply_at_all_is_down_inside_the_timeout(
    check: Check, monkeypatch: pytest.MonkeyPatch, resources: Resources
) -> None:
    monkeypatch.setattr(EchoSocket, "_take", lambda *_: None)

    report = await check("ping", host="127.0.0.1", timeout=0.3)

    assert (report.status, report.reason, report.latency_ms) == (Status.DOWN, "timeout", None)
    assert report.message == "no reply from 127.0.0.1 to 3 pings within 0.3 s"
    assert report.evidence["loss_percent"] == 100
    await asyncio.sleep(0)
    assert not resources.get(Pinger).of(socket.AF_INET)._waiting


@pings
async def test_cancelling_forgets_what_was_waited_for(
    check: Check, monkeypatch: pytest.MonkeyPatch, resources: Resources
) -> None:
    monkeypatch.setattr(EchoSocket, "_take", lambda *_: None)
    task = asyncio.create_task(check("ping", host="127.0.0.1"))
    await asyncio.sleep(0.05)
    task.cancel()
    await asyncio.wait([task])
    await asyncio.sleep(0)
    assert not resources.get(Pinger).of(socket.AF_INET)._waiting


@pings
async def test_a_reply_that_is_not_ours_is_passed_over() -> None:
    echoes = EchoSocket(socket.AF_INET)
    try:
        reply = echoes.request(Address(socket.AF_INET, ("127.0.0.1", 0)), 56)
        honest = bytes([0]) + echoes._packet(0, 56)[1:]
        for forged, source in [
            (honest, "127.0.0.2"),
            (honest[:-56] + bytes(56), "127.0.0.1"),
            (honest[:6] + b"\x12\x34" + honest[8:], "127.0.0.1"),
            (honest[:5], "127.0.0.1"),
            (b"", "127.0.0.1"),
            (b"\x4f" + honest, "127.0.0.1"),
        ]:
            echoes._take(forged, source, 0.0)
        assert not reply.done()
        assert await asyncio.wait_for(reply, 1) > 0
    finally:
        echoes.close()


async def test_without_permission_the_result_is_unknown_and_says_what_to_do(
    check: Check, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forbidden(*_: object) -> socket.socket:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr("pinguin.checks.engine.icmp.socket.socket", forbidden)

    report = await check("ping", host="127.0.0.1")

    assert (report.status, report.reason) == (Status.UNKNOWN, "permission")
    for words in ("net.ipv4.ping_group_range", "CAP_NET_RAW"):
        assert words in str(report.message)
        assert words in str(icmp_permission())


async def test_a_name_that_does_not_exist(check: Check) -> None:
    assert (await check("ping", host="name.invalid", timeout=20)).reason == "dns"


@pings
async def test_no_way_to_the_address(check: Check) -> None:
    report = await check("ping", host="255.255.255.255")  # without SO_BROADCAST the system refuses it at once

    assert (report.status, report.reason) == (Status.DOWN, "unreachable")


@pings
async def test_slower_than_the_limit_is_degraded(check: Check, monkeypatch: pytest.MonkeyPatch) -> None:
    take = EchoSocket._take
    monkeypatch.setattr(
        EchoSocket, "_take", lambda self, packet, source, arrived: take(self, packet, source, arrived + 1)
    )
    report = await check("ping", host="127.0.0.1", slow_ms=500)
    assert (report.status, report.reason) == (Status.DEGRADED, "slow")


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("host", {"host": "http://example.org"}),
        ("host", {}),
        ("count", {"host": "example.org", "count": 0}),
        ("count", {"host": "example.org", "count": 101}),
        ("size", {"host": "example.org", "size": 7}),
        ("max_loss_percent", {"host": "example.org", "max_loss_percent": 100}),
    ],
)
def test_a_bad_option_is_refused_by_its_name(name: str, options: dict[str, object]) -> None:
    with pytest.raises(InvalidInput) as refused:
        check_type("ping").parse(options)
    assert list(refused.value.fields) == [name]


def test_the_checksum_is_that_of_rfc_1071() -> None:
    assert checksum(bytes.fromhex("0001f203f4f5f6f7")) == 0x220D
    assert checksum(b"\x01") == 0xFEFF
