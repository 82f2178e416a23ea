from __future__ import annotations

import asyncio
import socket
import struct
import time
from collections.abc import Callable
from typing import Any

import pytest

from pinguin.checks import check_type
from pinguin.checks.contract import Resources
from pinguin.checks.engine.icmp import EchoSocket, Pinger, checksum, icmp_permission
from pinguin.checks.engine.resolve import Address
from pinguin.checks.engine.volley import Volley
from pinguin.errors import CheckFailed, InvalidInput
from pinguin.model import Status
from tests.checks.conftest import Check
from tests.lacking import lacks


@pytest.fixture
def allowed() -> None:
    if icmp_permission() is not None:
        lacks("this machine allows no pings")


@pytest.fixture
def forging() -> None:
    try:
        socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP).close()
    except OSError:
        lacks("a router's report can only be forged with CAP_NET_RAW")


pings = pytest.mark.usefixtures("allowed")
raw_pings = pytest.mark.usefixtures("forging")


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


def losing(number: int, *, count: int) -> Any:
    """An `EchoSocket._take` that loses this reply of each `count`: a check that is made again loses it again."""
    take = EchoSocket._take

    def lossy(self: EchoSocket, packet: bytes, source: str, arrived: float) -> None:
        sequence = int.from_bytes(packet[-58:-56], "big")  # before the 56 bytes of payload
        if sequence % count != number:
            take(self, packet, source, arrived)

    return lossy


