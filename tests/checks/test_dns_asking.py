"""What may be asked of an answer beyond its records, who is asked, and servers that lie."""

from __future__ import annotations

import asyncio
import gc
import random
import socket
import weakref
from collections.abc import Callable
from contextlib import suppress
from typing import Any, get_args

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset
import pytest

from pinguin.checks import check_type
from pinguin.checks.dns import answer as dns_answer
from pinguin.checks.engine.dns_query import Truncated, parsed
from pinguin.checks.engine.dns_types import RecordType
from pinguin.checks.runner import Report
from pinguin.errors import CheckFailed, InvalidInput
from pinguin.model import Status
from tests.checks.conftest import Check, gone
from tests.checks.servers import Answers, name_server, zone

A = ["example.test. 60 IN A 192.0.2.1", "example.test. 60 IN A 192.0.2.2"]


def soa(serial: int) -> list[str]:
    return [f"example.test. 60 IN SOA ns.test. root.test. {serial} 2 3 4 5"]


def changed(answers: Answers, change: Callable[[dns.message.Message], None]) -> Answers:
    """The same answers, after `change`."""

    def changing(query: dns.message.Message, transport: str) -> bytes | None:
        message = dns.message.from_wire(answers(query, transport) or b"")
        change(message)
        return message.to_wire()

    return changing


async def ask(check: Check, answers: Answers, **options: Any) -> Report:
    async with name_server(answers) as port:
        return await check("dns", **{"name": "example.test", "resolver": f"127.0.0.1:{port}", "timeout": 2, **options})


def test_every_type_that_dnspython_knows_can_be_asked_for() -> None:
    questions = {"NONE", "TYPE0", "ANY", "OPT", "TKEY", "TSIG", "IXFR", "AXFR", "MAILA", "MAILB"}
    left_out = questions | {"BRID", "HHIT", "NXNAME"}  # too new: not every dnspython knows them
    known = {dns.rdatatype.to_text(each) for each in dns.rdatatype.RdataType}
    assert set(get_args(RecordType)) == known - left_out
    assert all(dns.rdatatype.from_text(name) for name in get_args(RecordType))


@pytest.mark.parametrize(
    ("kind", "record"),
    [
        ("HTTPS", '1 . alpn="h2"'),
        ("TLSA", "3 1 1 " + "ab" * 32),
        ("DS", "1 13 2 " + "cd" * 32),
        ("NAPTR", '10 20 "S" "SIP" "" sip.test.'),
        ("SSHFP", "4 2 " + "ef" * 32),
    ],
)
async def test_rarer_types(check: Check, kind: str, record: str) -> None:
    report = await ask(check, zone([f"example.test. 60 IN {kind} {record}"]), record_type=kind, expected=[record])
    assert (report.status, report.message) == (Status.UP, None)


@pytest.mark.parametrize(
    ("match", "expected", "words"),
    [
        ("exact", ["192.0.2.2", "192.0.2.1"], ""),
        ("exact", ["192.0.2.1"], "A of example.test is 192.0.2.1, 192.0.2.2; not expected: 192.0.2.2"),
        ("exact", ["192.0.2.1", "192.0.2.2", "192.0.2.3"], "missing: 192.0.2.3"),
        ("contains", ["192.0.2."], ""),
        ("contains", ["192.0.2.", "198.51"], "missing: 198.51"),
        ("none", ["192.0.2.3"], ""),
        ("none", ["192.0.2.2"], "A of example.test is 192.0.2.2, and should not be"),
        ("none", [], "A of example.test is 192.0.2.1, 192.0.2.2, and should not be"),
    ],
)
async def test_what_the_records_must_be(check: Check, match: str, expected: list[str], words: str) -> None:
    report = await ask(check, zone(A), match=match, expected=expected)
    assert report.reason == ("answer" if words else None)
    assert words in (report.message or "")
    (condition,) = report.evidence["conditions"]
    assert (condition["met"], condition["seen"]) == (not words, "192.0.2.1, 192.0.2.2")


async def test_no_record_may_be_what_is_wanted(check: Check) -> None:
    assert (await ask(check, zone([]), match="none")).status is Status.UP


@pytest.mark.parametrize(
    ("wanted", "given", "reason", "words"),
    [
        ("NXDOMAIN", "NXDOMAIN", None, ""),
        ("NXDOMAIN", "NOERROR", "answer", "example.test exists, and should not (NXDOMAIN)"),
        ("NXDOMAIN", "SERVFAIL", "dns", "answered SERVFAIL for example.test, not NXDOMAIN"),
        ("REFUSED", "REFUSED", None, ""),
        ("REFUSED", "NXDOMAIN", "dns", "does not exist"),
    ],
)
async def test_the_wanted_response_code(check: Check, wanted: str, given: str, reason: str | None, words: str) -> None:
    report = await ask(check, zone([], rcode=dns.rcode.from_text(given)), rcode=wanted)
    assert report.reason == reason
    assert words in (report.message or "")


