"""Servers that speak TLS in their own way, or not at all."""

from __future__ import annotations

import random
import socket
import struct
import time

import pytest

from pinguin.model import Status
from tests.checks.certificates import make, server
from tests.checks.chains import LEAF, MIDDLE, ROOT, STRANGER, look, showing
from tests.checks.conftest import Check
from tests.checks.starttls_servers import PRELUDES, Prelude, saying, threaded, upgrading
from tests.ports import free_port


@pytest.mark.parametrize(("version", "spoken"), [("TLSv1", "1.0"), ("TLSv1_1", "1.1"), ("TLSv1_2", "1.2")])
async def test_a_server_with_old_versions_alone(check: Check, version: str, spoken: str) -> None:
    down = await look(check, LEAF, MIDDLE, ROOT, version=version, tls_minimum="1.3")
    up = await look(check, LEAF, MIDDLE, ROOT, version=version, tls_minimum=spoken)

    assert (down.status, down.reason) == (Status.DOWN, "tls")
    assert down.message == f"127.0.0.1 speaks no newer TLS than {spoken}; 1.3 is the least"
    assert up.status is Status.UP


@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
async def test_a_client_certificate_that_is_demanded(check: Check, version: str) -> None:
    mine, other = make("me", ROOT, names=("me.test",)), make("me", STRANGER, names=("me.test",))
    none, wrong, right = [
        await look(check, LEAF, MIDDLE, ROOT, version=version, clients=ROOT, **showing(identity))
        for identity in (None, other, mine)
    ]

    assert (none.status, none.reason) == (Status.DOWN, "tls")
    assert "demands a client certificate" in str(none.message)
    assert len(none.evidence["chain"]) >= 2
    assert (wrong.status, wrong.reason) == (Status.DOWN, "tls")
    assert "refuses the client certificate" in str(wrong.message)
    assert right.status is Status.UP
    assert right.evidence["tls"]["client_certificate"] == "asked for"


async def test_another_server_name(check: Check) -> None:
    right = await look(check, LEAF, MIDDLE, ROOT, server_name="www.example.test")
    wrong = await look(check, LEAF, MIDDLE, ROOT, server_name="mail.example.test")
    assert right.status is Status.UP
    assert "is not for mail.example.test, only for www.example.test" in str(wrong.message)


@pytest.mark.parametrize("protocol", PRELUDES)
async def test_starttls(check: Check, protocol: str) -> None:
    with threaded(upgrading(PRELUDES[protocol], server(LEAF, MIDDLE))) as port:
        report = await check("tls", host="127.0.0.1", port=port, starttls=protocol, ca_certificates=ROOT.pem)
    assert (report.status, report.message, set(report.phases)) == (Status.UP, None, {"connect", "tls"})
    assert len(report.evidence["chain"]) == 3


def plain_http(sock: socket.socket) -> None:
    sock.recv(1000)
    sock.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")


def cutting(sock: socket.socket) -> None:
    sock.recv(10)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def mute(sock: socket.socket) -> None:
    while sock.recv(1000):
        pass


@pytest.mark.parametrize(
    ("handler", "reason", "words"),
    [
        (plain_http, "tls", "does not speak TLS"),
        (cutting, "reset", "reset the connection"),
        (saying(b"\x16\x03\x03\xff\xff" + bytes(70000)), "tls", "handshake"),
        (saying(b"\x15\x03\x03\x00\x02\x02\x28"), "tls", "handshake failure"),
        (mute, "timeout", "waiting for the TLS handshake"),
    ],
)
async def test_no_tls_at_all(check: Check, handler: Prelude, reason: str, words: str) -> None:
    with threaded(handler) as port:
        report = await check("tls", host="127.0.0.1", port=port, timeout=0.4 if reason == "timeout" else 60)
    assert (report.status, report.reason) == (Status.DOWN, reason)
    assert words in str(report.message)


@pytest.mark.parametrize("seed", range(20))
async def test_noise_instead_of_a_handshake(check: Check, seed: int) -> None:
    noise = random.Random(seed)
    beginning = noise.choice([b"", b"\x16\x03\x03", b"\x16\x03\x01\x00\x40\x02"])
    greeting = beginning + noise.randbytes(noise.randrange(1, 400))

    def noisy(sock: socket.socket) -> None:
        sock.recv(1)
        sock.sendall(greeting)

    with threaded(noisy) as port:
        report = await check("tls", host="127.0.0.1", port=port)
    assert report.status is Status.DOWN
    assert report.reason in ("tls", "reset")


async def test_nobody_listens(check: Check) -> None:
    assert (await check("tls", host="127.0.0.1", port=free_port())).reason == "refused"


async def test_slower_than_the_limit_is_degraded(check: Check) -> None:
    def wait(sock: socket.socket) -> None:
        sock.recv(1, socket.MSG_PEEK)  # the handshake has begun
        time.sleep(0.05)

    with threaded(upgrading(wait, server(LEAF, MIDDLE))) as port:
        report = await check("tls", host="127.0.0.1", port=port, ca_certificates=ROOT.pem, slow_ms=10)
    assert (report.status, report.reason) == (Status.DEGRADED, "slow")
