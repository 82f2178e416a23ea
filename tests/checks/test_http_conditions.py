"""Conditions on a web page's answer, each met and not met; and the monitor upside down."""

from __future__ import annotations

import asyncio
import re
import time
from pathlib import Path
from typing import Any

import pytest

from pinguin.checks.conditions.syntax import parse
from pinguin.checks.http.subjects import SUBJECTS
from pinguin.checks.runner import Report
from pinguin.model import REASONS, Status
from tests.checks.conftest import Check
from tests.checks.servers import answering, page, serving, silent
from tests.ports import free_port

BODY = b'{"status": "degraded", "items": [1, 2]}'
ANSWER = page(BODY, headers="Content-Type: application/json\r\nX-A: 1\r\nX-A: 2\r\n")


async def checked(check: Check, answer: bytes, **options: Any) -> Report:
    async with serving(answering(answer)) as port:
        return await check("http", url=f"http://127.0.0.1:{port}/", **options)


CASES = [
    ("status == 200", "status == 201", "status", "answered 200 OK, expected == 201"),
    ("header content-type contains json", "header x-b exists", "answer", "header x-b is missing, expected exists"),
    ('header x-a == "1, 2"', "header x-a == 1", "answer", 'header x-a is "1, 2", expected == 1'),
    ("body contains degraded", "body not contains degraded", "body", "the body contains “degraded”"),
    ("body matches ^{", "body matches ^ok", "body", "the body does not match “^ok”"),
    ("json $.status exists", 'json $.status == "ok"', "body", 'json $.status is "degraded", expected == "ok"'),
    ("json $.items | length == 2", "json $.items | length > 2", "body", "json $.items | length is 2, expected > 2"),
    ("time < 5 s", "time < 0.001 ms", "slow", "time is "),
    ("time connect < 5 s", "time first byte < 0.001 ms", "slow", "time first byte is "),
    ("time transfer < 5 s", "time tls < 1 s", "slow", "time tls is missing"),
    ("size == 39 B", "size > 1 KB", "body", "size is 39 bytes, expected > 1 KB"),
    ("http version == HTTP/1.1", "http version == HTTP/2", "answer", 'http version is "HTTP/1.1", expected'),
    ("address startswith 127.0.0.1:", "address startswith 10.", "answer", 'address is "127.0.0.1:'),
    ("redirects == 0", "redirects > 0", "redirect", "redirects is 0, expected > 0"),
    ("redirect target missing", "redirect target exists", "redirect", "redirect target is missing"),
    ("tls version missing", "tls version exists", "tls", "tls version is missing"),
]


@pytest.mark.parametrize(("met", "unmet", "reason", "words"), CASES, ids=[case[0] for case in CASES])
async def test_each_subject_met_and_not(check: Check, met: str, unmet: str, reason: str, words: str) -> None:
    good = await checked(check, ANSWER, conditions=[met])
    bad = await checked(check, ANSWER, conditions=[met, unmet])
    warned = await checked(check, ANSWER, conditions=[f"warn {unmet}"])

    assert (good.status, good.evidence["conditions"][0]["met"]) == (Status.UP, True), good.message
    assert (bad.status, bad.reason) == (Status.DOWN, reason)
    assert words in str(bad.message)
    assert [each["met"] for each in bad.evidence["conditions"]] == [True, False]
    assert all(each["seen"] for each in bad.evidence["conditions"])
    assert bad.evidence["headers"]["content-type"] == "application/json"
    assert bad.latency_ms
    assert (warned.status, warned.reason) == (Status.DEGRADED, reason)


def test_every_subject_has_a_known_reason_and_a_help() -> None:
    assert all(subject.reason in REASONS and subject.help for subject in SUBJECTS.values())


async def test_where_a_redirect_led_and_would_lead(check: Check) -> None:
    hop = page(b"", "301 Moved", "Location: https://www.example.test/new?token=hush-hush\r\n")
    conditions = ["redirect target startswith https://", "redirect target endswith hush"]
    stays = await checked(check, hop, accepted_statuses=["301"], conditions=conditions)
    no_url = await checked(
        check, page(b"", "301 Moved", "Location: http://[::\r\n"), accepted_statuses=["301"], conditions=conditions[:1]
    )
    async with serving(answering(ANSWER)) as there:
        hop = page(b"", "302 Found", f"Location: http://127.0.0.1:{there}/there\r\n")
        went = await checked(
            check, hop, conditions=[f"redirect target == http://127.0.0.1:{there}/there", "redirects == 1"]
        )

    assert stays.status is Status.UP, stays.message
    assert went.status is Status.UP, went.message
    assert "redirect target is missing" in str(no_url.message)


