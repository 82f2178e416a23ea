"""Questions over TCP and TLS."""

from __future__ import annotations

import asyncio
import socket
import struct

import dns.message
import dns.rrset

from pinguin.model import Status
from tests.checks.certificates import make, server
from tests.checks.chains import LEAF, MIDDLE, ROOT
from tests.checks.conftest import Check
from tests.checks.servers import Answers, name_server, serving, silent, zone
from tests.checks.starttls_servers import Prelude, exactly, threaded, upgrading
from tests.checks.test_dns_asking import A, ask


async def test_large_answers(check: Check) -> None:
    many = dns.rrset.from_text("example.test.", 60, "IN", "A", *(f"10.0.{n // 250}.{n % 250}" for n in range(2000)))

    def huge(query: dns.message.Message, transport: str) -> bytes | None:
        response = dns.message.make_response(query)
        response.answer.append(many)
        return response.to_wire(max_size=65535)

    datagram = await ask(check, huge)
    stream = await ask(check, huge, transport="tcp")
    assert (datagram.message, stream.message) == (None, None)
    assert (datagram.status, stream.status) == (Status.UP, Status.UP)
    assert len(stream.evidence["answers"]) == 20


async def test_a_length_that_lies(check: Check) -> None:
    async def liar(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(struct.pack("!H", 65535) + b"short")
        await writer.drain()
        await reader.read()

    async with serving(liar) as port:
        call = {"name": "example.test", "resolver": f"127.0.0.1:{port}", "transport": "tcp"}
        report = await check("dns", **call, timeout=0.2)
    assert (report.status, report.reason) == (Status.DOWN, "timeout")


def over_stream(answers: Answers) -> Prelude:
    def handler(sock: socket.socket) -> None:
        (size,) = struct.unpack("!H", exactly(sock, 2))
        answer = answers(dns.message.from_wire(exactly(sock, size)), "tls") or b""
        sock.sendall(struct.pack("!H", len(answer)) + answer)
        sock.recv(1)

    return handler


async def test_dns_over_tls(check: Check) -> None:
    stranger = make("127.0.0.1", names=("127.0.0.1",))
    with (
        threaded(upgrading(None, server(LEAF, MIDDLE), over_stream(zone(A)))) as good,
        threaded(upgrading(None, server(stranger), over_stream(zone(A)))) as bad,
    ):
        call = {"name": "example.test", "transport": "tls", "ca_certificates": ROOT.pem}
        up = await check("dns", **call, resolver=f"127.0.0.1:{good}", expected=["192.0.2.1"])
        refused = await check("dns", **call, resolver=f"127.0.0.1:{bad}")
        ignored = await check("dns", **call, resolver=f"127.0.0.1:{bad}", verify_tls=False)
        other = await check("dns", **call, resolver=f"127.0.0.1:{good}", server_name="dns.test")

    assert (up.status, up.evidence["transport"], set(up.phases)) == (Status.UP, "tls", {"tls", "dns"})
    assert up.evidence["certificate"]["covers_host"] is True
    assert (refused.status, refused.reason) == (Status.DOWN, "certificate")
    assert "is self-signed" in str(refused.message)
    assert ignored.status is Status.UP
    assert "is not for dns.test" in str(other.message)


async def test_other_servers_over_tls_leave_no_mark_on_the_first_ones_evidence(check: Check) -> None:
    other = make("127.0.0.1", ROOT, names=("127.0.0.1",))
    with (
        threaded(upgrading(None, server(LEAF, MIDDLE), over_stream(zone(A)))) as one,
        threaded(upgrading(None, server(other), over_stream(zone(A)))) as two,
    ):
        call = {"name": "example.test", "transport": "tls", "ca_certificates": ROOT.pem}
        report = await check("dns", **call, resolver=f"127.0.0.1:{one}", compare_with=[f"localhost:{two}"], timeout=3)
        right = await check("dns", **call, resolver=f"127.0.0.1:{one}", compare_with=[f"127.0.0.1:{two}"])
    assert report.reason == "certificate"
    assert f"localhost:{two}: the certificate is not for localhost" in str(report.message)
    assert (right.status, len(right.evidence["chain"])) == (Status.UP, 3)
    assert right.latency_ms
    assert sum(right.phases.values()) <= right.latency_ms + 0.001


async def test_dns_over_tls_to_a_server_without_it(check: Check) -> None:
    async with name_server(zone(A)) as port, serving(silent) as mute:
        call = {"name": "example.test", "transport": "tls", "timeout": 0.3}
        plain = await check("dns", **call, resolver=f"127.0.0.1:{mute}")
        assert port
    assert (plain.status, plain.reason) == (Status.DOWN, "timeout")
    assert "waiting for the TLS handshake" in str(plain.message)
