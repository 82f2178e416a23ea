"""What the answer of a webhook means, and where it may lead."""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from pinguin.alerts.channels import webhook
from pinguin.alerts.contract import MOST_ANSWER
from pinguin.alerts.http_answer import seconds
from tests.alerts.conftest import Deliver
from tests.alerts.test_webhook import parts
from tests.checks.servers import page, recording, request_of, resetting, serving, silent
from tests.ports import free_port


@pytest.mark.parametrize(
    ("status", "permanent"),
    [(400, True), (401, True), (403, True), (404, True), (405, True), (410, True), (413, True), (418, True),
     (422, True), (408, False), (409, False), (425, False), (429, False), (500, False), (502, False), (503, False),
     (599, False)],
)  # fmt: skip
async def test_a_status_ends_the_tries_or_does_not(deliver: Deliver, status: int, permanent: bool) -> None:
    async with serving(recording([], page(b"because", f"{status} Whatever"))) as port:
        outcome = await deliver("webhook", url=f"http://127.0.0.1:{port}/")
    assert (outcome.ok, outcome.permanent, outcome.unsure, outcome.status) == (False, permanent, False, status)
    assert outcome.answer.endswith(": because")


@pytest.mark.parametrize(
    ("status", "alone"),
    [(400, True), (413, True), (422, True), (401, False), (404, False), (410, False), (418, False), (503, False)],
)
async def test_a_status_is_about_the_message_or_about_the_channel(deliver: Deliver, status: int, alone: bool) -> None:
    async with serving(recording([], page(b"because", f"{status} Whatever"))) as port:
        assert (await deliver("webhook", url=f"http://127.0.0.1:{port}/")).alone is alone


async def test_410_is_gone_for_good(deliver: Deliver) -> None:
    async with serving(recording([], page(b"", "410 Gone"))) as port:
        outcome = await deliver("webhook", url=f"http://127.0.0.1:{port}/")
    assert (outcome.permanent, outcome.answer) == (True, "410 Gone")


async def test_retry_after_is_heeded_in_seconds_and_as_a_date(deliver: Deliver) -> None:
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=120), usegmt=True)
    answers = [page(b"", "429 Too Many", f"Retry-After: {words}\r\n") for words in ("37", later, "soon")]
    async with serving(recording([], *answers)) as port:
        waits = [(await deliver("webhook", url=f"http://127.0.0.1:{port}/")).retry_after_s for _ in answers]
    assert waits[0] == 37
    assert waits[1] is not None
    assert 60 < waits[1] <= 120
    assert waits[2] is None


@pytest.mark.parametrize(
    ("words", "wait"),
    [("0", 0), ("9" * 40, 86400), ("Thu, 08 Jan 2026 11:00:00 GMT", 0), ("Thu, 08 Jan 2026 12:00:30", 30), ("-5", None),
     ("1.5", None), ("²", None), ("", None), (None, None), ("Fri, 99 Jan 2026 12:00:00 GMT", None)],
)  # fmt: skip
def test_odd_values_of_retry_after(words: str | None, wait: float | None) -> None:
    assert seconds(words, datetime(2026, 1, 8, 12, tzinfo=UTC)) == wait


async def test_a_refused_connection_was_surely_not_delivered(deliver: Deliver) -> None:
    outcome = await deliver("webhook", url=f"http://127.0.0.1:{free_port()}/")
    assert (outcome.ok, outcome.permanent, outcome.unsure) == (False, False, False)
    assert re.fullmatch(r"cannot connect to 127.0.0.1: 127.0.0.1:\d+: connection refused", outcome.answer)


async def test_a_name_that_does_not_resolve_was_surely_not_delivered(deliver: Deliver) -> None:
    outcome = await deliver("webhook", url="http://nobody.invalid/")
    assert (outcome.permanent, outcome.unsure) == (False, False)
    assert "nobody.invalid does not resolve" in outcome.answer


async def test_no_answer_in_time_may_have_been_delivered(deliver: Deliver) -> None:
    async with serving(silent) as port:
        outcome = await deliver("webhook", url=f"http://127.0.0.1:{port}/", timeout_s=1)
    assert (outcome.ok, outcome.permanent, outcome.unsure) == (False, False, True)
    assert outcome.answer == "no answer within 1 s (waiting for the answer)"


