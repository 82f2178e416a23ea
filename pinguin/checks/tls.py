"""Looks at the certificates of a port, and at nothing else: trust, names, dates, keys, hashes and the TLS version.

The latency is the time from the start of the look-up to the end of the TLS handshake.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Literal

import msgspec

from pinguin.checks.common import (
    Authorities,
    ClientCertificate,
    ClientKey,
    Host,
    IpVersion,
    Port,
    ServerName,
    SlowMs,
    TlsMinimum,
    wrong_tls,
)
from pinguin.checks.contract import CheckOptions, Context, Outcome
from pinguin.checks.counting import counted
from pinguin.checks.engine import starttls
from pinguin.checks.engine.certificate import now
from pinguin.checks.engine.chain import BROKEN_HASHES, Link, out_of_order
from pinguin.checks.engine.dial import dial
from pinguin.checks.engine.failures import failure_of
from pinguin.checks.engine.resolve import with_port
from pinguin.checks.engine.secure import Demand, Secured, TlsVersion, secure
from pinguin.checks.engine.stopwatch import Stopwatch, in_words
from pinguin.checks.findings import Finding, conclude
from pinguin.checks.verdict import ending, too_slow, wrong_host
from pinguin.errors import InvalidInput
from pinguin.fields import Examples, field

TITLE = "TLS certificate"

EXAMPLES: Examples = [
    ("The certificate of a web site.", {"host": "example.org"}),
    (
        "That of a mail server, with more notice.",
        {"host": "mail.example.org", "port": 25, "starttls": "smtp", "warning_days": 30},
    ),
    (
        "By one authority alone, in TLS 1.3, with longer keys.",
        {
            "host": "example.org",
            "port": 8443,
            "issuer_contains": "Let's Encrypt",
            "tls_minimum": "1.3",
            "minimum_rsa_bits": 3072,
        },
    ),
]

_FINGERPRINT = re.compile(r"[0-9a-f]{64}")


class Options(CheckOptions, frozen=True):
    host: Host
    port: Port = 443
    starttls: Annotated[
        Literal["no", "smtp", "imap", "pop3", "ftp", "postgres", "ldap"],
        field("STARTTLS", "no: TLS from the first byte. The others: asked for as that protocol does it."),
    ] = "no"
    warning_days: Annotated[
        int,
        field(
            "Warn before it ends",
            "With fewer days left on any certificate of the chain, the monitor is degraded. 0 turns this off.",
            unit="days",
            ge=0,
            le=365,
        ),
    ] = 21
    critical_days: Annotated[
        int,
        field("Down before it ends", "With fewer days left, it is down. 0 turns this off.", unit="days", ge=0, le=365),
    ] = 3
    slow_ms: SlowMs = 0
    server_name: ServerName = ""
    verify_tls: Annotated[
        bool,
        field(
            "Verify the certificate", "Its authority, its dates and its names. The rest counts anyway.", advanced=True
        ),
    ] = True
    ca_certificates: Authorities = ""
    tls_minimum: TlsMinimum = "1.2"
    minimum_rsa_bits: Annotated[
        int,
        field(
            "Shortest RSA key",
            "A shorter one in the chain is down. 0 is no limit.",
            unit="bits",
            advanced=True,
            ge=0,
            le=16384,
        ),
    ] = 2048
    minimum_ec_bits: Annotated[
        int,
        field(
            "Shortest ECDSA key",
            "A shorter one in the chain is down. 0 is no limit.",
            unit="bits",
            advanced=True,
            ge=0,
            le=521,
        ),
    ] = 224
    allow_sha1: Annotated[
        bool,
        field("Allow SHA-1", "Signatures over SHA-1 or MD5, which can be forged, below the root.", advanced=True),
    ] = False
    check_order: Annotated[
        bool,
        field("Check the chain's order", "Degraded where a certificate is not followed by its issuer.", advanced=True),
    ] = True
    issuer_contains: Annotated[
        str,
        field(
            "Issuer contains",
            "A text in the name of the one who signed the server's certificate, in upper or lower case.",
            placeholder="Let's Encrypt",
            advanced=True,
            max_length=200,
        ),
    ] = ""
    fingerprints: Annotated[
        list[str],
        field(
            "Fingerprints",
            "SHA-256 of the server's certificate, in hexadecimal digits; one of these it must be.",
            advanced=True,
            max_length=20,
        ),
    ] = msgspec.field(default_factory=list)
    client_certificate: ClientCertificate = ""
    client_key: ClientKey = ""
    ip_version: IpVersion = "any"

    def __post_init__(self) -> None:
        wrong = {
            "host": wrong_host(self.host),
            "critical_days": self._wrong_days(),
            "fingerprints": self._wrong_fingerprints(),
            **wrong_tls(self),
        }
        InvalidInput.raise_for(wrong.items())

    def target(self) -> str:
        return with_port(self.host, self.port)

    def pins(self) -> list[str]:
        return [plain_fingerprint(each) for each in self.fingerprints]

    def _wrong_days(self) -> str | None:
        if self.warning_days and self.critical_days > self.warning_days:
            return "must not be more than the days of the warning"
        return None

    def _wrong_fingerprints(self) -> str | None:
        wrong = [each for each in self.fingerprints if not _FINGERPRINT.fullmatch(plain_fingerprint(each))]
        return f"must be 64 hexadecimal digits; {wrong[0][:40]!r} is none" if wrong else None


async def check(options: Options, context: Context) -> Outcome:
    watch = Stopwatch(context)
    wire = await dial(options.host, options.port, options.ip_version, context, watch)
    name = options.server_name or options.host
    demand = Demand(
        verify=options.verify_tls,
        authorities=options.ca_certificates,
        least="1.0",  # what is too old, too short or broken is seen, and judged below, rather than refused unseen
        client_certificate=options.client_certificate,
        client_key=options.client_key,
    )
    try:
        if options.starttls != "no":
            await starttls.start(options.starttls, wire, watch)
        secured = await secure(wire, name, demand, context, watch)
        latency = secured.took_ms
    except OSError as error:
        raise failure_of(error, str(wire.address), in_words(watch.total_ms())) from None
    finally:
        wire.close()
    degraded = conclude(_findings(secured, options, name), context.evidence, latency)
    return Outcome(latency, degraded=degraded or too_slow(latency, options.slow_ms))


def _findings(secured: Secured, options: Options, name: str) -> Iterator[Finding]:
    yield _version(secured, options.tls_minimum, name)
    chain = secured.chain
    if not chain:
        yield Finding("readable", "no", "certificate", f"the certificate of {name} cannot be read")
        return
    yield from _days(chain, options)
    # A root is trusted for what it is; nobody looks at its signature, and its key has its own rules.
    below_root = [link for number, link in enumerate(chain) if number == 0 or not link.is_root]
    yield _keys(chain, options)
    if not options.allow_sha1:
        yield _hashes(below_root)
    if options.check_order:
        yield _order(secured.sent, name)
    if options.issuer_contains:
        yield _issuer(chain[0], options.issuer_contains)
    if options.fingerprints:
        yield _pin(chain[0], options.pins(), name)


def _version(secured: Secured, least: TlsVersion, name: str) -> Finding:
    spoken = secured.version.removeprefix("TLSv")
    spoken = spoken if "." in spoken else f"{spoken}.0"
    condition = f"TLS {least} or newer"
    if spoken >= least:
        return Finding(condition, f"TLS {spoken}")
    sentence = f"{name} speaks no newer TLS than {spoken}; {least} is the least"
    return Finding(condition, f"TLS {spoken}", "tls", sentence)


def _days(chain: list[Link], options: Options) -> Iterator[Finding]:
    link = min(chain, key=lambda each: each.not_after)
    left = link.days_left(now())
    what = f"the certificate {link.subject}"
    when = ending(link.not_after, left)
    if options.critical_days and left < options.critical_days:
        yield Finding(
            f"{counted(options.critical_days, 'day')} left", f"{left}", "certificate_expiry", f"{what} {when}"
        )
    elif options.warning_days:
        bad = left < options.warning_days
        reason, sentence = ("certificate_expiry", f"{what} {when}") if bad else ("", "")
        yield Finding(f"{counted(options.warning_days, 'day')} left", f"{left}", reason, sentence, down=False)


def _keys(chain: list[Link], options: Options) -> Finding:
    least = {"RSA": options.minimum_rsa_bits, "DSA": options.minimum_rsa_bits, "ECDSA": options.minimum_ec_bits}
    condition = f"keys: RSA of {options.minimum_rsa_bits} bits or more, ECDSA of {options.minimum_ec_bits}"
    value = ", ".join(f"{link.key} {link.bits}" if link.bits else link.key for link in chain)
    for link in chain:
        limit = least.get(link.key, 0)
        if link.bits < limit:
            sentence = f"the {link.key} key of {link.subject} has {link.bits} bits; {limit} is the least"
            return Finding(condition, value, "certificate", sentence)
    return Finding(condition, value)


def _hashes(links: list[Link]) -> Finding:
    value = ", ".join(link.hash or link.key for link in links)
    for link in links:
        if link.hash in BROKEN_HASHES:
            sentence = f"the certificate {link.subject} is signed with {link.hash.upper().replace('SHA1', 'SHA-1')}"
            return Finding("no SHA-1, no MD5", value, "certificate", f"{sentence}, which can be forged")
    return Finding("no SHA-1, no MD5", value)


def _order(sent: list[Link], name: str) -> Finding:
    wrong = out_of_order(sent)
    value = " ← ".join(link.subject for link in sent)[:300]
    if wrong is None:
        return Finding("chain in order", value)
    sentence = f"{name} sends its chain in the wrong order: {wrong.subject} did not sign what stands before it"
    return Finding("chain in order", value, "certificate", sentence, down=False)


def _issuer(leaf: Link, wanted: str) -> Finding:
    condition = f"issuer contains “{wanted}”"
    if wanted.lower() in leaf.issuer_name.lower():
        return Finding(condition, leaf.issuer_name[:200])
    sentence = f"the certificate was issued by {leaf.issuer_name[:200]}, not by “{wanted}”"
    return Finding(condition, leaf.issuer_name[:200], "certificate", sentence)


def _pin(leaf: Link, pins: list[str], name: str) -> Finding:
    if leaf.fingerprint in pins:
        return Finding("fingerprint", leaf.fingerprint)
    sentence = f"the certificate of {name} is not one of those expected: its SHA-256 is {leaf.fingerprint}"
    return Finding("fingerprint", leaf.fingerprint, "certificate", sentence)


def plain_fingerprint(written: str) -> str:
    return re.sub(r"[\s:]", "", written).lower()
