"""Asks name servers for a name's records, and compares them with those that are expected.

The latency is the time until the answer, a second question over TCP included where the first answer was cut off.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Annotated, Literal

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.reversename
import msgspec

from pinguin.checks import dns_answer
from pinguin.checks.common import Authorities, SlowMs, wrong_tls
from pinguin.checks.contract import CheckOptions, Context, Outcome
from pinguin.checks.counting import counted
from pinguin.checks.engine.dial import find
from pinguin.checks.engine.dns_query import NotDns, SystemServers, Truncated, over_tcp, over_udp
from pinguin.checks.engine.dns_types import RecordType
from pinguin.checks.engine.failures import failure_of
from pinguin.checks.engine.resolve import Address, IpVersion
from pinguin.checks.engine.secure import Demand, secure
from pinguin.checks.engine.stopwatch import Stopwatch, in_words
from pinguin.checks.engine.wire import Wire
from pinguin.checks.findings import conclude
from pinguin.checks.verdict import too_slow, wrong_host
from pinguin.errors import CheckFailed, CheckImpossible, InvalidInput
from pinguin.fields import Examples, field

TITLE = "DNS record"

EXAMPLES: Examples = [
    ("A name that has an address.", {"name": "example.org"}),
    (
        "These mail servers and no others, asked of one name server.",
        {
            "name": "example.org",
            "record_type": "MX",
            "expected": ["10 mx1.example.org.", "20 mx2.example.org."],
            "match": "exact",
            "resolver": "192.0.2.53",
        },
    ),
    (
        "The same serial on all servers of a zone.",
        {
            "name": "example.org",
            "record_type": "SOA",
            "resolver": "ns1.example.org",
            "compare_with": ["ns2.example.org", "ns3.example.org"],
            "recursion": False,
            "require_aa": True,
        },
    ),
    (
        "Over TLS, with DNSSEC verified.",
        {"name": "example.org", "resolver": "dns.example.org", "transport": "tls", "require_ad": True},
    ),
    ("A name that must not exist.", {"name": "old.example.org", "rcode": "NXDOMAIN"}),
]

PORTS = {"udp": 53, "tcp": 53, "tls": 853}


class Options(CheckOptions, frozen=True):
    name: Annotated[
        str,
        field("Name", "For PTR, an address will do.", placeholder="example.org", min_length=1, max_length=253),
    ]
    record_type: Annotated[RecordType, field("Record type")] = "A"
    expected: Annotated[
        list[str],
        field("Expected records", "One a line, as dig shows them: 192.0.2.1, 10 mail.example.org.", max_length=50),
    ] = msgspec.field(default_factory=list)
    match: Annotated[
        Literal["any", "all", "exact", "contains", "none"],
        field(
            "Expect",
            "any: one of them at least. all: all of them, and others do no harm. exact: these and no others. contains: "
            "each is a part of some record. none: not one of them; with none named, no record at all.",
        ),
    ] = "any"
    rcode: Annotated[
        Literal["NOERROR", "NXDOMAIN", "SERVFAIL", "REFUSED", "FORMERR", "NOTIMP", "NOTAUTH"],
        field("Response code", "NXDOMAIN: the name must not exist.", advanced=True),
    ] = "NOERROR"
    slow_ms: SlowMs = 0
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
        Literal["udp", "tcp", "tls"],
        field("Transport", "udp goes on over TCP where the answer does not fit. tls: DNS over TLS.", advanced=True),
    ] = "udp"
    compare_with: Annotated[
        list[str],
        field(
            "Same on these servers",
            "Further name servers that must give the same records; for SOA, the same serial.",
            advanced=True,
            max_length=20,
        ),
    ] = msgspec.field(default_factory=list)
    authority: Annotated[
        list[str],
        field(
            "Expected authority",
            "Records that the authority section must hold, with their type: NS ns1.example.org.",
            advanced=True,
            max_length=50,
        ),
    ] = msgspec.field(default_factory=list)
    require_ad: Annotated[
        bool, field("Authenticated", "The server must say that it has verified DNSSEC (the AD bit).", advanced=True)
    ] = False
    require_aa: Annotated[
        bool, field("Authoritative", "The server must answer for a zone of its own (the AA bit).", advanced=True)
    ] = False
    recursion: Annotated[
        bool, field("Ask for recursion", "Off for a server that answers for its own zones alone.", advanced=True)
    ] = True
    minimum_serial: Annotated[
        int, field("Least serial", "For SOA. 0 is no limit.", advanced=True, ge=0, le=4_294_967_295)
    ] = 0
    minimum_ttl: Annotated[
        int,
        field("Least TTL", "A shorter one is down. 0 is no limit.", unit="s", advanced=True, ge=0, le=2_147_483_647),
    ] = 0
    verify_tls: Annotated[bool, field("Verify the certificate", "Of the name server, over TLS.", advanced=True)] = True
    ca_certificates: Authorities = ""
    server_name: Annotated[
        str,
        field(
            "Server name",
            "The name that the certificate must be for. Empty: the server's host.",
            advanced=True,
            max_length=253,
        ),
    ] = ""
    ip_version: Annotated[
        IpVersion, field("IP version", "Which addresses of the name server to use.", advanced=True)
    ] = "any"

    def __post_init__(self) -> None:
        wrong = {
            "name": _wrong_name(self),
            "resolver": self._wrong_resolver(),
            "compare_with": next(filter(None, map(_wrong_server, self.compare_with)), None),
            "expected": "must be empty where an error is wanted" if self.expected and self.rcode != "NOERROR" else None,
            "authority": dns_answer.wrong_authority(self.authority),
            "minimum_serial": "is for SOA alone" if self.minimum_serial and self.record_type != "SOA" else None,
            **wrong_tls(self),
        }
        InvalidInput.raise_for(wrong.items())

    def target(self) -> str:
        return f"{self.name} {self.record_type}"

    def wanted(self) -> dns_answer.Wanted:
        return dns_answer.Wanted(
            name=self.name,
            question=_question_name(self),
            kind=self.record_type,
            expected=tuple(self.expected),
            match=self.match,
            rcode=self.rcode,
            authority=tuple(self.authority),
            flags=tuple(flag for flag, on in (("AD", self.require_ad), ("AA", self.require_aa)) if on),
            minimum_serial=self.minimum_serial,
            minimum_ttl=self.minimum_ttl,
        )

    def _wrong_resolver(self) -> str | None:
        if not self.resolver:
            return "is required for DNS over TLS" if self.transport == "tls" else None
        return _wrong_server(self.resolver)


async def check(options: Options, context: Context) -> Outcome:
    watch = Stopwatch(context)
    ask = _Asking(options, context, watch)
    answer = await ask.first_answer()
    watch.done("dns")
    latency = watch.total_ms()
    wanted = options.wanted()
    found = dns_answer.read(answer, wanted)
    context.evidence.update(found.facts())
    dns_answer.check_code(found, wanted, latency)
    findings = list(dns_answer.findings(found, wanted))
    if options.compare_with and not any(each.reason for each in findings):
        findings.append(await ask.others(found, wanted))
    degraded = conclude(findings, context.evidence, latency)
    return Outcome(latency, degraded=degraded or too_slow(latency, options.slow_ms))


class _Asking:
    """The questions of one check."""

    def __init__(self, options: Options, context: Context, watch: Stopwatch) -> None:
        self._options, self._context, self._watch = options, context, watch
        self._strange = 0
        self._over_tcp = ""

    async def first_answer(self) -> dns.message.Message:
        """The answer of the first server that gives one; they are asked in turn, as the system does."""
        servers = await self._servers()
        self._watch.begin("asking")
        for left in range(len(servers), 0, -1):
            server = servers[-left]
            self._context.evidence["resolver"] = str(server)
            self._watch.stage(f"waiting for the name server {server}")
            self._over_tcp = ""
            try:
                # A silent first server must not eat the time of the second one; the last has what remains.
                async with asyncio.timeout(self._watch.seconds_left() / left if left > 1 else None):
                    return await self._answer(server, self._options.resolver)
            except OSError as error:
                if left == 1:
                    raise self._failure(error, str(server)) from None
        raise AssertionError("there is at least one server")

    async def others(self, mine: dns_answer.Answer, wanted: dns_answer.Wanted) -> dns_answer.Finding:
        """Whether all further servers answer the same. They are asked at once."""
        servers = self._options.compare_with
        self._watch.stage(f"waiting for {', '.join(servers)[:200]}")
        answers = await _all([partial(self._aside()._other, server, wanted) for server in servers])
        told = {self._context.evidence["resolver"]: mine.essence()} | dict(zip(servers, answers, strict=True))
        self._context.evidence["servers"] = {name: seen[:200] for name, seen in told.items()}
        return dns_answer.same_everywhere(told, wanted)

    def _aside(self) -> _Asking:
        """Asks another server meanwhile, with phases and evidence of its own, which nobody looks at."""
        context = Context(timeout=self._watch.seconds_left(), resources=self._context.resources)
        return _Asking(self._options, context, Stopwatch(context))

    async def _other(self, server: str, wanted: dns_answer.Wanted) -> str:
        """What `server` answers, in short; an error is told as such."""
        host, port = host_and_port(server, PORTS[self._options.transport])
        try:
            address = (await find(host, port, self._options.ip_version, self._context, self._watch))[0]
            return dns_answer.read(await self._answer(address, server), wanted).essence()
        except CheckFailed as failure:
            raise CheckFailed(failure.reason, f"{server}: {failure.message}") from None
        except OSError as error:
            raise self._failure(error, server) from None

    def _failure(self, error: OSError, server: str) -> CheckFailed | CheckImpossible:
        return failure_of(error, server, in_words(self._watch.total_ms()) + self._over_tcp)

    async def _servers(self) -> list[Address]:
        options = self._options
        if not options.resolver:
            return self._context.resources.get(SystemServers).addresses()
        host, port = host_and_port(options.resolver, PORTS[options.transport])
        return await find(host, port, options.ip_version, self._context, self._watch)

    async def _answer(self, server: Address, written: str) -> dns.message.Message:
        """written: the server as the options name it. Raises OSError, CheckFailed."""
        options, evidence, resources = self._options, self._context.evidence, self._context.resources
        question = self._question()
        evidence["transport"] = options.transport
        try:
            if options.transport == "tls":
                return await over_tcp(server, question, resources, partial(self._secure, written))
            if options.transport == "tcp":
                return await over_tcp(server, question, resources)
            try:
                return await over_udp(server, question, resources, partial(self._note_strange, server))
            except Truncated:
                evidence["transport"] = "udp, then tcp"
                self._over_tcp = ", over TCP, as its answer over UDP was cut off"
                self._watch.stage(f"waiting for the name server {server}{self._over_tcp}")
                return await over_tcp(server, question, resources)
        except NotDns:
            raise CheckFailed("protocol", f"what {server} sent is no answer to the question") from None

    async def _secure(self, written: str, wire: Wire) -> None:
        options = self._options
        host, _ = host_and_port(written, PORTS["tls"])
        demand = Demand(verify=options.verify_tls, authorities=options.ca_certificates, alpn=("dot",))
        await secure(wire, options.server_name or host, demand, self._context, self._watch)
        self._watch.begin(f"waiting for the name server {wire.address}")

    def _note_strange(self, server: Address) -> None:
        self._strange += 1
        words = f"{counted(self._strange, 'datagram')} came that answered another question"
        self._watch.stage(f"waiting for the name server {server}; {words}")

    def _question(self) -> dns.message.QueryMessage:
        options = self._options
        question = dns.message.make_query(_question_name(options), options.record_type, use_edns=0, payload=1232)
        if not options.recursion:
            question.flags &= ~dns.flags.RD
        if options.require_ad:
            question.flags |= dns.flags.AD  # RFC 6840, 5.7: tell me whether you have verified it
        return question


async def _all(calls: Sequence[Callable[[], Awaitable[str]]]) -> list[str]:
    """The results, in order. The first failure ends the others.

    Without a TaskGroup: on Python 3.11.2, which Debian 12 has, one that failed takes later timeouts for cancellations.
    """
    tasks = [asyncio.ensure_future(call()) for call in calls]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        del task, tasks[:]  # an exception whose traceback leads to its own task would wait for the collector


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


def _wrong_server(server: str) -> str | None:
    try:
        host, port = host_and_port(server, 53)
    except ValueError:
        return "must be host or host:port ([address]:port for IPv6)"
    return wrong_host(host) if 1 <= port <= 65535 else "has a port that is not between 1 and 65535"


def host_and_port(server: str, default: int) -> tuple[str, int]:
    """`host`, `host:port`, `::1` or `[::1]:port`. Raises ValueError."""
    if server.startswith("["):
        host, _, port = server[1:].partition("]")
        return host, int(port.removeprefix(":") or default)
    if server.count(":") > 1:
        return server, default
    host, _, port = server.partition(":")
    return host, int(port or default)
