from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import Any

import dns.flags
import dns.message
import dns.rcode
import pytest

from pinguin.checks import check_type
from pinguin.checks.engine.dns_query import SystemServers
from pinguin.checks.engine.resolve import Address, literal
from pinguin.errors import InvalidInput
from pinguin.model import Status
from tests.checks.conftest import Check, cancelled, gone
from tests.checks.servers import Answers, name_server, serving, silent, zone
from tests.ports import free_port

A = ["example.test. 60 IN A 192.0.2.1", "example.test. 60 IN A 192.0.2.2"]


async def test_an_answer_is_up_with_evidence(check: Check) -> None:
    async with name_server(zone(A)) as port:
        report = await check("dns", name="example.test", resolver=f"127.0.0.1:{port}")

    assert (report.status, report.reason, set(report.phases)) == (Status.UP, None, {"dns"})
    assert report.latency_ms
    assert report.evidence == {
        "resolver": f"127.0.0.1:{port}",
        "transport": "udp",
        "answers": ["192.0.2.1", "192.0.2.2"],
        "rcode": "NOERROR",
        "flags": "QR RD RA",
        "ttl": 60,
    }


RECORDS: list[tuple[str, str, str]] = [
    ("A", "192.0.2.1", "192.0.2.1"),
    ("AAAA", "2001:db8::1", "2001:DB8:0::1"),
    ("CAA", '0 issue "ca.test"', '0 issue "ca.test"'),
    ("CNAME", "other.test.", "Other.Test"),
    ("MX", "10 mail.test.", "10  mail.test"),
    ("NS", "ns.test.", "ns.test."),
    ("PTR", "host.test.", "host.test"),
    ("SOA", "ns.test. root.test. 1 2 3 4 5", "ns.test root.test 1 2 3 4 5"),
    ("SRV", "1 2 5060 sip.test.", "1 2 5060 sip.test"),
    ("TXT", '"v=spf1 " "-all"', "v=spf1 -all"),
    ("TXT", '"v=spf1 " "-all"', '"v=spf1 " "-all"'),  # as dig shows it
    ("TXT", '"say \\"hi\\""', 'say "hi"'),
    ("CAA", '0 issue "ca.test"', "0 issue ca.test"),
    ("DS", "1 13 2 " + "cd" * 32, "1 13 2 " + "CD" * 28 + " " + "CD" * 4),
]


@pytest.mark.parametrize(("kind", "record", "expected"), RECORDS)
async def test_every_record_type(check: Check, kind: str, record: str, expected: str) -> None:
    async with name_server(zone([f"example.test. 60 IN {kind} {record}"])) as port:
        resolver = f"127.0.0.1:{port}"
        right = await check("dns", name="example.test", record_type=kind, resolver=resolver, expected=[expected])
        wrong = await check("dns", name="example.test", record_type=kind, resolver=resolver, expected=["nonsense"])

    assert right.status is Status.UP
    assert (wrong.status, wrong.reason) == (Status.DOWN, "answer")
    assert "missing: nonsense" in str(wrong.message)


@pytest.mark.parametrize(
    ("match", "expected", "status"),
    [
        ("any", ["192.0.2.2", "192.0.2.9"], Status.UP),
        ("any", ["192.0.2.9"], Status.DOWN),
        ("all", ["192.0.2.2", "192.0.2.1"], Status.UP),
        ("all", ["192.0.2.2", "192.0.2.9"], Status.DOWN),
        ("all", [], Status.UP),
        ("any", [], Status.UP),
    ],
)
async def test_any_or_all_of_the_expected(check: Check, match: str, expected: list[str], status: Status) -> None:
    async with name_server(zone(A)) as port:
        report = await check("dns", name="example.test", resolver=f"127.0.0.1:{port}", match=match, expected=expected)

    assert report.status is status


async def test_records_behind_an_alias(check: Check) -> None:
    alias = ["www.test. 60 IN CNAME example.test.", *A]
    async with name_server(zone(alias)) as port:
        report = await check("dns", name="www.test", resolver=f"127.0.0.1:{port}", expected=["192.0.2.1"])

    assert report.status is Status.UP
    assert report.evidence["aliases"] == ["example.test."]