async def test_a_status_that_is_not_accepted_comes_first(check: Check) -> None:
    report = await checked(check, page(b"sorry", "503 Busy"), keyword="welcome", conditions=["size > 1 KB"])

    assert (report.reason, report.evidence["body_sample"]) == ("status", "sorry")
    assert report.message == (
        "answered 503 Service Unavailable; accepted: 200-299; the body does not contain “welcome”; "
        "size is 5 bytes, expected > 1 KB"
    )


async def test_a_large_body_is_looked_at_beside_the_loop(check: Check) -> None:  # TRAP 19
    """A costly expression over megabytes must not hold up other checks."""
    longest = 0.0

    async def tick() -> None:
        nonlocal longest
        while True:
            began = time.perf_counter()
            await asyncio.sleep(0.01)
            longest = max(longest, time.perf_counter() - began)

    costly = ["body matches [ab]*a[ab]{300}c", "body contains ab"]
    deep = ["json $..a..b..c == 1"] * 30
    held_up: list[float] = []
    while len(held_up) < 5 and min(held_up, default=1.0) >= 0.5:  # this machine may be busy in some tries
        longest = 0.0
        ticking = asyncio.create_task(tick())
        report = await checked(check, page(b"ab" * 1_500_000), conditions=costly)
        small = await checked(check, page(b"ab" * 30_000), conditions=costly)
        nested = await checked(check, page(b'{"a":' * 90 + b"1" + b"}" * 90), conditions=deep)
        ticking.cancel()
        held_up.append(longest)

    assert (report.reason, report.evidence["conditions"][1]["met"]) == ("body", True)
    assert (small.reason, nested.reason) == ("body", "body")
    assert min(held_up) < 0.5


async def test_a_body_in_the_way_of_json(check: Check) -> None:
    report = await checked(check, page(b"<html>"), conditions=["json $.a == 1", "json $.b missing"])

    assert report.message == (
        "json $.a is in a body that is not JSON, expected == 1; "
        "json $.b is in a body that is not JSON, expected missing"
    )


async def test_upside_down_is_down_when_it_answers(check: Check) -> None:
    report = await checked(check, ANSWER, upside_down=True)

    assert (report.status, report.reason) == (Status.DOWN, "answer")
    assert report.message == "answers as configured (200 OK), and should not: the monitor is upside down"
    assert report.latency_ms


async def test_upside_down_is_up_when_it_does_not(check: Check) -> None:
    failing = await checked(check, page(b"x", "503 Sorry"), upside_down=True)
    refused = await check("http", url=f"http://127.0.0.1:{free_port()}/", upside_down=True)
    async with serving(silent) as port:
        mute = await check("http", url=f"http://127.0.0.1:{port}/", upside_down=True, timeout=0.4)
    unmet = await checked(check, ANSWER, upside_down=True, conditions=["size > 1 KB"])

    assert [report.status for report in (failing, refused, mute, unmet)] == [Status.UP] * 4
    assert [report.reason for report in (failing, refused, mute, unmet)] == [None] * 4
    assert failing.evidence["upside_down"].startswith("status: answered 503")
    assert refused.evidence["upside_down"].startswith("refused: connection refused by")
    assert mute.evidence["upside_down"].startswith("timeout: no answer within 0.4 s")
    assert unmet.evidence["conditions"][0]["met"] is False


async def test_upside_down_says_nothing_of_what_this_machine_cannot_do(
    check: Check, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none_left(*_: object) -> None:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr("pinguin.checks.engine.wire.socket.socket", none_left)

    assert (await check("http", url="http://127.0.0.1:1/", upside_down=True)).status is Status.UNKNOWN


DOCUMENT = (Path(__file__).parents[2] / "docs" / "conditions.md").read_text(encoding="utf-8")


def test_the_documents_examples_are_conditions() -> None:
    lines = DOCUMENT.split("```")[1].strip().splitlines()
    assert len(parse(lines, SUBJECTS)) == len(lines) > 10


def test_the_document_names_every_subject_and_operator() -> None:
    rows = DOCUMENT.partition("## Subjects")[2]
    assert [name for name in SUBJECTS if not re.search(rf"`{name}( NAME| \$.PATH)?`", rows)] == []
    words = [
        "==",
        "!=",
        "<",
        "<=",
        ">",
        ">=",
        "in",
        "contains",
        "startswith",
        "endswith",
        "matches",
        "exists",
        "missing",
    ]
    assert [word for word in words if f"`{word}`" not in rows] == []
