"""The options of the DNS check, strictly read."""

from __future__ import annotations

from typing import Annotated, Literal

import dns.exception
import dns.name
import dns.reversename
import msgspec

from pinguin.checks.common import Authorities, SlowMs, wrong_tls
from pinguin.checks.contract import CheckOptions
from pinguin.checks.dns import answer
from pinguin.checks.dns.servers import wrong_others, wrong_server
from pinguin.checks.engine.dns_types import RecordType
from pinguin.checks.engine.resolve import IpVersion
from pinguin.errors import InvalidInput
from pinguin.fields import field


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
            "compare_with": wrong_others(self.compare_with, self.resolver),
            "expected": "must be empty where an error is wanted" if self.expected and self.rcode != "NOERROR" else None,
            "authority": answer.wrong_authority(self.authority),
            "minimum_serial": "is for SOA alone" if self.minimum_serial and self.record_type != "SOA" else None,
            **wrong_tls(self),
        }
        InvalidInput.raise_for(wrong.items())

    def target(self) -> str:
        return f"{self.name} {self.record_type}"

    def wanted(self) -> answer.Wanted:
        return answer.Wanted(
            name=self.name,
            question=question_name(self),
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
        return wrong_server(self.resolver)


def question_name(options: Options) -> dns.name.Name:
    if options.record_type == "PTR":
        try:
            return dns.reversename.from_address(options.name.strip())
        except (dns.exception.SyntaxError, ValueError):
            pass
    return dns.name.from_text(options.name)


def _wrong_name(options: Options) -> str | None:
    try:
        question_name(options)
    except (dns.exception.DNSException, UnicodeError, ValueError):
        return "is not a valid name"
    return "is not a valid name" if any(ord(letter) < 33 for letter in options.name) else None
