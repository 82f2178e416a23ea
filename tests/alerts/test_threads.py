"""Calls that hang in threads: they hold up nobody else."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from pinguin.alerts.courier import Courier
from pinguin.alerts.samples import SAMPLES
from pinguin.alerts.threads import MOST_EACH, Crowded, Threads
from tests.checks.servers import page, recording, serving


@pytest.fixture
def release() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


async def test_threads_that_hang_hold_up_no_other_owner(release: threading.Event) -> None:
    threads = Threads()
    hanging = [asyncio.ensure_future(threads.run("slow", release.wait, 60)) for _ in range(MOST_EACH)]
    while threads.running < MOST_EACH:
        await asyncio.sleep(0.01)
    with pytest.raises(Crowded, match=f"{MOST_EACH} earlier tries hang"):
        await threads.run("slow", int, "1")
    assert await threads.run("other", int, "1") == 1
    with pytest.raises(ValueError, match="invalid literal"):
        await threads.run("other", int, "x")
    for each in hanging:
        each.cancel()
    await asyncio.wait(hanging)
    assert threads.running == MOST_EACH  # nobody waits any more; they count until they end
    release.set()
    async with asyncio.timeout(60):
        while threads.running:
            await asyncio.sleep(0.01)
    assert await threads.run("slow", int, "1") == 1


async def test_a_name_server_that_hangs_is_given_up(
    courier: Courier, monkeypatch: pytest.MonkeyPatch, release: threading.Event
) -> None:
    """A name server that never answers cannot be had on loopback without the machine's own settings: the look-up waits
    for us instead."""
    true = socket.getaddrinfo

    def slow(host: str, *rest: Any) -> Any:
        if host != "slow.example":
            return true(host, *rest)
        release.wait(60)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    begun = time.monotonic()
    outcome = (
        await courier.deliver("webhook", {"url": "http://slow.example/"}, SAMPLES["down"](), timeout=0.2)
    ).outcome
    assert outcome.answer == "no answer within 0.2 s (looking up slow.example)"
    assert (outcome.unsure, time.monotonic() - begun < 30) == (False, True)
    async with serving(recording([], page())) as port:
        assert (await courier.deliver("webhook", {"url": f"http://localhost:{port}/"}, SAMPLES["down"]())).outcome.ok