@pings
async def test_lost_packets_are_counted(check: Check, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(EchoSocket, "_take", losing(1, count=4))
    report = await check("ping", host="127.0.0.1", count=4, timeout=0.5)
    assert (report.status, report.reason) == (Status.DOWN, "packet_loss")
    assert report.message == "1 of 4 pings to 127.0.0.1 was lost (25 %)"
    assert (report.evidence["received"], report.evidence["loss_percent"]) == (3, 25)
    assert report.latency_ms


@pings
async def test_tolerated_loss_is_up(check: Check, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(EchoSocket, "_take", losing(1, count=4))
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
    while not (resources.get(Pinger).of(socket.AF_INET)._waiting or task.done()):
        await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.wait([task])
    await asyncio.sleep(0)
    assert not resources.get(Pinger).of(socket.AF_INET)._waiting


@pings
async def test_a_reply_that_is_not_ours_is_passed_over() -> None:
    echoes = EchoSocket(socket.AF_INET)
    try:
        volley = Volley()
        echoes.request(volley, Address(socket.AF_INET, ("127.0.0.1", 0)), 56)
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
        assert volley.under_way == {0}
        await volley.settled(1, asyncio.get_running_loop())
        assert volley.trips[0] > 0
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


def unanswered(self: EchoSocket, packet: bytes, source: str, arrived: float) -> None:
    """An `EchoSocket._take` that hears routers alone: loopback always answers."""
    body = packet[20:] if self._four and packet[0] >> 4 == 4 else packet
    if body[0] != self._reply:
        _take(self, packet, source, arrived)


_take = EchoSocket._take


def report_of(echoes: EchoSocket, target: str, kind: int, code: int, sequence: int = 0, returned: int = 64) -> bytes:
    """What a router sends about the packet with this number: its own head, and the beginning of ours."""
    packet = bytearray(echoes._packet(sequence, 56)[:returned])
    if not echoes._raw:  # there the kernel puts in an identity of its own
        packet[4:6] = echoes._sock.getsockname()[1].to_bytes(2, "big")
    raw = socket.inet_pton(socket.AF_INET if echoes._four else socket.AF_INET6, target)
    if echoes._four:
        head = b"\x45\0" + struct.pack("!HHHBBH", 84, 0, 0, 64, 1, 0) + raw + raw
    else:
        head = b"\x60\0\0\0" + struct.pack("!HBB", 64, 58, 64) + raw + raw
    whole = struct.pack("!BBHI", kind, code, 0, 0) + head + bytes(packet)
    return whole[:2] + checksum(whole).to_bytes(2, "big") + whole[4:] if echoes._four else whole


@raw_pings
@pytest.mark.parametrize(
    ("host", "kind", "code", "words"),
    [
        ("127.0.0.1", 3, 1, "127.0.0.1 is not reachable: the host does not answer there, says 127.0.0.1"),
        ("127.0.0.1", 3, 13, "a firewall forbids it"),
        ("127.0.0.1", 3, 10, "the host is forbidden"),
        ("127.0.0.1", 11, 0, "the way is too long, or goes in a circle"),
        ("::1", 1, 0, "::1 is not reachable: there is no route, says ::1"),
        ("::1", 3, 0, "the way is too long"),
    ],
)
async def test_a_router_that_knows_no_way_is_unreachable_at_once(
    check: Check, resources: Resources, monkeypatch: pytest.MonkeyPatch, host: str, kind: int, code: int, words: str
) -> None:
    monkeypatch.setattr(EchoSocket, "_take", unanswered)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    echoes = resources.get(Pinger).of(family)
    task = asyncio.create_task(check("ping", host=host, interval_ms=10_000))
    while not (echoes._waiting or task.done()):
        await asyncio.sleep(0.01)
    protocol = socket.IPPROTO_ICMPV6 if ":" in host else socket.IPPROTO_ICMP
    with socket.socket(family, socket.SOCK_RAW, protocol) as router:
        router.sendto(report_of(echoes, host, kind, code), (host, 0))
    async with asyncio.timeout(9):  # before its next packet would leave
        report = await task

    assert (report.status, report.reason) == (Status.DOWN, "unreachable")
    assert words in str(report.message)
    await asyncio.sleep(0)
    assert not echoes._waiting


@pings
async def test_a_router_after_a_reply_is_a_lost_packet(check: Check, monkeypatch: pytest.MonkeyPatch) -> None:
    def take(self: EchoSocket, packet: bytes, source: str, arrived: float) -> None:
        sequence = int.from_bytes(packet[-58:-56], "big")
        if sequence == 1:
            self._refuse(1, "192.0.2.1", "there is no route")
        else:
            _take(self, packet, source, arrived)

    monkeypatch.setattr(EchoSocket, "_take", take)
    report = await check("ping", host="127.0.0.1", count=4)
    assert (report.status, report.reason) == (Status.DOWN, "packet_loss")
    assert report.evidence["received"] == 3


@pings
async def test_reports_about_what_is_not_ours_are_passed_over() -> None:
    echoes = EchoSocket(socket.AF_INET)
    try:
        volley = Volley()
        echoes.request(volley, Address(socket.AF_INET, ("127.0.0.1", 0)), 56)
        report = report_of(echoes, "127.0.0.1", 3, 1)
        about_other = report_of(echoes, "127.0.0.2", 3, 1)
        for forged in (
            report[:8],
            report[:30],
            report[:8] + b"\x4f" + report[9:],
            about_other,
            report[:-50] + bytes(50),
        ):
            echoes._take(forged, "192.0.2.1", 0.0)
        for number in range(1, 20):
            echoes._take(report_of(echoes, "127.0.0.1", 3, 1, number), "192.0.2.1", 0.0)
        assert volley.under_way == {0}
        echoes._note(echoes._packet(0, 56)[:8], "127.0.0.1", "192.0.2.1", 3, 1)  # eight bytes are all that some return
        with pytest.raises(CheckFailed):
            await volley.settled(1, asyncio.get_running_loop())
    finally:
        echoes.close()


@pings
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_a_busy_loop_does_not_lengthen_the_round_trip(check: Check, host: str) -> None:
    """Linux begins to take times a moment after it was asked to: until then they are those of the reading."""
    trips: list[float] = []
    while len(trips) < 20 and not (trips and trips[-1] < 50):
        task = asyncio.create_task(check("ping", host=host, count=1))
        asyncio.get_running_loop().call_later(0, time.sleep, 0.2)
        report = await task
        assert report.latency_ms
        trips.append(report.latency_ms)
    assert trips[-1] < 50


@pings
async def test_packets_leave_at_their_interval(check: Check) -> None:
    """And no later, in the quickest of five tries: this machine may be busy in the others."""
    spread, squeezed = [], []
    for _ in range(5):
        started = time.perf_counter()
        report = await check("ping", host="127.0.0.1", count=4, interval_ms=50)
        spread.append(time.perf_counter() - started)
        assert report.status is Status.UP
        started = time.perf_counter()
        await check("ping", host="127.0.0.1", count=4, interval_ms=10_000, timeout=0.4)  # squeezed into the timeout
        squeezed.append(time.perf_counter() - started)

    assert 0.15 <= min(spread) < 0.35
    assert min(squeezed) < 0.4


@pings
@pytest.mark.parametrize(("limit", "status"), [(0, Status.UP), (60_000, Status.UP), (10, Status.DEGRADED)])
async def test_jitter(check: Check, monkeypatch: pytest.MonkeyPatch, limit: int, status: Status) -> None:
    def uneven(self: EchoSocket, packet: bytes, source: str, arrived: float) -> None:
        _take(self, packet, source, arrived + int.from_bytes(packet[-58:-56], "big") / 10)

    monkeypatch.setattr(EchoSocket, "_take", uneven)
    report = await check("ping", host="127.0.0.1", count=3, interval_ms=1, max_jitter_ms=limit)
    assert (report.status, report.reason) == (status, "slow" if status is Status.DEGRADED else None)
    assert report.evidence["jitter_ms"] == pytest.approx(81.65, abs=10)


@pings
async def test_fifty_at_once_with_different_policies_do_not_mix(check: Check) -> None:  # TRAP 15
    policies: list[tuple[dict[str, Any], tuple[str | None, int]]] = [
        ({"host": "127.0.0.1", "count": 1}, (None, 1)),
        ({"host": "127.0.0.2", "count": 3, "interval_ms": 5, "size": 1000}, (None, 3)),
        ({"host": "::1", "count": 2, "size": 8}, (None, 2)),
        ({"host": "localhost", "count": 2, "ip_version": "4"}, (None, 2)),
        ({"host": "::1", "ip_version": "4"}, ("dns", 0)),
    ] * 10
    reports = await asyncio.gather(*[check("ping", **options) for options, _ in policies])
    assert [(each.reason, each.evidence.get("received", 0)) for each in reports] == [seen for _, seen in policies]


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("host", {"host": "http://example.org"}),
        ("host", {}),
        ("count", {"host": "example.org", "count": 0}),
        ("count", {"host": "example.org", "count": 101}),
        ("size", {"host": "example.org", "size": 7}),
        ("max_loss_percent", {"host": "example.org", "max_loss_percent": 100}),
        ("max_jitter_ms", {"host": "example.org", "max_jitter_ms": -1}),
        ("interval_ms", {"host": "example.org", "interval_ms": 0}),
        ("interval_ms", {"host": "example.org", "interval_ms": 10_001}),
    ],
)
def test_a_bad_option_is_refused_by_its_name(name: str, options: dict[str, object]) -> None:
    with pytest.raises(InvalidInput) as refused:
        check_type("ping").parse(options)
    assert list(refused.value.fields) == [name]


def test_the_checksum_is_that_of_rfc_1071() -> None:
    assert checksum(bytes.fromhex("0001f203f4f5f6f7")) == 0x220D
    assert checksum(b"\x01") == 0xFEFF
