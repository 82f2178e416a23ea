"""How far the latency that a check reports is from the server's own clock, on an idle loop.

    python -m bench.latency [--checks 500] [--assert]

The server is a process of its own that takes each connection, waits for a known time, and measures from the connection
to its answer. Both clocks are the machine's monotonic one. The error is what a check reports beyond that.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import multiprocessing
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from socket import SO_REUSEADDR, SOL_SOCKET, socket

import uvloop

from bench.bounds import Bound, verdict
from pinguin.checks import check_type
from pinguin.checks.contract import Resources
from pinguin.checks.runner import run

DELAYS_MS = (0, 1, 5, 20, 50)
CHECKS, WARM_UP = 500, 10
PORT = 18190
P99_MS = 1.0
_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n"


@contextmanager
def _server() -> Iterator[Connection]:
    """A running server; its end of the pipe gives the milliseconds that each answer took by its own clock."""
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
        tell.send(None)
        for delay_ms in itertools.cycle(DELAYS_MS):
            visitor, _ = listener.accept()
            began = time.perf_counter()
            with visitor:
                visitor.recv(65536)
                time.sleep(delay_ms / 1000)
                visitor.sendall(_ANSWER)
                tell.send((time.perf_counter() - began) * 1000)
                visitor.recv(1)


async def errors(checks: int = CHECKS) -> list[float]:
    """Milliseconds between what each check reported and what the server measured."""
    kind, resources = check_type("http"), Resources()
    options = kind.parse({"url": f"http://127.0.0.1:{PORT}/"})
    found = []
    try:
        with _server() as clock:
            for number in range(checks + WARM_UP):
                report = await run(kind, options, 5, resources)
                assert report.latency_ms is not None, report.message
                measured = clock.recv()
                if number >= WARM_UP:
                    found.append(abs(report.latency_ms - measured))
                await asyncio.sleep(0)
    finally:
        resources.close()
    return found


def bound(found: list[float]) -> Bound:
    return Bound("reported latency against the server's own clock, p99 error", _p99(found), P99_MS, "ms")


def show(found: list[float]) -> None:
    figures = f"median {statistics.median(found):.3f}, p99 {_p99(found):.3f}, most {max(found):.3f} ms"
    print(f"error of the reported latency over {len(found)} checks: {figures}")


def _p99(found: list[float]) -> float:
    return statistics.quantiles(found, n=100)[98]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checks", type=int, default=CHECKS)
    parser.add_argument("--assert", action="store_true", dest="enforced", help="exit 1 where the bound is missed")
    arguments = parser.parse_args()
    found = uvloop.run(errors(arguments.checks))
    show(found)
    return verdict([bound(found)], enforced=arguments.enforced)


if __name__ == "__main__":
    sys.exit(main())
