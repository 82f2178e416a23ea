"""A worker that stood still in the middle of a check does not blame the target for it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from threading import Thread

from pinguin.broker import Broker
from pinguin.db import Pool
from pinguin.lifecycle import cancel
from pinguin.worker.pulse import STILL_S, Pulse
from tests.factory import add_monitor
from tests.worker.test_worker import ask, results, working


class Slow(BaseHTTPRequestHandler):
    """Answers well within the timeout."""

    asked = 0

    def do_GET(self) -> None:
        Slow.asked += 1
        time.sleep(0.4)
        self.send_response(204)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def slow_server() -> Iterator[str]:
    """In a thread: it goes on while our loop stands still."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Slow)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


async def test_a_check_that_was_frozen_past_its_timeout_is_repeated(pool: Pool, broker: Broker) -> None:
    with slow_server() as url:
        async with working(pool, broker):
            shop = await add_monitor(pool, type="http", options={"url": url}, timeout_s=5, failure_threshold=1)
            await asyncio.sleep(0.3)
            await ask(broker, pool, shop)
            async with asyncio.timeout(60):
                while not Slow.asked:
                    await asyncio.sleep(0.01)
            time.sleep(6)  # as SIGSTOP and SIGCONT would
            assert await results(pool, 1) == [(shop, "up", None)]


async def said_of_a_calm_time(pulse: Pulse) -> bool:
    """What it says of a time in which the loop turned all along, by our own measure."""
    while True:
        turns = [time.monotonic()]
        for _ in range(12):
            await asyncio.sleep(0.05)
            turns.append(time.monotonic())
        said = pulse.stood_still(turns[6])
        turns.append(time.monotonic())
        if max(after - before for before, after in pairwise(turns)) < STILL_S:
            return said


async def test_standing_still_is_noticed_whoever_wakes_first() -> None:
    pulse = Pulse()
    beating = asyncio.create_task(pulse.run())
    assert not await said_of_a_calm_time(pulse)
    before = time.monotonic()
    time.sleep(1)
    assert pulse.stood_still(before)
    assert not await said_of_a_calm_time(pulse)
    assert pulse.stood_still(before)
    await cancel(beating)