async def test_a_reset_after_the_request_may_have_been_delivered(deliver: Deliver) -> None:
    async with serving(resetting) as port:
        outcome = await deliver("webhook", url=f"http://127.0.0.1:{port}/")
    assert (outcome.permanent, outcome.unsure) == (False, True)


async def test_what_is_no_http_is_no_delivery(deliver: Deliver) -> None:
    async with serving(recording([], b"220 smtp.example.org ESMTP\r\n")) as port:
        outcome = await deliver("webhook", url=f"http://127.0.0.1:{port}/")
    assert (outcome.ok, outcome.unsure) == (False, True)
    assert "is not HTTP" in outcome.answer


async def test_a_huge_answer_is_cut_and_not_read_to_its_end(deliver: Deliver) -> None:
    written = 0

    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal written
        await request_of(reader)
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            writer.write(b"x" * 65536)
            written += 65536
            await writer.drain()

    async with serving(endless) as port:
        outcome = await deliver("webhook", url=f"http://127.0.0.1:{port}/")
    assert outcome.ok
    assert len(outcome.answer) == MOST_ANSWER
    assert written < 50_000_000


async def test_an_answer_that_drips_does_not_hold_up_what_its_status_says(
    deliver: Deliver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhook, "READ_S", 0.2)

    async def dripping(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_of(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nok so far")
        await asyncio.sleep(3600)

    async with serving(dripping) as port:
        outcome = await deliver("webhook", url=f"http://127.0.0.1:{port}/")
    assert (outcome.ok, outcome.answer) == (True, "200 OK: ok so far")


async def test_packed_answers_are_not_unpacked(deliver: Deliver) -> None:
    bomb = page(b"\x1f\x8b" + b"\x00" * 100, "200 OK", "Content-Encoding: gzip\r\n")
    async with serving(recording([], bomb)) as port:
        assert (await deliver("webhook", url=f"http://127.0.0.1:{port}/")).ok


async def test_where_the_name_has_two_addresses_the_one_that_answers_is_found(deliver: Deliver) -> None:
    """localhost is ::1 and 127.0.0.1 here, or the latter alone; the server listens on the latter."""
    async with serving(recording([], page())) as port:
        assert (await deliver("webhook", url=f"http://localhost:{port}/")).ok


async def test_a_redirect_to_another_host_is_refused_and_gets_nothing(deliver: Deliver) -> None:
    seen: list[bytes] = []
    async with serving(recording(seen, page())) as other:
        location = f"Location: http://127.0.0.1:{other}/stolen\r\n"
        async with serving(recording([], page(b"", "307 Temporary Redirect", location))) as port:
            outcome = await deliver("webhook", url=f"http://127.0.0.1:{port}/", headers={"Authorization": "Bearer x"})
    assert outcome.permanent
    assert "307 Temporary Redirect: it leads to http://127.0.0.1" in outcome.answer
    assert seen == []


async def test_a_redirect_on_the_same_host_is_followed_with_the_body(deliver: Deliver) -> None:
    seen: list[bytes] = []
    there = page(b"", "308 Permanent Redirect", "Location: /there\r\n")
    async with serving(recording(seen, there, page())) as port:
        assert (await deliver("webhook", url=f"http://127.0.0.1:{port}/here")).ok
    assert [parts(each)[0] for each in seen] == ["POST /here HTTP/1.1", "POST /there HTTP/1.1"]
    assert parts(seen[0])[2] == parts(seen[1])[2]


@pytest.mark.parametrize("status", ["301 Moved Permanently", "302 Found", "303 See Other"])
async def test_redirects_that_would_lose_the_body_are_refused(deliver: Deliver, status: str) -> None:
    async with serving(recording([], page(b"", status, "Location: /there\r\n"))) as port:
        outcome = await deliver("webhook", url=f"http://127.0.0.1:{port}/")
    assert outcome.permanent
    assert "set the URL" in outcome.answer


async def test_redirects_in_a_circle_end(deliver: Deliver) -> None:
    async with serving(recording([], page(b"", "307 X", "Location: /\r\n"))) as port:
        outcome = await deliver("webhook", url=f"http://127.0.0.1:{port}/")
    assert outcome.answer == "more than 3 redirects"
