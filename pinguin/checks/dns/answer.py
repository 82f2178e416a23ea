"""What a DNS answer holds, and whether it is the one that was wanted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rrset

from pinguin.checks.counting import counted
from pinguin.checks.evidence import text
from pinguin.checks.findings import Finding
from pinguin.errors import CheckFailed

MOST_SHOWN = 20
MOST_ALIASES = 16


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the answer must be. name: as it was entered; question: as it is asked for."""

    name: str
    question: dns.name.Name
    kind: str
    expected: tuple[str, ...]
    match: Literal["any", "all", "exact", "contains", "none"]
    rcode: str
    authority: tuple[str, ...]
    flags: tuple[str, ...]
    minimum_serial: int
    minimum_ttl: int


class Told(NamedTuple):
    """What the server at `address` answered, in short."""

    address: str
    words: str


@dataclass(frozen=True, slots=True)
class Answer:
    """records: of the wanted type, as dig shows them, of the name itself or of the one its aliases lead to."""

    records: list[str]
    aliases: list[str]
    authority: list[str]
    ttl: int | None
    serial: int | None
    rcode: str
    flags: str

    def facts(self) -> dict[str, Any]:
        """For the evidence."""
        facts: dict[str, Any] = {
            "answers": [text(record, 300) for record in sorted(self.records)[:MOST_SHOWN]],
            "rcode": self.rcode,
            "flags": self.flags,
        }
        if self.ttl is not None:
            facts["ttl"] = self.ttl
        if self.aliases:
            facts["aliases"] = self.aliases[:MOST_SHOWN]
        if self.authority:
            facts["authority"] = [text(record, 300) for record in self.authority[:MOST_SHOWN]]
        if self.serial is not None:
            facts["serial"] = self.serial
        return facts

    def essence(self) -> str:
        """What two servers must have in common."""
        if self.serial is not None:
            return str(self.serial)
        return ", ".join(sorted(self.records)) or f"no record ({self.rcode})"


def read(answer: dns.message.Message, wanted: Wanted) -> Answer:
    """Raises CheckFailed("protocol") where its aliases lead in a circle."""
    kind = dns.rdatatype.from_text(wanted.kind)
    owner, aliases = _follow(answer, wanted) if wanted.kind not in ("CNAME", "RRSIG") else (wanted.question, [])
    # Records of names that nobody asked for are no answer, whatever the server means by them.
    sets = [each for each in answer.answer if each.rdtype == kind and each.name == owner]
    rdatas = [rdata for each in sets for rdata in each]
    return Answer(
        records=[as_text(rdata) for rdata in rdatas],
        aliases=aliases,
        authority=[
            f"{dns.rdatatype.to_text(each.rdtype)} {as_text(rdata)}" for each in answer.authority for rdata in each
        ],
        ttl=min((each.ttl for each in sets), default=None),
        serial=rdatas[0].serial if rdatas and wanted.kind == "SOA" else None,
        rcode=dns.rcode.to_text(answer.rcode()),
        flags=dns.flags.to_text(answer.flags),
    )


def _follow(answer: dns.message.Message, wanted: Wanted) -> tuple[dns.name.Name, list[str]]:
    """The name that the aliases in the answer lead to, and the aliases on the way."""
    targets = {each.name: each[0].target for each in answer.answer if each.rdtype == dns.rdatatype.CNAME and len(each)}
    name, seen = wanted.question, [wanted.question]
    while name in targets:
        name = targets[name]
        seen.append(name)
        if name in seen[:-1] or len(seen) > MOST_ALIASES:
            way = " → ".join(each.to_text() for each in seen[:6])
            raise CheckFailed("protocol", f"the aliases of {wanted.name} lead in a circle: {way}"[:400])
    return name, [each.to_text() for each in seen[1:]]


def as_text(rdata: dns.rdata.Rdata) -> str:
    if rdata.rdtype == dns.rdatatype.TXT:
        return b"".join(rdata.strings).decode("utf-8", "replace")  # type: ignore[attr-defined]
    return rdata.to_text()