@pytest.mark.parametrize(("option", "bit"), [("require_ad", dns.flags.AD), ("require_aa", dns.flags.AA)])
async def test_bits_that_are_required(check: Check, option: str, bit: dns.flags.Flag) -> None:
    def on(message: dns.message.Message) -> None:
        message.flags |= bit

    asked: list[int] = []

    def answers(query: dns.message.Message, transport: str) -> bytes | None:
        asked.append(query.flags)
        return zone(A)(query, transport)

    without = await ask(check, answers, **{option: True})
    assert (without.status, without.reason) == (Status.DOWN, "answer")
    assert f"no {bit.name} bit" in str(without.message)
    assert (await ask(check, changed(zone(A), on), **{option: True})).status is Status.UP
    assert bool(asked[0] & dns.flags.AD) is (option == "require_ad")


@pytest.mark.parametrize("recursion", [True, False])
async def test_recursion_is_asked_for_or_not(check: Check, recursion: bool) -> None:
    asked: list[int] = []

    def answers(query: dns.message.Message, transport: str) -> bytes | None:
        asked.append(query.flags)
        return zone(A)(query, transport)

    await ask(check, answers, recursion=recursion)
    assert [bool(flags & dns.flags.RD) for flags in asked] == [recursion]


async def test_the_authority_section(check: Check) -> None:
    def add(message: dns.message.Message) -> None:
        message.authority.append(dns.rrset.from_text("example.test.", 60, "IN", "NS", "ns1.test.", "ns2.test."))

    answers = changed(zone(A), add)
    right = await ask(check, answers, authority=["NS NS1.test", "NS ns2.test."])
    wrong = await ask(check, answers, authority=["NS ns3.test."])

    assert right.status is Status.UP
    assert sorted(right.evidence["authority"]) == ["NS ns1.test.", "NS ns2.test."]
    assert (wrong.status, wrong.reason) == (Status.DOWN, "answer")
    assert "missing: NS ns3.test." in str(wrong.message)
    assert "is empty" in str((await ask(check, zone(A), authority=["NS ns1.test"])).message)


@pytest.mark.parametrize(("least", "status"), [(2026, Status.UP), (2027, Status.DOWN)])
async def test_the_least_serial(check: Check, least: int, status: Status) -> None:
    report = await ask(check, zone(soa(2026)), record_type="SOA", minimum_serial=least)
    assert (report.status, report.evidence["serial"]) == (status, 2026)
    assert status is Status.UP or report.message == "the serial of example.test is 2026; 2027 is the least"


@pytest.mark.parametrize(("least", "status"), [(60, Status.UP), (61, Status.DOWN)])
async def test_the_least_ttl(check: Check, least: int, status: Status) -> None:
    report = await ask(check, zone(A), minimum_ttl=least)
    assert report.status is status
    assert status is Status.UP or report.message == "the TTL of example.test is 60 s; 61 s is the least"


async def test_serials_in_sync(check: Check) -> None:
    async with name_server(zone(soa(7))) as one, name_server(zone(soa(7))) as two, name_server(zone(soa(6))) as old:
        servers = [f"127.0.0.1:{port}" for port in (one, two, old)]
        call = {"name": "example.test", "record_type": "SOA", "resolver": servers[0]}
        same = await check("dns", **call, compare_with=servers[1:2])
        differ = await check("dns", **call, compare_with=servers[1:])

    assert same.status is Status.UP
    assert same.evidence["servers"] == {servers[0]: "7", servers[1]: "7"}
    assert (differ.status, differ.reason) == (Status.DOWN, "answer")
    assert f"the serials of example.test differ: {servers[0]}: 7; {servers[1]}: 7; {servers[2]}: 6" == differ.message


async def test_records_in_sync_in_any_order(check: Check) -> None:
    async with name_server(zone(A)) as one, name_server(zone(A[::-1])) as two, name_server(zone(A[:1])) as three:
        call = {"name": "example.test", "resolver": f"127.0.0.1:{one}"}
        same = await check("dns", **call, compare_with=[f"127.0.0.1:{two}"])
        differ = await check("dns", **call, compare_with=[f"127.0.0.1:{three}"])
    assert same.status is Status.UP
    assert "the A records of example.test differ" in str(differ.message)


