"""Asks a name server for a name's records, and compares them with those that are expected.

The latency is the time until the answer, a second question over TCP included where the first answer was cut off.
"""

from __future__ import annotations

import asyncio
import ipaddress
from typing import Annotated, Any, Literal

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdata
import dns.rdatatype
import dns.reversename
import msgspec

from pinguin.checks.contract import CheckOptions, Context, Outcome, field
from pinguin.checks.engine.dial import find
from pinguin.checks.engine.dns_query import NotDns, SystemServers, Truncated, over_tcp, over_udp
from pinguin.checks.engine.failures import failure_of
from pinguin.checks.engine.resolve import Address
from pinguin.checks.engine.stopwatch import Stopwatch, in_words
from pinguin.checks.verdict import too_slow, wrong_host
from pinguin.errors import CheckFailed, InvalidInput

TITLE = "DNS record"

MOST_SHOWN = 20


class Options(CheckOptions, frozen=True):
    name: Annotated[
        str,
        field("Name", "For PTR, an address will do.", placeholder="example.org", min_length=1, max_length=253),
    ]
    record_type: Annotated[
        Literal["A", "AAAA", "CAA", "CNAME", "MX", "NS", "PTR", "SOA", "SRV", "TXT"], field("Record type")
    ] = "A"
    expected: Annotated[
        list[str],
        field("Expected records", "One a line, as dig shows them: 192.0.2.1, 10 mail.example.org.", max_length=50),
    ] = msgspec.field(default_factory=list)
    match: Annotated[
        Literal["any", "all"], field("Expect", "One of them at least, or all of them; further records do no harm.")
    ] = "any"
    slow_ms: Annotated[
        int, field("Slow above", "An answer that takes longer is degraded. 0 is no limit.", unit="ms", ge=0, le=600_000)
    ] = 0
    resolver: Annotated[
        str,
        field(
            "Name server",
            "host or host:port. Empty: this machine's own.",
            placeholder="192.0.2.53",
            advanced=True,
            max_length=260,
        ),
    ] = ""
    transport: Annotated[
        Literal["udp", "tcp"], field("Transport", "UDP goes on over TCP where the answer does not fit.", advanced=True)
    ] = "udp"

    def __post_init__(self) -> None:
        wrong = {"name": _wrong_name(self), "resolver": _wrong_resolver(self.resolver)}
        found = {name: words for name, words in wrong.items() if words}
        if found:
            raise InvalidInput(found)

    def target(self) -> str:
        return f"{self.name} {self.record_type}"


async def check(options: Options, context: Context) -> Outcome:
    watch = Stopwatch(context)
    question = dns.message.make_query(_question_name(options), options.record_type, use_edns=0, payload=1232)
    servers = await _servers(options, context, watch)
    watch.begin("asking")
    answer = await _first_answer(servers, question, options, context, watch)
    watch.done("dns")
    latency = watch.total_ms()
    records = _records(answer, options)
    context.evidence.update(_facts(answer, records, options))
    _judge(answer, records, options, latency)
    return Outcome(latency, degraded=too_slow(latency, options.slow_ms))


async def _servers(options: Options, context: Context, watch: Stopwatch) -> list[Address]:
    if not options.resolver:
        return context.resources.get(SystemServers).addresses()
    host, port = _host_and_port(options.resolver)
    return await find(host, port, "any", context, watch)


async def _first_answer(
    servers: list[Address],
    question: dns.message.QueryMessage,
    options: Options,
    context: Context,
    watch: Stopwatch,
) -> dns.message.Message:
    """The answer of the first server that gives one; they are asked in turn, as the system does."""
    for left in range(len(servers), 0, -1):
        server = servers[-left]
        context.evidence["resolver"] = str(server)
        watch.stage(f"waiting for the name server {server}")
        try:
            # A silent first server must not eat the time of the second one; the last has what remains.
            async with asyncio.timeout(watch.seconds_left() / left if left > 1 else None):
                return await _answer(server, question, options, context)
        except OSError as error:
            if left == 1:
                raise failure_of(error, str(server), in_words(watch.total_ms())) from None
        except NotDns:
            raise CheckFailed("protocol", f"what {server} sent is no answer to the question") from None
    raise AssertionError("there is at least one server")


async def _answer(
    server: Address, question: dns.message.QueryMessage, options: Options, context: Context
) -> dns.message.Message:
    context.evidence["transport"] = options.transport
    if options.transport == "tcp":
        return await over_tcp(server, question)
    try:
        return await over_udp(server, question)
    except Truncated:
        context.evidence["transport"] = "udp, then tcp"
        return await over_tcp(server, question)