def _with_type(rdata: dns.rdata.Rdata) -> str:
    return f"{dns.rdatatype.to_text(rdata.rdtype)} {as_text(rdata)}"


def check_code(answer: Answer, wanted: Wanted, latency: float) -> None:
    """Raises CheckFailed where the response code is another than the one that is wanted."""
    if answer.rcode == wanted.rcode:
        return
    if wanted.rcode == "NXDOMAIN" and answer.rcode == "NOERROR":
        raise CheckFailed("answer", f"{wanted.name} exists, and should not (NXDOMAIN)", latency_ms=latency)
    if answer.rcode == "NXDOMAIN":
        raise CheckFailed("dns", f"{wanted.name} does not exist (NXDOMAIN)", latency_ms=latency)
    instead = "" if wanted.rcode == "NOERROR" else f", not {wanted.rcode}"
    sentence = f"the name server answered {answer.rcode} for {wanted.name}{instead}"
    raise CheckFailed("dns", sentence, latency_ms=latency)


def findings(answer: Answer, wanted: Wanted) -> Iterator[Finding]:
    if wanted.rcode == "NOERROR":
        yield from _records(answer, wanted)
    for flag in wanted.flags:
        yield _flag(answer, flag)
    if wanted.authority:
        yield _authority(answer, wanted)
    if wanted.minimum_serial:
        yield _serial(answer, wanted)
    if wanted.minimum_ttl and answer.ttl is not None:
        sentence = f"the TTL of {wanted.name} is {answer.ttl} s; {wanted.minimum_ttl} s is the least"
        bad = answer.ttl < wanted.minimum_ttl
        yield _finding(f"TTL of {wanted.minimum_ttl} s or more", f"{answer.ttl} s", sentence if bad else "")


def _finding(condition: str, seen: str, sentence: str) -> Finding:
    """One whose failure is an answer other than the expected one; `sentence` is empty where all is well."""
    return Finding(condition[:200], seen[:200], "answer" if sentence else "", sentence)


_MATCHES = {"any": "any of", "all": "all of", "exact": "exactly", "contains": "contains"}


def _records(answer: Answer, wanted: Wanted) -> Iterator[Finding]:
    what = f"{wanted.kind} of {wanted.name}"
    seen = _few(sorted(answer.records)) or "none"
    if wanted.match == "none":
        unwanted = _unwanted(answer, wanted)
        condition = f"{what}: none of {_few(wanted.expected)}" if wanted.expected else f"{what}: no record"
        yield _finding(condition, seen, f"{what} is {_few(unwanted)}, and should not be" if unwanted else "")
        return
    if not answer.records:
        behind = f" behind its alias {answer.aliases[-1]}" if answer.aliases else ""
        yield _finding(f"{what}: a record", "none", f"{wanted.name} has no {wanted.kind} record{behind}")
        return
    if not wanted.expected:
        return
    missing, extra = _missing(answer, wanted), _extra(answer, wanted)
    parts = [f"{what} is {seen}"]
    parts += [f"missing: {_few(missing)}"] if missing else []
    parts += [f"not expected: {_few(extra)}"] if extra else []
    yield _finding(
        f"{what}: {_MATCHES[wanted.match]} {_few(wanted.expected)}", seen, "; ".join(parts) if parts[1:] else ""
    )


def _missing(answer: Answer, wanted: Wanted) -> list[str]:
    """The expected records that make the check fail."""
    if wanted.match == "contains":
        whole = [record.lower() for record in answer.records]
        return [each for each in wanted.expected if not any(each.strip().lower() in record for record in whole)]
    seen = {normal(record, wanted.kind) for record in answer.records}
    missing = [each for each in wanted.expected if normal(each, wanted.kind) not in seen]
    if wanted.match == "any" and len(missing) < len(wanted.expected):
        return []
    return missing


