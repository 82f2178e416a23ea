"""How far the latency that a check reports is from the server's own clock, on an idle loop.

    python -m bench.latency [--checks 500] [--series 7] [--assert]

The server is a process of its own that takes each connection, waits for a known time, and measures from the connection
to its answer. Both clocks are the machine's monotonic one. The error is what a check reports beyond that.

The server's clock is to begin when the connection is there, not when the system has woken the server, or when it has
done with the check before: so it looks for each connection without sleeping, and a check begins once it does.

A machine that does other work lets us and the server wait for a core, which is no error of ours: checks in which either
waited for one longer than half the bound, as the kernel counts it, are left out, and their number is told. Of
several series, each with its p99, the median counts. What is ours (the loop, the garbage collector) is in all of them.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import itertools
import multiprocessing
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from socket import SO_REUSEADDR, SOL_SOCKET, socket

import uvloop

from bench.bounds import Bound, verdict
from pinguin.checks import check_type
from pinguin.checks.contract import Resources
from pinguin.checks.runner import run

DELAYS_MS = (0, 1, 5, 20, 50)
CHECKS, WARM_UP, SERIES = 500, 10, 7
PORT = 18190
P99_MS, WAITED_MS = 1.0, 0.5
MOST_TRIES = 20
_OWN_SCHEDULE = Path("/proc/thread-self/schedstat")
_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n"


@contextmanager
def _server() -> Iterator[Connection]:
    """A running server. Its end of the pipe gives of each answer the milliseconds that it took by the server's clock,
    and those that the server had to wait for a core; when it gives them, the server is ready for the next check."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_serve, args=(theirs,), daemon=True)
    process.start()
    try:
        assert ours.poll(20), "the server did not start"
        ours.recv()
        yield ours
    finally:
        process.terminate()
        process.join()


def _serve(tell: Connection) -> None:
    with socket() as listener:
        listener.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", PORT))
        listener.listen(100)
        listener.setblocking(False)
        before, measured = _waited_ms(), (0.0, 0.0)
        for delay_ms in itertools.cycle(DELAYS_MS):
            tell.send(measured)
            visitor = _next(listener)
            began = time.perf_counter()
            with visitor:
                visitor.recv(65536)
                time.sleep(delay_ms / 1000)
                visitor.sendall(_ANSWER)
                took = (time.perf_counter() - began) * 1000
                visitor.recv(1)
            waited = _waited_ms()
            before, measured = waited, (took, waited - before)


def _next(listener: socket) -> socket:
    while True:
        try:
            visitor, _ = listener.accept()
        except BlockingIOError:
            continue
        visitor.setblocking(True)
        return visitor


def _waited_ms() -> float:
    """How long this thread could have run and had no core, so far. Only Linux counts it."""
    try:
        return int(_OWN_SCHEDULE.read_text().split()[1]) / 1e6
    except FileNotFoundError:
        return 0.0


@dataclass(slots=True)
class Series:
    """errors: milliseconds between what a check reported and what the server measured. left_out: checks."""

    errors: list[float]
    left_out: int

    @property
    def p99(self) -> float:
        return statistics.quantiles(self.errors, n=100)[98]


async def errors(checks: int = CHECKS, series: int = SERIES) -> list[Series]:
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)  # as in the worker's process
    with _server() as clock:
        return [await _series(clock, checks) for _ in range(series)]


async def _series(clock: Connection, checks: int) -> Series:
    """As many as `checks`, without those that are left out."""
    kind, resources = check_type("http"), Resources()
    options = kind.parse({"url": f"http://127.0.0.1:{PORT}/"})
    found = Series([], 0)
    try:
        for number in range(MOST_TRIES * checks + WARM_UP):
            before = _waited_ms()
            report = await run(kind, options, 5, resources)
            waited = _waited_ms() - before
            assert report.latency_ms is not None, report.message
            measured, server_waited = clock.recv()
            if number >= WARM_UP and max(waited, server_waited) > WAITED_MS:
                found.left_out += 1
            elif number >= WARM_UP:
                found.errors.append(abs(report.latency_ms - measured))
            if len(found.errors) == checks:
                return found
            await asyncio.sleep(0)
    finally:
        resources.close()
    raise SystemExit("nearly every check has to wait for a core; this machine is too busy to measure on")


def bound(found: list[Series]) -> Bound:
    words = f"reported latency against the server's own clock, p99 error, median of {len(found)} series"
    return Bound(words, statistics.median(each.p99 for each in found), P99_MS, "ms")


def show(found: list[Series]) -> None:
    every = [error for each in found for error in each.errors]
    print(
        f"error of the reported latency over {len(every)} checks: median {statistics.median(every):.3f}, "
        f"most {max(every):.3f} ms; p99 of each series {', '.join(f'{each.p99:.3f}' for each in found)} ms; "
        f"{sum(each.left_out for each in found)} checks left out that waited for a core"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checks", type=int, default=CHECKS, help="of each series")
    parser.add_argument("--series", type=int, default=SERIES, help="how often so many; the median of their p99 counts")
    parser.add_argument("--assert", action="store_true", dest="enforced", help="exit 1 where the bound is missed")
    arguments = parser.parse_args()
    found = uvloop.run(errors(arguments.checks, arguments.series))
    show(found)
    return verdict([bound(found)], enforced=arguments.enforced)


if __name__ == "__main__":
    sys.exit(main())