BAD_SERVERS = [
    "[::1", "::1]", "[::1]:", "[::1]x", "[::1]:0", "[127.0.0.1]", "[]", "127.0.0.1:", "127.0.0.1:0", "127.0.0.1:65536",
    "host:99999", "host:999999", "host:+53", "host:5_3", "host: 53", ":53", " ", "a b", "fe80::1%lo:53", "fe80::1%",
]  # fmt: skip


@pytest.mark.parametrize("server", ["[::1", "127.0.0.1:", "127.0.0.1:0", "host:99999"])
def test_a_server_that_is_written_wrong_is_told_with_the_fix(server: str) -> None:
    fix = "must be host or host:port, or [address]:port for IPv6, with a port from 1 to 65535"
    with pytest.raises(InvalidInput) as refused:
        check_type("dns").parse({"name": "x.test", "resolver": server, "compare_with": [server]})
    assert refused.value.fields == {"resolver": fix, "compare_with": f"{server!r} {fix}"}


@pytest.mark.parametrize(
    ("asked", "others", "words"),
    [
        ("192.0.2.1", ["192.0.2.1:53"], "192.0.2.1:53 is the name server that is asked anyway; name others"),
        ("NS1.test.", ["ns2.test", "ns1.test"], "ns1.test is the name server that is asked anyway; name others"),
        ("[::1]:53", ["0:0::1"], "0:0::1 is the name server that is asked anyway; name others"),
        ("", ["ns1.test", "ns1.test:53"], "ns1.test:53 is there twice; name others"),
        ("ns1.test:54", ["ns1.test"], ""),
    ],
)
def test_a_server_is_not_compared_with_itself(asked: str, others: list[str], words: str) -> None:
    options = {"name": "x.test", "resolver": asked, "compare_with": others}
    if not words:
        check_type("dns").parse(options)
        return
    with pytest.raises(InvalidInput) as refused:
        check_type("dns").parse(options)
    assert refused.value.fields == {"compare_with": words}


async def test_two_names_of_one_server_count_once(check: Check) -> None:
    async with name_server(zone(A)) as one, name_server(zone(A)) as two:
        call = {"name": "example.test", "resolver": f"127.0.0.1:{one}", "ip_version": "4"}
        itself = await check("dns", **call, compare_with=[f"localhost:{one}"])
        both = await check("dns", **call, compare_with=[f"localhost:{one}", f"127.0.0.1:{two}"])
    names = f"127.0.0.1:{one} and localhost:{one} are one"
    assert itself.evidence["conditions"][-1]["condition"] == f"the same on 1 server ({names})"
    assert both.evidence["conditions"][-1]["condition"] == f"the same on 2 servers ({names})"


async def test_a_server_to_compare_with_that_does_not_answer(check: Check, descriptors: Callable[[], int]) -> None:
    before = descriptors()
    async with name_server(zone(A)) as one, name_server(lambda query, transport: None) as mute:
        with socket.socket() as closed:
            closed.bind(("127.0.0.1", 0))
            call = {"name": "example.test", "resolver": f"127.0.0.1:{one}", "timeout": 0.4}
            nobody = f"127.0.0.1:{closed.getsockname()[1]}"
            refused = await check("dns", **call, compare_with=[nobody, f"127.0.0.1:{mute}"], transport="tcp")
        late = await check("dns", **call, compare_with=[f"127.0.0.1:{mute}"])
    assert (refused.status, refused.reason) == (Status.DOWN, "refused")
    assert nobody in str(refused.message)
    assert (late.status, late.reason) == (Status.DOWN, "timeout")
    assert f"waiting for 127.0.0.1:{mute}" in str(late.message)
    assert await gone(descriptors, before)


async def test_a_comparison_that_fails_leaves_nothing_to_the_collector(check: Check) -> None:
    async with name_server(zone(A)) as one:
        call = {"name": "example.test", "resolver": f"127.0.0.1:{one}"}
        gc.disable()
        try:
            task = asyncio.create_task(check("dns", **call, compare_with=["127.0.0.1:1"]))
            assert (await task).reason == "refused"
            ended = weakref.ref(task)
            del task
            await asyncio.sleep(0)
            assert ended() is None
        finally:
            gc.enable()