@pytest.mark.parametrize(
    ("rcode", "reason", "words"),
    [
        (dns.rcode.NXDOMAIN, "dns", "does not exist (NXDOMAIN)"),
        (dns.rcode.SERVFAIL, "dns", "answered SERVFAIL"),
        (dns.rcode.REFUSED, "dns", "answered REFUSED"),
        (dns.rcode.NOERROR, "answer", "has no A record"),
    ],
)
async def test_answers_without_records(check: Check, rcode: int, reason: str, words: str) -> None:
    async with name_server(zone([], rcode=rcode)) as port:
        report = await check("dns", name="example.test", resolver=f"127.0.0.1:{port}")

    assert (report.status, report.reason) == (Status.DOWN, reason)
    assert words in str(report.message)
    assert report.evidence["rcode"] == dns.rcode.to_text(dns.rcode.Rcode(rcode))
    assert report.latency_ms


async def test_silence(check: Check) -> None:
    async with name_server(lambda query, transport: None) as port:
        for transport in ("udp", "tcp"):
            resolver = f"127.0.0.1:{port}"
            report = await check("dns", name="example.test", resolver=resolver, transport=transport, timeout=0.2)
            assert (report.status, report.reason, report.latency_ms) == (Status.DOWN, "timeout", None)
            assert report.message == f"no answer within 0.2 s (waiting for the name server {resolver})"


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_nobody_listens(check: Check, transport: str) -> None:
    port = free_port()
    report = await check("dns", name="example.test", resolver=f"127.0.0.1:{port}", transport=transport)

    assert (report.status, report.reason) == (Status.DOWN, "refused")


async def test_a_truncated_answer_is_asked_for_again_over_tcp(check: Check) -> None:
    async with name_server(zone(A, truncated=True)) as port:
        report = await check("dns", name="example.test", resolver=f"127.0.0.1:{port}", expected=["192.0.2.1"])

    assert report.status is Status.UP
    assert report.evidence["transport"] == "udp, then tcp"


async def test_an_answer_that_is_cut_in_the_middle_of_a_record(check: Check) -> None:
    def answers(query: dns.message.Message, transport: str) -> bytes | None:
        whole = zone(A)(query, transport)
        assert whole
        return whole if transport == "tcp" else whole[:2] + bytes([whole[2] | 0x02]) + whole[3:-3]

    async with name_server(answers) as port:
        report = await check("dns", name="example.test", resolver=f"127.0.0.1:{port}")

    assert report.status is Status.UP


async def test_a_server_that_only_speaks_udp_and_truncates(check: Check) -> None:
    """A firewall lets UDP through alone: whoever reads it must not look for the fault in UDP."""

    def cut(query: dns.message.Message, transport: str) -> bytes:
        message = dns.message.make_response(query)
        message.flags |= dns.flags.TC
        return message.to_wire()

    async with name_server(cut, tcp=False) as port:
        report = await check("dns", name="example.test", resolver=f"127.0.0.1:{port}")

    assert (report.status, report.reason) == (Status.DOWN, "refused")
    assert str(report.message).endswith(", over TCP, as its answer over UDP was cut off")
    assert report.evidence["transport"] == "udp, then tcp"


async def test_tcp_alone(check: Check) -> None:
    async with name_server(zone(A)) as port:
        report = await check("dns", name="example.test", resolver=f"127.0.0.1:{port}", transport="tcp")

    assert (report.status, report.evidence["transport"]) == (Status.UP, "tcp")


def other_id(query: dns.message.Message, transport: str) -> bytes | None:
    query.id ^= 1
    return zone(A)(query, transport)


def other_name(query: dns.message.Message, transport: str) -> bytes | None:
    other = dns.message.make_query("evil.test", "A", id=query.id)
    return zone(["evil.test. 60 IN A 192.0.2.66"])(other, transport)


def garbage(query: dns.message.Message, transport: str) -> bytes | None:
    return query.id.to_bytes(2, "big") + random.Random(1).randbytes(40)


LIARS: list[Answers] = [other_id, other_name, garbage]


@pytest.mark.parametrize("liar", LIARS)
async def test_an_answer_to_another_question_is_no_answer(check: Check, liar: Answers) -> None:
    async with name_server(liar) as port:
        over_udp = await check("dns", name="example.test", resolver=f"127.0.0.1:{port}", timeout=0.2)
        over_tcp = await check("dns", name="example.test", resolver=f"127.0.0.1:{port}", transport="tcp")

    assert (over_udp.status, over_udp.reason) == (Status.DOWN, "timeout")
    assert (over_tcp.status, over_tcp.reason) == (Status.DOWN, "protocol")


async def test_a_tcp_server_that_closes_early(check: Check) -> None:
    async def closing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(b"\x00\xff123")

    async with serving(closing) as port:
        report = await check("dns", name="example.test", resolver=f"127.0.0.1:{port}", transport="tcp")

    assert (report.status, report.reason) == (Status.DOWN, "reset")


