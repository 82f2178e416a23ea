"""Waiting, and logs."""

from __future__ import annotations

import asyncio
import io
import json
import os
import signal
import sys
from time import monotonic

import pytest
import structlog

from pinguin.lifecycle import Backoff, cancel, configure_logs, stop_on_signal, together, wait_or_stop
from pinguin.settings import Settings


async def test_waits_grow_to_a_limit_and_start_small_again() -> None:
    """What is short is seen in the shortest of five: the machine may make any wait longer."""
    backoff = Backoff(first_s=0.02, most_s=0.08)
    rounds = []
    for _ in range(5):
        waits = []
        for _ in range(5):
            began = monotonic()
            await backoff.wait()
            waits.append(monotonic() - began)
        rounds.append(waits)
        backoff.reset()
    assert min(waits[0] for waits in rounds[1:]) < 0.06
    assert all(min(waits[3:]) >= 0.04 for waits in rounds)
    assert min(waits[4] for waits in rounds) < 0.2


async def test_a_stop_ends_every_wait() -> None:
    stop = asyncio.Event()
    assert not await wait_or_stop(stop, 0.01)
    asyncio.get_running_loop().call_later(0.02, stop.set)
    assert await wait_or_stop(stop, 60)
    await asyncio.wait_for(Backoff(first_s=3600, most_s=3600).wait(stop), 60)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_asks_to_stop(number: signal.Signals) -> None:
    with stop_on_signal() as stop:
        os.kill(os.getpid(), number)
        assert await wait_or_stop(stop, 60)


def test_a_log_line_has_an_event_name_and_fields(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    try:
        configure_logs(Settings(log_format="json", log_level="warning"), "worker")
        log = structlog.get_logger("test")
        log.info("unseen")
        log.warning("results_wait", results=3)
    finally:
        structlog.reset_defaults()
        structlog.contextvars.clear_contextvars()
    (line,) = stream.getvalue().splitlines()
    entry = json.loads(line)
    assert (entry["event"], entry["results"], entry["process"], entry["level"]) == (
        "results_wait",
        3,
        "worker",
        "warning",
    )


def test_a_traceback_on_a_console_shows_no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """TRAP 24"""
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    password = "hunter2-" + "canary"
    try:
        configure_logs(Settings(log_format="console"), "worker")
        try:
            len(password) / 0
        except ZeroDivisionError:
            structlog.get_logger("test").exception("failed")
    finally:
        structlog.reset_defaults()
        structlog.contextvars.clear_contextvars()
    assert "ZeroDivisionError" in stream.getvalue()
    assert password not in stream.getvalue()


async def stubborn(refusals: int) -> None:
    """Swallows as many cancellations, as `asyncio.wait_for` may on Python 3.11."""
    while True:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            refusals -= 1
            if refusals < 0:
                raise


async def test_a_task_that_swallows_a_cancellation_is_cancelled_again() -> None:
    task = asyncio.create_task(stubborn(2))
    await asyncio.sleep(0)
    await asyncio.wait_for(cancel(task), 60)
    assert task.cancelled()


async def test_together_ends_with_the_first_and_says_what_failed() -> None:
    async def fail() -> None:
        await asyncio.sleep(0.01)
        raise ValueError("broken")

    async def end() -> None:
        await asyncio.sleep(0.01)

    await asyncio.wait_for(together(end(), stubborn(1)), 60)
    with pytest.raises(ValueError, match="broken"):
        await asyncio.wait_for(together(stubborn(1), fail()), 60)


async def test_together_is_cancelled_as_one() -> None:
    task = asyncio.create_task(together(stubborn(1), stubborn(1)))
    await asyncio.sleep(0.01)
    await asyncio.wait_for(cancel(task), 60)
    assert task.cancelled()
