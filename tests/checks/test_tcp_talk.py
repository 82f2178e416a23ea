"""The TCP check's longer talks, its TLS and its STARTTLS, against servers that behave and servers that lie."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable

import pytest

from pinguin.checks import check_type
from pinguin.checks.engine.failures import failure_of
from pinguin.errors import CheckFailed, InvalidInput
from pinguin.model import Status
from tests.checks.certificates import house, make, server
from tests.checks.conftest import Check, cancelled, gone
from tests.checks.servers import serving, silent
from tests.checks.starttls_servers import PRELUDES, Prelude, exactly, line, saying, threaded, upgrading

ROOT, MIDDLE, LEAF = house()
TRUST = {"ca_certificates": ROOT.pem}


def redis(sock: socket.socket) -> None:
    """Takes a password, answers a ping, says goodbye; a line each."""
    answers = {b"AUTH hunter2\r\n": b"+OK\r\n", b"PING\r\n": b"+PONG 7.2.1\r\n", b"QUIT\r\n": b"+OK bye\r\n"}
    while True:
        sock.sendall(answers.get(line(sock), b"-ERR no\r\n"))


TALKS: list[tuple[list[str], str | None, str]] = [
    ([r"send PING\r\n", r"expect PONG"], None, ""),
    ([r"send PING\r\n", r"starts +PONG", r"send QUIT\r\n", r"expect bye\r\n"], None, ""),
    ([r"send PING\r\n", r"matches ^\+PONG \d+\.\d+"], None, ""),
    ([r"send PING\r\n", r"starts PONG"], "answer", "the answer of 13 bytes does not begin with “PONG”"),
    ([r"send PING\r\nQUIT\r\n", r"expect PONG", r"expect bye"], None, ""),
    ([r"send PING\r\n", r"expect PONG", r"expect PONG"], "timeout", "step 3: waiting for the expected text"),
    (
        [r"send PING\r\n", r"expect PONG", r"starts -"],
        "answer",
        "step 3: the answer of 8 bytes does not begin with “-”",
    ),
    ([r"send PING\r\n", r"matches ^\+PONG 6"], "timeout", "after 13 bytes of another one"),
    ([r"send AUTH {secret}\r\n", r"expect +OK"], None, ""),
]


@pytest.mark.parametrize(("steps", "reason", "words"), TALKS)
async def test_a_talk_step_by_step(check: Check, steps: list[str], reason: str | None, words: str) -> None:
    timeout = 0.5 if reason == "timeout" else 60
    with threaded(redis) as port:
        secret = "hunter2" if "{secret}" in steps[0] else ""
        report = await check("tcp", host="127.0.0.1", port=port, steps=steps, secret=secret, timeout=timeout)
    assert report.reason == reason
    assert words in (report.message or "")


async def test_a_secret_is_in_no_message_and_no_evidence(check: Check) -> None:  # TRAP 24
    def echo(sock: socket.socket) -> None:
        sock.sendall(b"you said " + line(sock))
        sock.recv(1)

    steps = [r"send LOGIN {secret}\r\n", "starts welcome"]
    with threaded(echo) as port:
        report = await check("tcp", host="127.0.0.1", port=port, steps=steps, secret="hunter2")
    assert report.evidence["answer"] == "you said LOGIN •••\r\n"
    assert "hunter2" not in repr(report)


async def test_nor_is_its_beginning_where_the_answer_is_cut_off(check: Check) -> None:  # TRAP 24
    def echo(sock: socket.socket) -> None:
        sock.sendall(b"." * 495 + line(sock))
        sock.recv(1)

    with threaded(echo) as port:
        report = await check(
            "tcp", host="127.0.0.1", port=port, steps=[r"send {secret}\n", "starts x"], secret="hunter2"
        )
    assert report.evidence["answer"] == "." * 495 + "•••"


async def test_bytes_that_are_no_text(check: Check) -> None:
    with threaded(saying(b"\x00\xff\xfebinary")) as port:
        report = await check("tcp", host="127.0.0.1", port=port, steps=[r"matches ^\x00\xff.binary"])
    assert report.status is Status.UP


async def test_a_pattern_that_would_run_away_elsewhere(check: Check) -> None:  # TRAP 19
    with threaded(saying(b"a" * 60000 + b"!" + b"b" * 6000)) as port:
        report = await check("tcp", host="127.0.0.1", port=port, steps=["matches (a+)+(a|a)*$"])
    assert (report.status, report.reason) == (Status.DOWN, "answer")


async def test_a_talk_that_is_cut_in_the_middle(check: Check) -> None:
    def once(sock: socket.socket) -> None:
        line(sock)
        sock.sendall(b"+OK\r\n")
        line(sock)

    with threaded(once) as port:
        steps = [r"send a\n", r"expect OK\r\n", r"send b\n", "expect OK"]
        report = await check("tcp", host="127.0.0.1", port=port, steps=steps)
    assert (report.status, report.reason) == (Status.DOWN, "reset")
    assert report.message == "step 4: the connection was closed without an answer"


async def test_tls_from_the_first_byte(check: Check) -> None:
    with threaded(upgrading(None, server(LEAF, MIDDLE), redis)) as port:
        steps = [r"send PING\r\n", "expect PONG"]
        report = await check("tcp", host="127.0.0.1", port=port, tls="direct", steps=steps, **TRUST)

    assert (report.status, set(report.phases)) == (Status.UP, {"connect", "tls", "first_byte"})
    assert [link["subject"] for link in report.evidence["chain"]] == ["127.0.0.1", "Test Middle", "Test Root"]
    assert report.evidence["tls"]["version"] == "TLSv1.3"


@pytest.mark.parametrize("protocol", PRELUDES)
async def test_starttls_and_a_talk_behind_it(check: Check, protocol: str) -> None:
    with threaded(upgrading(PRELUDES[protocol], server(LEAF, MIDDLE), redis)) as port:
        steps = [r"send PING\r\n", "expect PONG"]
        report = await check("tcp", host="127.0.0.1", port=port, tls=protocol, steps=steps, **TRUST)
    assert (report.status, report.message) == (Status.UP, None)


def hanging_up(sock: socket.socket) -> None:
    sock.recv(1000)


STRANGE: list[tuple[str, Prelude, str, str]] = [
    ("smtp", saying(b"554 no service\r\n"), "protocol", "does not speak smtp: it says “554 no service”"),
    ("smtp", saying(b"220 hi\r\n", b"250-mail\r\n250 HELP\r\n"), "tls", "offers no TLS over smtp"),
    ("smtp", saying(b"220 hi\r\n", b"250 STARTTLS\r\n", b"454 not now\r\n"), "tls", "it says “454 not now”"),
    ("smtp", saying(b"220 hi\r\n", b"250 STARTTLS\r\n", b"220 go\r\n250 injected\r\n"), "protocol", "in the clear"),
    ("smtp", saying(b"220-hi\r\n" * 1000), "protocol", "does not speak smtp"),
    ("smtp", saying(b"x" * 100_000), "protocol", "does not speak smtp"),
    ("smtp", saying(b"HTTP/1.1 400 Bad Request\r\n\r\n"), "protocol", "does not speak smtp: it says “HTTP/1.1 400"),
    ("imap", saying(b"* BYE busy\r\n"), "protocol", "does not speak imap"),
    ("imap", saying(b"* OK hi\r\n", b"p1 BAD what\r\n"), "tls", "offers no TLS over imap"),
    ("imap", saying(b"* OK hi\r\n", b"* news\r\n" * 200), "protocol", "does not speak imap"),
    ("pop3", saying(b"-ERR busy\r\n"), "protocol", "does not speak pop3"),
    ("pop3", saying(b"+OK hi\r\n", b"-ERR what\r\n"), "tls", "offers no TLS over pop3"),
    ("ftp", saying(b"421 busy\r\n"), "protocol", "does not speak ftp"),
    ("ftp", saying(b"220 hi\r\n", b"502 what\r\n"), "tls", "offers no TLS over ftp"),
    ("postgres", saying(b"", b"N"), "tls", "offers no TLS over postgres"),
    ("postgres", saying(b"", b"Ewhat"), "protocol", "does not speak postgres"),
    ("ldap", saying(b"", b"\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\x35\x04\x00\x04\x00"), "tls", "result code 53"),
    ("ldap", saying(b"", b"\x30\x84\xff\xff\xff\xff"), "protocol", "does not speak ldap"),
    ("ldap", saying(b"", b"\x30\x03\x02\x01\x01"), "protocol", "does not speak ldap"),
    ("ldap", saying(b"", b"HTTP/1.1"), "protocol", "does not speak ldap"),
    ("ldap", saying(b"", b"SSH-2.0\r\nand more\r\n"), "protocol", "it says “SSH-2.0 and more”"),
    ("ldap", hanging_up, "reset", "closed the connection before TLS began"),
    ("pop3", saying(b""), "timeout", "waiting for pop3 to offer TLS"),
]


@pytest.mark.parametrize(("protocol", "handler", "reason", "words"), STRANGE)
async def test_starttls_that_does_not_come_about(
    check: Check, protocol: str, handler: Prelude, reason: str, words: str
) -> None:
    with threaded(handler) as port:
        report = await check(
            "tcp", host="127.0.0.1", port=port, tls=protocol, timeout=0.5 if reason == "timeout" else 60
        )
    assert (report.status, report.reason) == (Status.DOWN, reason)
    assert words in str(report.message)


async def test_certificates(check: Check) -> None:
    short = make("short", MIDDLE, names=("127.0.0.1",), days=9.5)
    with threaded(upgrading(None, server(short, MIDDLE))) as port:
        call = {"host": "127.0.0.1", "port": port, "tls": "direct"}
        soon = await check("tcp", **call, **TRUST)
        off = await check("tcp", **call, **TRUST, certificate_days=0)
        stranger = await check("tcp", **call)
        ignored = await check("tcp", **call, verify_tls=False, certificate_days=5)
        other = await check("tcp", **call, **TRUST, server_name="other.test")

    assert (soon.status, soon.reason) == (Status.DEGRADED, "certificate_expiry")
    assert "the certificate short ends in 9 days, on " in str(soon.message)
    assert (off.status, ignored.status) == (Status.UP, Status.UP)
    assert (stranger.status, stranger.reason) == (Status.DOWN, "certificate")
    assert "unknown authority" in str(stranger.message)
    assert len(stranger.evidence["chain"]) == 2
    assert "is not for other.test" in str(other.message)


async def test_the_least_version(check: Check) -> None:
    with threaded(upgrading(None, server(LEAF, MIDDLE, version="TLSv1"))) as port:
        call = {"host": "127.0.0.1", "port": port, "tls": "direct", **TRUST}
        refused = await check("tcp", **call)
        allowed = await check("tcp", **call, tls_minimum="1.0")
    assert (refused.status, refused.reason) == (Status.DOWN, "tls")
    assert "it does not speak TLS 1.2 or newer" in str(refused.message)
    assert (allowed.status, allowed.evidence["tls"]["version"]) == (Status.UP, "TLSv1")


async def test_sha1_and_short_keys_are_told_in_words(check: Check) -> None:
    root = make("Root", kind="rsa2048")
    weak = make("weak", root, kind="rsa1024", names=("127.0.0.1",))
    forged = make("forged", root, kind="rsa2048", names=("127.0.0.1",), sha1=True)
    messages = []
    for leaf in (weak, forged):
        with threaded(upgrading(None, server(leaf))) as port:
            report = await check("tcp", host="127.0.0.1", port=port, tls="direct", ca_certificates=root.pem)
        assert report.status is Status.DOWN
        messages.append(str(report.message))
    assert "is too short" in messages[0]
    assert "broken hash (SHA-1 or MD5)" in messages[1]


@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
async def test_a_client_certificate(check: Check, version: str) -> None:
    mine = make("me", ROOT, names=("me.test",))
    with threaded(upgrading(None, server(LEAF, MIDDLE, version=version, clients=ROOT), saying(b"welcome"))) as port:
        call = {"host": "127.0.0.1", "port": port, "tls": "direct", "expect": "welcome", **TRUST}
        without = await check("tcp", **call)
        right = await check("tcp", **call, client_certificate=mine.pem, client_key=mine.key_pem)
    assert (without.status, without.reason) == (Status.DOWN, "tls")
    assert "demands a client certificate" in str(without.message)
    assert right.status is Status.UP


async def test_tls_that_breaks_in_the_middle(check: Check) -> None:
    """Garbage below TLS is a broken connection, and no firewall: OpenSSL numbers its errors as it likes."""

    def garbage(sock: socket.socket) -> None:
        with server(LEAF, MIDDLE).wrap_socket(sock.dup(), server_side=True) as protected:
            exactly(protected, 4)
            sock.sendall(b"this is no record of TLS, and nothing else either")
            protected.recv(1)

    with threaded(garbage) as port:
        report = await check("tcp", host="127.0.0.1", port=port, tls="direct", send="ping", expect="x", **TRUST)
    assert (report.status, report.reason) == (Status.DOWN, "tls")
    assert "broke the TLS connection" in str(report.message)
    failure = failure_of(ssl.SSLError(1, "[SSL] words"), "192.0.2.1:443", "3 ms")
    assert isinstance(failure, CheckFailed)
    assert failure.reason == "tls"


async def test_fifty_at_once_with_different_policies_do_not_mix(check: Check) -> None:  # TRAP 15
    with threaded(upgrading(None, server(LEAF, MIDDLE), saying(b"hello"))) as port, threaded(saying(b"plain")) as bare:
        policies = [
            ({"port": port, "tls": "direct", "expect": "hello", **TRUST}, None),
            ({"port": port, "tls": "direct", "expect": "hello"}, "certificate"),
            ({"port": port, "tls": "direct", "verify_tls": False, "steps": ["starts nope"]}, "answer"),
            ({"port": bare, "steps": ["matches ^pl.in$"]}, None),
            ({"port": port, "tls": "direct", "server_name": "x.test", **TRUST}, "certificate"),
        ] * 10
        reports = await asyncio.gather(*[check("tcp", host="127.0.0.1", **options) for options, _ in policies])
    assert [report.reason for report in reports] == [reason for _, reason in policies]


async def test_cancelling_leaves_no_descriptor(check: Check, descriptors: Callable[[], int]) -> None:
    before = descriptors()
    async with serving(silent) as port:
        calls = [check("tcp", host="127.0.0.1", port=port, tls=kind) for kind in ("direct", "smtp", "ldap") * 4]
        await cancelled(calls, descriptors)
    assert await gone(descriptors, before)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("tls", {"tls": "gopher"}),
        ("steps", {"steps": ["shout hello"]}),
        ("steps", {"steps": ["expect"]}),
        ("steps", {"steps": ["matches (a"]}),
        ("steps", {"steps": ["expect a"], "send": "b"}),
        ("steps", {"steps": "expect a"}),
        ("secret", {"steps": [r"send AUTH {secret}\r\n", "expect +OK"]}),
        ("secret", {"send": "{secret}"}),
        ("secret", {"secret": "hush"}),
        ("secret", {"secret": "hush", "send": "{Secret}"}),
        ("secret", {"secret": "hush", "steps": ["send PING", "expect {secret}"]}),
        ("server_name", {"server_name": "http://x"}),
        ("certificate_days", {"certificate_days": -1}),
        ("tls_minimum", {"tls_minimum": "2.0"}),
        ("ca_certificates", {"ca_certificates": "x"}),
        ("client_key", {"client_certificate": LEAF.pem}),
        ("verify_tls", {"verify_tls": "no"}),
    ],
)
def test_a_bad_option_is_refused_by_its_name(name: str, options: dict[str, object]) -> None:
    with pytest.raises(InvalidInput) as refused:
        check_type("tcp").parse({"host": "example.org", "port": 1, **options})
    assert list(refused.value.fields) == [name]
