"""Addresses with a zone: `fe80::1%eth0`, and `%25` for the sign in a URL (RFC 6874).

No machine has the same link-local addresses. But ::1 takes a number for its zone, and 1 is the loopback interface's.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import dns.message
import pytest

from pinguin.checks import check_type
from pinguin.checks.contract import Resources
from pinguin.checks.engine import dns_query, resolve
from pinguin.checks.engine.icmp import icmp_permission
from pinguin.checks.engine.resolve import Address
from pinguin.checks.http.reading import parse_proxy
from pinguin.errors import InvalidInput
from pinguin.guard import Guard
from pinguin.model import Status
from tests.checks.certificates import house, make, server
from tests.checks.conftest import Check
from tests.checks.servers import answering, page, recording, serving, silent, zone
from tests.lacking import lacks
from tests.ports import free_port

LOOPBACK = socket.if_indextoname(1)
SHOWN = f"::1%{LOOPBACK}"


@asynccontextmanager
async def name_server() -> AsyncIterator[int]:
    """Over UDP, at ::1."""

    class Datagrams(asyncio.DatagramProtocol):
        def connection_made(self, transport: Any) -> None:
            self._transport = transport

        def datagram_received(self, data: bytes, addr: Any) -> None:
            answer = zone(["example.test. 60 IN A 192.0.2.1"])(dns.message.from_wire(data), "udp")
            self._transport.sendto(answer, addr)

    port = free_port()
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(Datagrams, local_addr=("::1", port))
    try:
        yield port
    finally:
        transport.close()


@pytest.mark.parametrize("url", ["http://[::1%251]:{}/", "http://[::1%1]:{}/"])
async def test_a_page(check: Check, url: str) -> None:
    seen: list[bytes] = []
    async with serving(recording(seen, page()), host="::1") as port:
        report = await check("http", url=url.format(port))
    assert (report.status, report.message) == (Status.UP, None)
    assert report.evidence["address"] == f"[{SHOWN}]:{port}"
    assert f"host: [::1]:{port}\r\n".encode() in seen[0].lower()  # the zone is no business of the server's


async def test_a_redirect_to_one_and_a_host_of_ones_own(check: Check) -> None:
    seen: list[bytes] = []
    async with serving(recording(seen, page()), host="::1") as port:
        onward = page(b"", "302 Found", f"Location: http://[::1%251]:{port}/on\r\n")
        async with serving(answering(onward)) as first:
            report = await check("http", url=f"http://127.0.0.1:{first}/")
        await check("http", url=f"http://[::1%251]:{port}/", headers={"Host": "shop.test"})
    assert report.evidence["address"] == f"[{SHOWN}]:{port}"
    assert f"host: [::1]:{port}\r\n".encode() in seen[0].lower()
    assert b"shop.test" in seen[1]
    assert b"[::1" not in seen[1]


async def test_tcp_and_a_refusal(check: Check) -> None:
    async with serving(silent, host="::1") as port:
        report = await check("tcp", host="::1%1", port=port)
    closed = free_port()
    refused = await check("tcp", host="::1%1", port=closed)
    assert report.evidence["address"] == f"[{SHOWN}]:{port}"
    assert str(refused.message).startswith(f"connection refused by [{SHOWN}]:{closed} after ")


@pytest.mark.parametrize("kind", ["tls", "http"])
async def test_tls_asks_for_the_address_without_its_zone(check: Check, kind: str) -> None:
    root, middle, _ = house()
    leaf = make("leaf", middle, names=("::1",))
    other = make("other", middle, names=("shop.test",))
    trust = {"ca_certificates": root.pem}
    for made, status in ((leaf, Status.UP), (other, Status.DOWN)):
        async with serving(answering(page()), server(made, middle), host="::1") as port:
            where = {"url": f"https://[::1%251]:{port}/"} if kind == "http" else {"host": "::1%1", "port": port}
            report = await check(kind, **where, **trust)
        assert report.status is status, report.message
        assert report.evidence["certificate"]["covers_host"] is (status is Status.UP)
    assert str(report.message).startswith("the certificate is not for ::1%1, only for shop.test")


async def test_ping(check: Check) -> None:
    if wrong := icmp_permission():
        lacks(wrong)
    report = await check("ping", host="::1%1", count=1)
    assert (report.status, report.message, report.evidence["address"]) == (Status.UP, None, SHOWN)


async def test_a_name_server(check: Check) -> None:
    async with name_server() as port:
        report = await check("dns", name="example.test", resolver=f"[::1%1]:{port}")
    assert (report.status, report.message) == (Status.UP, None)
    assert report.evidence["resolver"] == f"[{SHOWN}]:{port}"


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("http", {"url": "http://[fe80::1%25none0]/"}),
        ("tcp", {"host": "fe80::1%none0", "port": 1}),
        ("tls", {"host": "fe80::1%none0"}),
        ("ping", {"host": "fe80::1%none0"}),
        ("dns", {"name": "x.test", "resolver": "fe80::1%none0"}),
    ],
)
async def test_an_interface_that_there_is_not_is_no_failure_of_the_target(
    check: Check, kind: str, options: dict[str, Any]
) -> None:
    report = await check(kind, **options)
    assert (report.status, report.reason) == (Status.UNKNOWN, "internal")
    assert report.message == "this machine has no network interface none0, which fe80::1%none0 goes through"


async def test_other_wrong_zones(check: Check) -> None:
    number = await check("tcp", host="fe80::1%99999", port=1)
    assert "has no network interface 99999," in str(number.message)
    version = await check("tcp", host="fe80::1%1", port=1, ip_version="4")
    assert version.message == "fe80::1%1 is not an IPv4 address"
    wide = await check("tcp", host=f"::1%{LOOPBACK}", port=1)
    assert wide.message == f"::1 is not a link-local address (fe80::…): it takes no %{LOOPBACK}"


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("http", {"url": "http://[fe80::1%25]/"}),
        ("tcp", {"host": "fe80::1%", "port": 1}),
        ("tcp", {"host": "fe80::1%a%b", "port": 1}),
        ("tcp", {"host": "127.0.0.1%1", "port": 1}),
        ("ping", {"host": "name%1"}),
    ],
)
def test_what_is_no_zone_is_refused(kind: str, options: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput) as refused:
        check_type(kind).parse(options)
    assert set(refused.value.fields) <= {"url", "host"}


def test_an_address_is_written_with_its_zone() -> None:
    address = Address(socket.AF_INET6, ("fe80::1", 80, 0, 1))
    assert (address.ip, str(address)) == (f"fe80::1%{LOOPBACK}", f"[fe80::1%{LOOPBACK}]:80")
    assert Address(socket.AF_INET6, ("fe80::1", 80, 0, 99999)).ip == "fe80::1%99999"
    assert Address(socket.AF_INET6, ("::1", 80, 0, 0)).ip == "::1"
    assert resolve.zoned(f"fe80::1%{LOOPBACK}", 80) == [address]


async def test_a_proxy_hears_nothing_of_a_zone(check: Check) -> None:
    seen: list[bytes] = []
    async with serving(recording(seen, page())) as proxy:
        for scheme in ("http", "https"):
            await check("http", url=f"{scheme}://[::1%251]:99/", proxy=f"http://127.0.0.1:{proxy}")
    assert seen[0].startswith(b"GET http://[::1]:99/ ")
    assert seen[1].startswith(b"CONNECT [::1]:99 ")
    assert not [request for request in seen if b"%" in request]


def test_a_proxy_that_is_an_address() -> None:
    assert parse_proxy("http://[fe80::1%25lo]:99").host == parse_proxy("http://[fe80::1%lo]:99").host == "fe80::1%lo"
    for bad in ("http://[::1:99", "http://::1]:99", "http://::1", "http://[127.0.0.1]", "http://proxy:"):
        with pytest.raises(InvalidInput):
            check_type("http").parse({"url": "http://x.test/", "proxy": bad})


@pytest.mark.parametrize("host", ["[fe80::a9fe:a9fe%251]", "[::ffff:169.254.169.254%251]"])
async def test_the_guard_looks_behind_a_zone(check: Check, resources: Resources, host: str) -> None:
    """At a proxy too, which would be asked without it."""
    resources.guard = Guard()
    for proxy in ("", f"http://127.0.0.1:{free_port()}"):
        report = await check("http", url=f"http://{host}/", proxy=proxy)
        assert (report.status, report.reason) == (Status.UNKNOWN, "forbidden"), report.message


def test_the_systems_own_name_servers(monkeypatch: pytest.MonkeyPatch) -> None:
    class Configured:
        nameservers = ("fe80::1%none0", f"fe80::1%{LOOPBACK}", "192.0.2.1")

    monkeypatch.setattr("dns.resolver.Resolver", Configured)
    shown = [str(each) for each in dns_query.SystemServers().addresses()]
    assert shown == [f"[fe80::1%{LOOPBACK}]:53", "192.0.2.1:53"]
