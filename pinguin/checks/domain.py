"""Asks the registry of a domain, by RDAP, until when it is registered, by whom, and in what state.

A domain that is not registered, whose registration has ended, or which the registry has taken out of the DNS is down;
one that ends soon is degraded. Where the registry gives no answer, or does not tell the date, the result is unknown:
that says nothing of the domain. Registries answer a few questions an hour and refuse more: an interval of some hours
will do.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from functools import cached_property
from typing import Annotated, Any

import msgspec

from pinguin.checks import http
from pinguin.checks.contract import CheckOptions, Context, Outcome
from pinguin.checks.counting import counted
from pinguin.checks.engine.answer import Answer
from pinguin.checks.http.journey import Journey
from pinguin.checks.verdict import wrong_host
from pinguin.errors import CheckFailed, CheckImpossible, InvalidInput
from pinguin.fields import Examples, convert, field

__all__ = ["EXAMPLES", "TITLE", "Options", "check"]

TITLE = "Domain registration (RDAP)"

EXAMPLES: Examples = [
    ("A domain that shall be renewed four weeks before its end.", {"domain": "example.org", "days": 28}),
    (
        "Straight from the registry's own server.",
        {"domain": "example.org", "server": "https://rdap.publicinterestregistry.org/rdap/domain/"},
    ),
]

GONE = {"redemption period", "pending delete"}
HELD = {"client hold", "server hold"}
MARGIN_S = 0.05
_MOST_SHOWN = 10


class Options(CheckOptions, frozen=True, dict=True):  # dict: so that cached_property has where to keep things
    domain: Annotated[
        str,
        field("Domain", "As it is registered, without www.", placeholder="example.org", min_length=3, max_length=253),
    ]
    days: Annotated[
        int,
        field("Warn before it ends", "With fewer days left, it is degraded.", unit="days", ge=0, le=365),
    ] = 30
    server: Annotated[
        str,
        field(
            "RDAP server",
            "The domain is put behind it. rdap.org leads to the registry of each domain.",
            advanced=True,
            min_length=1,
            max_length=1000,
        ),
    ] = "https://rdap.org/domain/"

    def __post_init__(self) -> None:
        wrong = wrong_host(self.domain)
        try:
            name = self.name
        except UnicodeError:
            raise InvalidInput({"domain": wrong or "is not a valid name"}) from None
        if not wrong and ("." not in name or name.replace(".", "").isdigit() or ":" in name):
            wrong = "must be a domain, such as example.org"
        if wrong:
            raise InvalidInput({"domain": wrong})
        try:
            _ = self.question
        except InvalidInput as error:
            raise InvalidInput({"server": "; ".join(error.fields.values())}) from None

    def target(self) -> str:
        return self.domain

    @cached_property
    def name(self) -> str:
        """As the DNS has it."""
        return self.domain.rstrip(".").encode("idna").decode("ascii").lower()

    @cached_property
    def question(self) -> http.Options:
        """The web page to ask for."""
        return convert(
            {
                "url": f"{self.server.rstrip('/')}/{self.name}",
                "headers": {"accept": "application/rdap+json, application/json"},
                "max_redirects": 10,
                "max_body_bytes": 1_000_000,
                "keyword": "{",  # so that the body is kept
            },
            http.Options,
        )


class _Event(msgspec.Struct):
    action: str = msgspec.field(default="", name="eventAction")
    date: str = msgspec.field(default="", name="eventDate")


class _Entity(msgspec.Struct):
    roles: list[str] = []
    handle: str = ""
    card: list[Any] = msgspec.field(default_factory=list, name="vcardArray")


class _Registration(msgspec.Struct):
    """What RFC 9083 calls a domain object, as far as it is looked at."""

    events: list[_Event] = []
    status: list[str] = []
    entities: list[_Entity] = []


async def check(options: Options, context: Context) -> Outcome:
    answer, latency = await _ask(options, context)
    if answer.status == 404:
        raise CheckFailed("answer", f"{options.name} is not registered, says its registry", latency_ms=latency)
    registration = _read(answer, options)
    facts = context.evidence["domain"] = _facts(registration, options.name)
    _judge_state(registration, options.name, latency)
    expires = _date(registration, "expiration")
    if expires is None:
        raise CheckImpossible("answer", f"the registry of {options.name} does not tell until when it is registered")
    left = (expires - datetime.now(UTC)).days
    facts["days_left"] = left
    if expires <= datetime.now(UTC):
        words = f"the registration of {options.name} ended on {expires:%Y-%m-%d} ({counted(-left, 'day')} ago)"
        raise CheckFailed("expiry", words, latency_ms=latency)
    soon = ("expiry", f"the registration of {options.name} ends in {counted(left, 'day')}, on {expires:%Y-%m-%d}")
    return Outcome(latency, degraded=soon if left < options.days else None)


async def _ask(options: Options, context: Context) -> tuple[Answer, float]:
    """The registry's answer, and its milliseconds. Raises CheckImpossible: a silent registry is not the domain's fault.

    What is seen on the way, a certificate for one, is the registry's, and no evidence of the domain.
    """
    apart = Context(timeout=context.timeout, resources=context.resources, phases=context.phases)
    journey = Journey(options.question, apart)
    context.stage = "waiting for the registry"
    margin = min(MARGIN_S, context.timeout / 10)  # before the runner's own end, which would be down
    try:
        async with asyncio.timeout(context.timeout - margin):
            answer = await journey.to_the_end()
    except TimeoutError:
        raise _silent(options, "timeout", f"no answer within {context.timeout:g} s") from None
    except CheckFailed as failure:
        raise _silent(options, failure.reason, failure.message) from None
    if answer.status not in (200, 404):
        raise _silent(options, "status", f"it answered {answer.status}")
    return answer, journey.watch.total_ms()


def _silent(options: Options, reason: str, why: str) -> CheckImpossible:
    return CheckImpossible(reason, f"the registry says nothing about {options.name}: {why}")


def _read(answer: Answer, options: Options) -> _Registration:
    try:
        return msgspec.json.decode(answer.body, type=_Registration)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise _silent(options, "body", "its answer is not that of an RDAP server") from None


def _facts(registration: _Registration, name: str) -> dict[str, Any]:
    dates = {
        "registered_at": _date(registration, "registration"),
        "expires_at": _date(registration, "expiration"),
    }
    return {
        "name": name,
        **{key: date.isoformat() for key, date in dates.items() if date},
        "registrar": _registrar(registration),
        "status": registration.status[:_MOST_SHOWN],
    }


def _judge_state(registration: _Registration, name: str, latency_ms: float) -> None:
    states = {state.lower() for state in registration.status}
    if states & GONE:
        words = f"{name} is in its {' and '.join(sorted(states & GONE))}: it was not renewed"
        raise CheckFailed("expiry", words, latency_ms=latency_ms)
    if states & HELD:
        words = f"{name} is taken out of the DNS: {' and '.join(sorted(states & HELD))}"
        raise CheckFailed("answer", words, latency_ms=latency_ms)


def _date(registration: _Registration, action: str) -> datetime | None:
    """Aware, UTC. Some registries send a date without a zone, or no date at all."""
    text = next((event.date for event in registration.events if event.action == action), "")
    try:
        date = datetime.fromisoformat(text)
        return date.astimezone(UTC) if date.tzinfo else date.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def _registrar(registration: _Registration) -> str | None:
    """The name on the registrar's card (jCard, RFC 7095: `["vcard", [["fn", {}, "text", "…"], …]]`), or its handle."""
    for entity in registration.entities:
        if "registrar" in entity.roles:
            lines = entity.card[1] if len(entity.card) > 1 and isinstance(entity.card[1], list) else []
            named = [line[3] for line in lines if isinstance(line, list) and len(line) > 3 and line[0] == "fn"]
            return str(named[0])[:100] if named else entity.handle[:100] or None
    return None
