"""What goes wrong around a message: facts that cannot be read, answers that cannot be written, a database that goes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

from pinguin import cause, db
from pinguin.alerts.contract import Answer as Said
from pinguin.alerts.courier import _scrubbed
from pinguin.db import Pool
from pinguin.errors import Unavailable
from pinguin.scrub import Scrubber
from pinguin.store import alerts, causes
from pinguin.worker import letters
from pinguin.worker import sender as sending
from tests.factory import add_monitor, fetch
from tests.receiver import Answer, Receiver, receiver
from tests.worker.senders import add_channel, fails, senders, until

TOLD = "select count(*) = {} from notifications where status = 'sent'"


async def test_facts_that_nobody_foresaw_do_not_block_the_channel(pool: Pool, provider: Receiver) -> None:
    """One bad row is told with what is left of it, and those beside it whole."""
    first, second = [await add_monitor(pool, name=name, failure_threshold=1) for name in ("shop", "bar")]
    await fails(pool, first, second)
    await fetch(pool, "update incidents set evidence = '[7]' where monitor_id = %s returning id", first)
    values = "(monitor_id, percentile, window_s, above_ms, value_ms) values (%s, 95, 60, 1, 2)"
    await fetch(pool, f"insert into slow_spells {values} returning id", second)
    await fetch(pool, "update notifications set facts = '{}' where kind = 'slow' returning id")
    async with senders(pool):
        await until(pool, TOLD.format(3))
    (message,) = provider.came
    assert sorted((item["kind"], item["monitor"]) for item in message["items"]) == [
        ("down", "bar"), ("down", "shop"), ("slow", "bar"),
    ]  # fmt: skip


async def test_a_bug_of_ours_is_a_failed_try_and_not_silence(
    pool: Pool, provider: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> None:
        raise KeyError("facts")

    monkeypatch.setattr(sending, "letter", broken)
    await fails(pool, await add_monitor(pool, failure_threshold=1))
    async with senders(pool):
        await until(pool, "select count(*) = 1 from messages where status = 'retry'")
        monkeypatch.setattr(sending, "letter", letters.letter)
        await fetch(pool, "update messages set due_at = now() returning id")
        await until(pool, TOLD.format(1))
    tries = await fetch(pool, "select outcome, answer like '%%KeyError%%' from attempts order by id")
    assert tries == [("failed", True), ("delivered", False)]


async def test_a_message_about_nothing_is_put_aside(pool: Pool, provider: Receiver) -> None:
    values = "(channel_id, status, attempts, claimed_until) values (1, 'sending', 1, now())"
    await fetch(pool, f"insert into messages {values} returning id")
    await fails(pool, await add_monitor(pool, failure_threshold=1))
    async with senders(pool):
        await until(pool, TOLD.format(1))
    assert provider.kinds() == [["down"]]


async def test_who_cannot_guess_a_cause_tells_of_the_outages_all_the_same(
    pool: Pool, provider: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: Any) -> cause.Facts:
        raise Unavailable("the database did not answer within 5 s")

    monkeypatch.setattr(causes, "facts", away)
    await fails(pool, *[await add_monitor(pool, name=name, failure_threshold=1) for name in ("shop", "bar")])
    async with senders(pool):
        await until(pool, TOLD.format(2))
    assert len(provider.came) == 1


async def test_a_database_that_is_away_between_send_and_mark_makes_no_duplicate(
    pool: Pool, provider: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The try outlasts its claim; what it came to is written before anything else is claimed."""
    monkeypatch.setattr(sending, "LEASE_S", 2.0)
    monkeypatch.setattr(sending, "TRY_S", 1.0)
    gone = asyncio.Event()

    @asynccontextmanager
    async def connection(*given: Any, **more: Any) -> AsyncIterator[Any]:
        if gone.is_set():
            raise Unavailable("the database does not answer")
        async with db.connection(*given, **more) as conn:
            yield conn

    async def behave(_: dict[str, Any]) -> Answer:
        gone.set()
        return 200, {}

    provider.behave = behave
    monkeypatch.setattr(sending, "connection", connection)
    await fails(pool, await add_monitor(pool, failure_threshold=1))
    async with senders(pool):
        await provider.until(1)
        await until(pool, "select bool_and(claimed_until < now()) from messages")
        gone.clear()
        await until(pool, TOLD.format(1))
        await asyncio.sleep(1)
    assert len(provider.came) == 1


async def test_a_statement_that_fails_does_not_end_the_worker(
    pool: Pool, provider: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, failures = alerts.claim, [psycopg.DataError("cannot be read")]

    async def claim(*given: Any) -> Any:
        if failures:
            raise failures.pop()
        return await real(*given)

    monkeypatch.setattr(alerts, "claim", claim)
    await fails(pool, await add_monitor(pool, failure_threshold=1))
    async with senders(pool):
        await until(pool, TOLD.format(1))


async def test_providers_that_stall_keep_no_other_waiting(
    pool: Pool, provider: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten of them take their time; who answers hears of it within a few seconds."""
    monkeypatch.setattr(sending, "TRY_S", 120.0)
    monkeypatch.setattr(sending, "LEASE_S", 150.0)
    enough = asyncio.Event()

    async def stall(_: dict[str, Any]) -> Answer:
        await enough.wait()
        return 200, {}

    async with receiver() as slow, senders(pool):
        slow.behave = stall
        for n in range(10):
            await add_channel(pool, slow.url, name=f"slow {n}", options=Jsonb({"url": slow.url, "timeout_s": 30}))
        await fetch(pool, "update channels set is_default = false where name = 'hook' returning id")
        await fails(pool, await add_monitor(pool, name="shop", failure_threshold=1))
        await slow.until(8)
        await fetch(pool, "update channels set is_default = name = 'hook' returning id")
        await fails(pool, await add_monitor(pool, name="bar", failure_threshold=1))
        await provider.until(1, within_s=20)
        enough.set()


def test_an_answer_is_text_that_the_database_takes() -> None:
    """What cannot be written down would be sent again and again."""
    answer = _scrubbed(Said("caf\udce9 \x00"), Scrubber([]))
    assert answer.text.encode() == "caf? \ufffd".encode()
