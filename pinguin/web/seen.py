"""Evidence in its parts, for people. Some version of a check wrote it: what is not as expected is shown as it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pinguin.model import PHASES
from pinguin.store.pages import ResultRow
from pinguin.web.views import Piece, in_a_row

_ROUND_TRIPS = ("sent", "received", "loss_percent", "min_ms", "avg_ms", "max_ms", "jitter_ms")


@dataclass(frozen=True, slots=True)
class Hop:
    """A request on the way to the last answer."""

    url: str
    status: Any
    address: str
    pieces: Sequence[Piece]


@dataclass(frozen=True, slots=True)
class Spread:
    """What the newest pings of a monitor have in common: over so many checks, packets, and ms."""

    checks: int
    sent: float
    received: float
    jitter_ms: float | None

    @property
    def lost(self) -> float:
        """Share of the packets, 0 to 1."""
        return max(0.0, 1 - self.received / self.sent) if self.sent else 0.0


@dataclass(frozen=True, slots=True)
class Seen:
    """What a check saw. trips: of a ping. rest: what has no place of its own."""

    phases: Sequence[Piece]
    conditions: Sequence[Mapping[str, Any]]
    hops: Sequence[Hop]
    answers: Sequence[Any]
    servers: Mapping[str, Any]
    trips: Mapping[str, float]
    domain: Mapping[str, Any]
    certificate: Mapping[str, Any]
    chain: Sequence[Mapping[str, Any]]
    headers: Mapping[str, Any]
    body: str
    rest: Mapping[str, Any]
    spread: Spread | None = None


def of(evidence: Mapping[str, Any]) -> Seen:
    rest = dict(evidence)
    timed = _taken(rest, "phases_ms", dict)
    return Seen(
        phases=_pieces(timed),
        conditions=_dicts(_taken(rest, "conditions", list)),
        hops=[_hop(each) for each in _dicts(_taken(rest, "hops", list))],
        answers=_taken(rest, "answers", list),
        servers=_taken(rest, "servers", dict),
        trips={name: rest.pop(name) for name in _ROUND_TRIPS if _is_number(rest.get(name))},
        domain=_taken(rest, "domain", dict),
        certificate=_taken(rest, "certificate", dict),
        chain=_dicts(_taken(rest, "chain", list)),
        headers=_taken(rest, "headers", dict),
        body=_taken(rest, "body_sample", str),
        rest=rest,
    )


def newest(results: Sequence[ResultRow]) -> Seen:
    """Of the newest result; its certificate and domain from the newest one that saw them."""
    found = [of(result.evidence) for result in results]
    if not found:
        return of({})
    held = next((each for each in found if each.certificate), found[0])
    domain = next((each.domain for each in found if each.domain), found[0].domain)
    return replace(found[0], certificate=held.certificate, chain=held.chain, domain=domain, spread=_spread(found))


def _spread(found: Sequence[Seen]) -> Spread | None:
    trips = [each.trips for each in found if "sent" in each.trips]
    if not trips:
        return None
    jitters = [each["jitter_ms"] for each in trips if "jitter_ms" in each]
    return Spread(
        len(trips),
        sum(each["sent"] for each in trips),
        sum(each.get("received", 0) for each in trips),
        sum(jitters) / len(jitters) if jitters else None,
    )


def _hop(hop: Mapping[str, Any]) -> Hop:
    phases = hop.get("phases")
    return Hop(
        str(hop.get("url", "")), hop.get("status"), str(hop.get("address") or ""),
        _pieces(phases if isinstance(phases, dict) else {}),
    )  # fmt: skip


def _pieces(phases: Mapping[str, Any]) -> list[Piece]:
    return in_a_row([(name, phases[name]) for name in PHASES if _is_number(phases.get(name)) and phases[name] >= 0])


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _dicts(found: Sequence[Any]) -> list[dict[str, Any]]:
    return [each for each in found if isinstance(each, dict)]


def _taken(rest: dict[str, Any], name: str, kind: type[Any]) -> Any:
    return rest.pop(name) if isinstance(rest.get(name), kind) else kind()
