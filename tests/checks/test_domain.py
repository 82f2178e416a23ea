"""The registration of a domain, by RDAP, from registries that answer, are silent, and lie."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pinguin.checks import check_type
from pinguin.checks.counting import counted
from pinguin.checks.runner import Report
from pinguin.errors import InvalidInput
from pinguin.model import Status
from tests.checks.conftest import Check, gone
from tests.checks.servers import Handler, answering, page, recording, resetting, serving, silent

NOW = datetime.now(UTC)


def stamp(days: float) -> str:
    return (NOW + timedelta(days=days, hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")


def registration(days: float = 100, **changes: Any) -> dict[str, Any]:
    """What a registry says of a domain that ends in so many days."""
    card = ["vcard", [["version", {}, "text", "4.0"], ["fn", {}, "text", "Names & Co."]]]
    whole = {
        "objectClassName": "domain",
        "ldhName": "EXAMPLE.TEST",
        "status": ["client transfer prohibited"],
        "events": [
            {"eventAction": "registration", "eventDate": "2001-02-03T04:05:06Z"},
            {"eventAction": "expiration", "eventDate": stamp(days)},
        ],
        "entities": [{"roles": ["abuse"]}, {"roles": ["registrar"], "vcardArray": card}],
    }
    return whole | changes


def rdap(answer: Any, status: str = "200 OK") -> Handler:
    return answering(page(json.dumps(answer).encode(), status, "Content-Type: application/rdap+json\r\n"))


async def ask(check: Check, handler: Handler, **options: Any) -> Report:
    async with serving(handler) as port:
        server = f"http://127.0.0.1:{port}/domain/"
        return await check("domain", **{"domain": "example.test", "server": server, **options})


async def test_a_registered_domain_is_up_and_shows_until_when(check: Check) -> None:
    report = await ask(check, rdap(registration()))

    assert (report.status, report.reason, report.message) == (Status.UP, None, None)
    assert report.evidence == {
        "domain": {
            "name": "example.test",
            "registered_at": "2001-02-03T04:05:06+00:00",
            "expires_at": stamp(100).replace("Z", "+00:00"),
            "registrar": "Names & Co.",
            "status": ["client transfer prohibited"],
            "days_left": 100,
        }
    }
    assert {"connect", "first_byte"} <= set(report.phases)
    assert report.latency_ms


@pytest.mark.parametrize(
    ("days", "limit", "status"),
    [(29, 30, Status.DEGRADED), (30, 30, Status.UP), (1, 0, Status.UP), (1, 365, Status.DEGRADED)],
)
async def test_one_that_ends_soon_is_degraded(check: Check, days: int, limit: int, status: Status) -> None:
    report = await ask(check, rdap(registration(days)), days=limit)

    assert report.status is status
    if status is Status.DEGRADED:
        assert report.reason == "expiry"
        assert str(report.message).startswith(f"the registration of example.test ends in {counted(days, 'day')}, on ")


async def test_one_whose_time_is_over_is_down(check: Check) -> None:
    report = await ask(check, rdap(registration(-5)))

    assert (report.status, report.reason) == (Status.DOWN, "expiry")
    assert "ended on" in str(report.message)
    assert report.evidence["domain"]["days_left"] == -5


async def test_one_that_is_not_registered_is_down(check: Check) -> None:
    report = await ask(check, rdap({"errorCode": 404}, "404 Not Found"))

    assert (report.status, report.reason) == (Status.DOWN, "answer")
    assert report.message == "example.test is not registered, says its registry"


@pytest.mark.parametrize(
    ("state", "reason", "words"),
    [
        ("redemption period", "expiry", "it was not renewed"),
        ("Pending Delete", "expiry", "it was not renewed"),
        ("client hold", "answer", "taken out of the DNS"),
        ("server hold", "answer", "taken out of the DNS"),
    ],
)
async def test_a_state_in_which_it_does_not_work_is_down(check: Check, state: str, reason: str, words: str) -> None:
    report = await ask(check, rdap(registration(status=["active", state])))

    assert (report.status, report.reason) == (Status.DOWN, reason)
    assert words in str(report.message)
    assert report.evidence["domain"]["status"] == ["active", state]


@pytest.mark.parametrize(
    ("handler", "reason"),
    [
        (rdap({}, "429 Too Many Requests"), "status"),
        (rdap({}, "503 Service Unavailable"), "status"),
        (answering(page(b"<html>{</html>")), "body"),
        (rdap([1, 2]), "body"),
        (rdap(registration(status="active")), "body"),
        (answering(b"nonsense\r\n\r\n"), "protocol"),
        (resetting, "reset"),
        (rdap(registration(events=[])), "answer"),
        (rdap(registration(events=[{"eventAction": "expiration", "eventDate": "soon"}])), "answer"),
    ],
)
async def test_a_registry_that_does_not_tell_says_nothing_of_the_domain(
    check: Check, handler: Handler, reason: str
) -> None:
    report = await ask(check, handler)

    assert (report.status, report.reason) == (Status.UNKNOWN, reason)
    assert "example.test" in str(report.message)


async def test_a_silent_registry_is_unknown_and_leaves_no_socket(check: Check, descriptors: Callable[[], int]) -> None:
    await ask(check, rdap(registration()))
    before = descriptors()
    report = await ask(check, silent, timeout=0.5)

    assert (report.status, report.reason) == (Status.UNKNOWN, "timeout")
    assert report.message == "the registry says nothing about example.test: no answer within 0.5 s"
    assert await gone(descriptors, before)


async def test_it_follows_to_the_registry_and_asks_for_the_name_as_the_dns_has_it(check: Check) -> None:
    seen: list[bytes] = []
    async with serving(recording(seen, page(json.dumps(registration()).encode()))) as registry:
        onward = f"Location: http://127.0.0.1:{registry}/rdap/x\r\n"
        async with serving(answering(page(b"", "302 Found", onward))) as port:
            report = await check("domain", domain="Bücher.test.", server=f"http://127.0.0.1:{port}/domain")

    assert report.status is Status.UP
    assert report.evidence["domain"]["name"] == "xn--bcher-kva.test"
    assert seen[0].startswith(b"GET /rdap/x HTTP/1.1\r\n")
    assert b"accept: application/rdap+json" in seen[0]


async def test_dates_without_a_zone_and_odd_cards_are_read(check: Check) -> None:
    events = [{"eventAction": "expiration", "eventDate": "2099-01-01T00:00:00"}, {"eventAction": "last changed"}]
    odd = [{"roles": ["registrar"], "handle": "9999", "vcardArray": ["vcard", [["fn"], 5]]}]
    report = await ask(check, rdap(registration(events=events, entities=odd)))

    assert report.status is Status.UP
    assert report.evidence["domain"]["expires_at"] == "2099-01-01T00:00:00+00:00"
    assert report.evidence["domain"]["registrar"] == "9999"


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"domain": "https://example.org"}, "domain"),
        ({"domain": "localhost"}, "domain"),
        ({"domain": "192.0.2.1"}, "domain"),
        ({"domain": "2001:db8::1"}, "domain"),
        ({"domain": "a..b"}, "domain"),
        ({"domain": "a" * 64 + ".org"}, "domain"),
        ({"domain": "example.org", "server": "ftp://x"}, "server"),
        ({"domain": "example.org", "days": 400}, "days"),
        ({"domain": "example.org", "day": 4}, "day"),
        ({}, "domain"),
    ],
)
def test_bad_options_are_refused_by_name(options: dict[str, Any], name: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        check_type("domain").parse(options)
    assert list(refused.value.fields) == [name]