def _extra(answer: Answer, wanted: Wanted) -> list[str]:
    if wanted.match != "exact":
        return []
    expected = {normal(each, wanted.kind) for each in wanted.expected}
    return [record for record in answer.records if normal(record, wanted.kind) not in expected]


def _unwanted(answer: Answer, wanted: Wanted) -> list[str]:
    if not wanted.expected:
        return answer.records
    unwanted = {normal(each, wanted.kind) for each in wanted.expected}
    return [record for record in answer.records if normal(record, wanted.kind) in unwanted]


_FLAGS = {"AD": "does not vouch for DNSSEC (no AD bit)", "AA": "does not answer for its own zone (no AA bit)"}


def _flag(answer: Answer, flag: str) -> Finding:
    there = flag in answer.flags.split()
    return _finding(f"the {flag} bit", answer.flags, "" if there else f"the name server {_FLAGS[flag]}")


def _authority(answer: Answer, wanted: Wanted) -> Finding:
    seen = {normal(record, "") for record in answer.authority}
    missing = [each for each in wanted.authority if normal(each, "") not in seen]
    there = _few(answer.authority) or "empty"
    sentence = f"the authority section for {wanted.name} is {there}; missing: {_few(missing)}" if missing else ""
    return _finding(f"authority: {_few(wanted.authority)}", there, sentence)


def _serial(answer: Answer, wanted: Wanted) -> Finding:
    bad = answer.serial is not None and answer.serial < wanted.minimum_serial
    sentence = f"the serial of {wanted.name} is {answer.serial}; {wanted.minimum_serial} is the least"
    return _finding(f"serial {wanted.minimum_serial} or newer", str(answer.serial), sentence if bad else "")


def same_everywhere(told: Mapping[str, Told], wanted: Wanted) -> Finding:
    """told: what each server answered, the one that was asked first before the others."""
    what = "the serials" if wanted.kind == "SOA" else f"the {wanted.kind} records"
    seen = "; ".join(f"{server}: {each.words[:100]}" for server, each in told.items())
    same = len({each.words for each in told.values()}) == 1
    names: dict[str, list[str]] = {}
    for server, each in told.items():
        names.setdefault(each.address, []).append(server)
    doubles = [f"{' and '.join(servers)} are one" for servers in names.values() if len(servers) > 1]
    condition = f"the same on {counted(len(names), 'server')}" + (f" ({'; '.join(doubles)})" if doubles else "")
    return _finding(condition, seen, "" if same else f"{what} of {wanted.name} differ: {seen}"[:450])


def normal(record: str, kind: str) -> str:
    """Names are equal in any case and with or without the dot at the end, the parts of a text as they are or as dig
    shows them, the rest however it is written.
    """
    if kind == "TXT":
        record = record.strip()
        parts = _parsed(record, kind) if record.startswith('"') else None
        return as_text(parts) if parts else record.removeprefix('"').removesuffix('"')
    rdata = _parsed(record, kind) if kind else None
    return " ".join(word.rstrip(".").lower() for word in (rdata.to_text() if rdata else record).split())


def _parsed(record: str, kind: str) -> dns.rdata.Rdata | None:
    """None for what is no such record: it is compared as it is."""
    try:
        return dns.rdata.from_text(dns.rdataclass.IN, dns.rdatatype.from_text(kind), record.strip())
    except (dns.exception.DNSException, ValueError):
        return None


def wrong_authority(lines: Sequence[str]) -> str | None:
    for line in lines:
        kind, _, rest = line.strip().partition(" ")
        try:
            dns.rdatatype.from_text(kind)
        except (dns.exception.DNSException, ValueError):
            rest = ""
        if not rest:
            return f"{line[:40]!r} must be a type and a record: NS ns1.example.org."
    return None


def _few(records: Sequence[str]) -> str:
    return ", ".join(text(record, 100) for record in records[:5])[:200]