def _records(answer: dns.message.Message, options: Options) -> list[str]:
    """The records of the type that was asked for, as dig shows them; behind aliases as well."""
    kind = dns.rdatatype.from_text(options.record_type)
    return [_as_text(rdata) for rrset in answer.answer if rrset.rdtype == kind for rdata in rrset]


def _as_text(rdata: dns.rdata.Rdata) -> str:
    if rdata.rdtype == dns.rdatatype.TXT:
        return b"".join(rdata.strings).decode("utf-8", "replace")  # type: ignore[attr-defined]
    return rdata.to_text()


def _facts(answer: dns.message.Message, records: list[str], options: Options) -> dict[str, Any]:
    kind = dns.rdatatype.from_text(options.record_type)
    ttls = [rrset.ttl for rrset in answer.answer if rrset.rdtype == kind]
    aliases = [rdata.to_text() for rrset in answer.answer if rrset.rdtype == dns.rdatatype.CNAME for rdata in rrset]
    facts: dict[str, Any] = {
        "answers": sorted(records)[:MOST_SHOWN],
        "rcode": dns.rcode.to_text(answer.rcode()),
        "flags": dns.flags.to_text(answer.flags),
    }
    if ttls:
        facts["ttl"] = min(ttls)
    if aliases and options.record_type != "CNAME":
        facts["aliases"] = aliases[:MOST_SHOWN]
    return facts


def _judge(answer: dns.message.Message, records: list[str], options: Options, latency: float) -> None:
    code = answer.rcode()
    if code == dns.rcode.NXDOMAIN:
        raise CheckFailed("dns", f"{options.name} does not exist (NXDOMAIN)", latency_ms=latency)
    if code != dns.rcode.NOERROR:
        name = dns.rcode.to_text(code)
        raise CheckFailed("dns", f"the name server answered {name} for {options.name}", latency_ms=latency)
    if not records:
        message = f"{options.name} has no {options.record_type} record"
        raise CheckFailed("answer", message, latency_ms=latency)
    missing = _missing(records, options)
    if missing:
        raise CheckFailed("answer", _unexpected(missing, records, options), latency_ms=latency)


def _missing(records: list[str], options: Options) -> list[str]:
    """The expected records that make the check fail."""
    seen = {_normal(record, options.record_type) for record in records}
    missing = [wanted for wanted in options.expected if _normal(wanted, options.record_type) not in seen]
    if options.match == "any" and len(missing) < len(options.expected):
        return []
    return missing


def _unexpected(missing: list[str], records: list[str], options: Options) -> str:
    what = f"{options.record_type} of {options.name}"
    return f"{what} is {', '.join(sorted(records)[:5])[:200]}; missing: {', '.join(missing[:5])[:200]}"


def _normal(record: str, record_type: str) -> str:
    """Names are equal in any case and with or without the dot at the end; texts are equal as they are."""
    if record_type == "TXT":
        return record.strip().removeprefix('"').removesuffix('"')
    if record_type in ("A", "AAAA"):
        try:
            return str(ipaddress.ip_address(record.strip()))
        except ValueError:
            return record
    return " ".join(word.rstrip(".").lower() for word in record.split())


def _question_name(options: Options) -> dns.name.Name:
    if options.record_type == "PTR":
        try:
            return dns.reversename.from_address(options.name.strip())
        except (dns.exception.SyntaxError, ValueError):
            pass
    return dns.name.from_text(options.name)


def _wrong_name(options: Options) -> str | None:
    try:
        _question_name(options)
    except (dns.exception.DNSException, UnicodeError, ValueError):
        return "is not a valid name"
    return "is not a valid name" if any(ord(letter) < 33 for letter in options.name) else None


def _wrong_resolver(resolver: str) -> str | None:
    if not resolver:
        return None
    try:
        host, port = _host_and_port(resolver)
    except ValueError:
        return "must be host or host:port ([address]:port for IPv6)"
    return wrong_host(host) if 1 <= port <= 65535 else "has a port that is not between 1 and 65535"


def _host_and_port(resolver: str) -> tuple[str, int]:
    """`host`, `host:port`, `::1` or `[::1]:port`. Raises ValueError."""
    if resolver.startswith("["):
        host, _, port = resolver[1:].partition("]")
        return host, int(port.removeprefix(":") or 53)
    if resolver.count(":") > 1:
        return resolver, 53
    host, _, port = resolver.partition(":")
    return host, int(port or 53)