@pytest.mark.parametrize(
    ("records", "reason", "words"),
    [
        (["example.test. 60 IN CNAME b.test.", "b.test. 60 IN CNAME example.test."], "protocol", "lead in a circle"),
        (["example.test. 60 IN CNAME example.test."], "protocol", "example.test. → example.test."),
        (
            [f"{'example' if n == 0 else f'n{n}'}.test. 60 IN CNAME n{n + 1}.test." for n in range(40)],
            "protocol",
            "lead in a circle",
        ),
        (["example.test. 60 IN CNAME b.test."], "answer", "has no A record behind its alias b.test."),
        (["evil.test. 60 IN A 192.0.2.66"], "answer", "example.test has no A record"),
        (["example.test. 60 IN CNAME b.test.", "example.test. 60 IN A 192.0.2.66"], "answer", "has no A record behind"),
    ],
)
async def test_aliases_that_lead_nowhere(check: Check, records: list[str], reason: str, words: str) -> None:
    report = await ask(check, zone(records))
    assert (report.status, report.reason) == (Status.DOWN, reason)
    assert words in str(report.message)


async def test_a_flood_of_wrong_answers_is_a_timeout_that_says_so(check: Check) -> None:
    def other(query: dns.message.Message, transport: str) -> bytes | None:
        query.id ^= 1
        return zone(A)(query, transport)

    report = await ask(check, other, timeout=0.3)
    assert (report.status, report.reason) == (Status.DOWN, "timeout")
    assert "1 datagram came that answered another question" in str(report.message)


def test_answers_of_noise_never_crash() -> None:
    """A header and a question that fit, and behind them whatever comes to mind, for every type."""
    noise = random.Random(1)
    understood = 0
    for kind in get_args(RecordType) * 30:
        wanted = check_type("dns").parse({"name": "example.test", "record_type": kind, "expected": ["x"]}).wanted()  # type: ignore[attr-defined]
        query = dns.message.make_query("example.test", kind)
        body = noise.randbytes(noise.choice([0, 1, 4, 8, 16, 20, 40, 100, 300]))
        number = dns.rdatatype.from_text(kind).to_bytes(2, "big")
        packet = bytearray(
            query.id.to_bytes(2, "big") + b"\x81\x80\0\1\0\1\0\0\0\0\7example\4test\0" + number + b"\0\1"
        )
        packet += b"\xc0\x0c" + number + b"\0\1\0\0\0\x3c" + len(body).to_bytes(2, "big") + body
        for _ in range(noise.choice([0, 0, 1, 3])):
            packet[noise.randrange(2, len(packet))] = noise.randrange(256)
        with suppress(CheckFailed, Truncated):
            answer = parsed(bytes(packet), query)
            if answer:
                found = dns_answer.read(answer, wanted)
                understood += 1
                dns_answer.check_code(found, wanted, 1.0)
                assert [*dns_answer.findings(found, wanted), found.facts(), found.essence()]
    assert understood > 100


async def test_fifty_at_once_with_different_policies_do_not_mix(check: Check) -> None:  # TRAP 15
    async with name_server(zone(A)) as one, name_server(zone([], rcode=3)) as two:
        policies: list[tuple[int, dict[str, Any], str | None]] = [
            (one, {"expected": ["192.0.2.1"]}, None),
            (one, {"expected": ["192.0.2.9"]}, "answer"),
            (two, {"rcode": "NXDOMAIN"}, None),
            (two, {"transport": "tcp"}, "dns"),
            (one, {"require_ad": True, "transport": "tcp"}, "answer"),
        ] * 10
        calls = [check("dns", name="example.test", resolver=f"127.0.0.1:{port}", **opts) for port, opts, _ in policies]
        reports = await asyncio.gather(*calls)
    assert [report.reason for report in reports] == [reason for _, _, reason in policies]


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("resolver", {"transport": "tls"}),
        ("compare_with", {"compare_with": ["127.0.0.1:x"]}),
        *(("resolver", {"resolver": each}) for each in BAD_SERVERS),
        *(("compare_with", {"compare_with": ["192.0.2.1", each]}) for each in BAD_SERVERS),
        ("expected", {"rcode": "NXDOMAIN", "expected": ["192.0.2.1"]}),
        ("authority", {"authority": ["ns1.test"]}),
        ("authority", {"authority": ["BOGUS x"]}),
        ("minimum_serial", {"minimum_serial": 5}),
        ("minimum_serial", {"record_type": "SOA", "minimum_serial": -1}),
        ("minimum_ttl", {"minimum_ttl": -1}),
        ("rcode", {"rcode": "GREAT"}),
        ("record_type", {"record_type": "AXFR"}),
        ("server_name", {"server_name": "a b"}),
        ("ca_certificates", {"ca_certificates": "x"}),
        ("require_ad", {"require_ad": 1}),
    ],
)
def test_a_bad_option_is_refused_by_its_name(name: str, options: dict[str, object]) -> None:
    with pytest.raises(InvalidInput) as refused:
        check_type("dns").parse({"name": "example.test", **options})
    assert list(refused.value.fields) == [name]
