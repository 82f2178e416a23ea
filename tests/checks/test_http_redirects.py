"""Redirects: how far they are followed, and what goes along."""

from __future__ import annotations

import pytest

from pinguin.model import Status
from tests.checks.conftest import Check
from tests.checks.servers import answering, page, recording, serving


async def test_redirects_are_followed_on_fresh_connections_and_listed(check: Check) -> None:
    seen: list[bytes] = []
    hop = page(b"", "302 Found", "Location: /second?token=hush\r\n")
    async with serving(recording(seen, hop, page())) as port:
        report = await check("http", url=f"http://127.0.0.1:{port}/first")

    assert report.status is Status.UP
    assert [line.split()[1] for line in seen] == [b"/first", b"/second?token=hush"]
    hops = report.evidence["hops"]
    assert [(hop["url"], hop["status"], hop["address"]) for hop in hops] == [
        (f"http://127.0.0.1:{port}/first", 302, f"127.0.0.1:{port}"),
        (f"http://127.0.0.1:{port}/second?…", 200, f"127.0.0.1:{port}"),
    ]
    assert [set(hop["phases"]) for hop in hops] == [{"connect", "first_byte", "transfer"}] * 2
    for phase, spent in report.phases.items():
        assert sum(hop["phases"][phase] for hop in hops) == pytest.approx(spent, abs=0.01)
    assert "hush" not in repr(report)


async def test_redirects_have_a_limit(check: Check) -> None:
    seen: list[bytes] = []
    async with serving(recording(seen, page(b"", "302 Found", "Location: /again?key=hush\r\n"))) as port:
        report = await check("http", url=f"http://127.0.0.1:{port}/", max_redirects=3)

    assert (report.status, report.reason) == (Status.DOWN, "redirect")
    assert report.message == f"more than 3 redirects; the next one leads to http://127.0.0.1:{port}/again?…"
    assert len(seen) == 4
    assert report.latency_ms


async def test_a_redirect_is_an_answer_where_none_is_followed_or_its_status_is_accepted(check: Check) -> None:
    async with serving(answering(page(b"", "301 Moved", "Location: /elsewhere\r\n"))) as port:
        url = f"http://127.0.0.1:{port}/"
        assert (await check("http", url=url, max_redirects=0)).reason == "status"
        assert (await check("http", url=url, accepted_statuses=["301"])).status is Status.UP


@pytest.mark.parametrize(
    "location",
    [
        "http://127.0.0.1:0/",
        "http://127.0.0.1:99999/",
        "http://a%20b.test/",
        "ftp://127.0.0.1/",
        "http://",
        "http://.dot/",
        "http://[::",
        "javascript:alert(1)",
    ],
)
async def test_a_redirect_that_leads_nowhere(check: Check, location: str) -> None:
    async with serving(answering(page(b"", "302 Found", f"Location: {location}\r\n"))) as port:
        report = await check("http", url=f"http://127.0.0.1:{port}/")

    assert (report.status, report.reason) == (Status.DOWN, "redirect")


@pytest.mark.parametrize(
    ("status", "method"), [("302 Found", b"GET"), ("307 Temporary", b"POST"), ("303 Other", b"GET")]
)
async def test_a_redirect_keeps_or_drops_the_method_as_browsers_do(check: Check, status: str, method: bytes) -> None:
    seen: list[bytes] = []
    async with serving(recording(seen, page(b"", status, "Location: /next\r\n"), page())) as port:
        await check("http", url=f"http://127.0.0.1:{port}/", method="POST", body="payload")

    assert seen[1].startswith(method + b" /next ")
    assert seen[1].endswith(b"payload") == (method == b"POST")


async def test_secrets_do_not_follow_a_redirect_to_another_origin(check: Check) -> None:
    there: list[bytes] = []
    here: list[bytes] = []
    options = {"headers": {"X-Api-Key": "hush", "Accept-Language": "de"}, "username": "me", "password": "secret"}
    async with serving(recording(there, page())) as other:
        answer = page(b"", "302 Found", f"Location: http://127.0.0.1:{other}/\r\n")
        async with serving(recording(here, answer)) as port:
            await check("http", url=f"http://127.0.0.1:{port}/", **options)

    assert b"hush" in here[0]
    assert b"authorization" in here[0].lower()
    assert b"hush" not in there[0]
    assert b"authorization" not in there[0].lower()
    assert b"accept-language: de" in there[0]
    assert f"host: 127.0.0.1:{other}".encode() in there[0].lower()