async def test_a_lost_datagram_is_sent_again(check: Check, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pinguin.checks.engine.dns_query.AGAIN", (0.05, 0.05))
    asked: list[int] = []

    def answers(query: dns.message.Message, transport: str) -> bytes | None:
        asked.append(query.id)
        return zone(A)(query, transport) if len(asked) == 3 else None

    async with name_server(answers) as port:
        report = await check("dns", name="example.test", resolver=f"127.0.0.1:{port}")

    assert (report.status, len(asked)) == (Status.UP, 3)


async def test_the_systems_servers_are_asked_in_turn(check: Check, monkeypatch: pytest.MonkeyPatch) -> None:
    async with name_server(lambda query, transport: None) as mute, name_server(zone(A)) as good:
        servers = [address for port in (mute, free_port(), good) for address in literal("127.0.0.1", port) or []]
        monkeypatch.setattr(SystemServers, "addresses", lambda self: servers)
        report = await check("dns", name="example.test", timeout=0.6)

    assert report.status is Status.UP
    assert report.evidence["resolver"] == f"127.0.0.1:{good}"


def test_the_systems_servers_are_addresses() -> None:
    assert all(isinstance(server, Address) for server in SystemServers().addresses())


async def test_a_server_by_name(check: Check) -> None:
    async with name_server(zone(A)) as port:
        report = await check("dns", name="example.test", resolver=f"localhost:{port}", timeout=2)

    assert report.status is Status.UP


async def test_ptr_takes_an_address(check: Check) -> None:
    names: list[str] = []

    def answers(query: dns.message.Message, transport: str) -> bytes | None:
        names.append(query.question[0].name.to_text())
        return zone([f"{names[0]} 60 IN PTR host.test."])(query, transport)

    async with name_server(answers) as port:
        report = await check("dns", name="192.0.2.1", record_type="PTR", resolver=f"127.0.0.1:{port}")

    assert (report.status, names) == (Status.UP, ["1.2.0.192.in-addr.arpa."])


async def test_slower_than_the_limit_is_degraded(check: Check, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pinguin.checks.engine.dns_query.AGAIN", (0.05,))
    first: list[bool] = []

    def answers(query: dns.message.Message, transport: str) -> bytes | None:
        first.append(True)
        return zone(A)(query, transport) if len(first) > 1 else None

    async with name_server(answers) as port:
        report = await check("dns", name="example.test", resolver=f"127.0.0.1:{port}", slow_ms=10)

    assert (report.status, report.reason) == (Status.DEGRADED, "slow")


async def test_cancelling_leaves_no_descriptor(check: Check, descriptors: Callable[[], int]) -> None:
    before = descriptors()
    async with name_server(lambda query, transport: None) as port, serving(silent) as stall:
        calls: list[dict[str, Any]] = [
            {"resolver": f"127.0.0.1:{port}"},
            {"resolver": f"127.0.0.1:{stall}", "transport": "tcp"},
        ]
        await cancelled([check("dns", name="example.test", **call) for call in calls * 5], descriptors)
    assert await gone(descriptors, before)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("name", {"name": "a..b"}),
        ("name", {"name": "a b.test"}),
        ("name", {"name": "a" * 64 + ".test"}),
        ("name", {}),
        ("record_type", {"record_type": "BOGUS"}),
        ("resolver", {"resolver": "127.0.0.1:port"}),
        ("resolver", {"resolver": "127.0.0.1:99999"}),
        ("resolver", {"resolver": "http://127.0.0.1"}),
        ("resolver", {"resolver": ":53"}),
        ("transport", {"transport": "carrier pigeon"}),
        ("match", {"match": "some"}),
        ("expected", {"expected": "192.0.2.1"}),
    ],
)
def test_a_bad_option_is_refused_by_its_name(name: str, options: dict[str, object]) -> None:
    whole = {"name": "example.test", **options} if options else {}
    with pytest.raises(InvalidInput) as refused:
        check_type("dns").parse(whole)
    assert list(refused.value.fields) == [name]


@pytest.mark.parametrize("resolver", ["", "127.0.0.1", "127.0.0.1:5353", "::1", "[::1]:5353", "[::1]", "ns.test:53"])
def test_ways_to_write_a_server(resolver: str) -> None:
    assert check_type("dns").parse({"name": "example.test", "resolver": resolver}).target() == "example.test A"
