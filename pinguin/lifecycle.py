"""How a process of ours lives: logs, waiting out an absent service, and stopping on a signal."""

from __future__ import annotations

import asyncio
import logging
import os
import random
import secrets
import signal
import socket
import sys
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

import structlog

from pinguin.settings import Settings


def configure_logs(settings: Settings, process: str) -> None:
    """Structured logs on standard error: an event name and fields, as lines for people or as JSON."""
    console = settings.log_format == "console" or (settings.log_format == "auto" and sys.stderr.isatty())
    level = getattr(logging, settings.log_level.upper())
    if process in ("up", "demo"):
        level = max(level, logging.WARNING)  # they talk to a person; the processes behind them keep their own logs
    # Plain: a traceback with local variables shows secrets. TRAP 24
    pretty = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    renderer = pretty if console else structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *([] if console else [structlog.processors.format_exc_info]),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(process=process)
    logging.basicConfig(
        stream=sys.stderr, level=max(level, logging.WARNING), format="%(levelname)s %(name)s %(message)s"
    )
    logging.getLogger("psycopg.pool").setLevel(logging.ERROR)  # we say ourselves that the database is away


def process_name() -> str:
    """host-random/pid: unlike any other's, also where containers share a host's name and each is process 1."""
    return f"{socket.gethostname()}-{secrets.token_hex(3)}/{os.getpid()}"


@contextmanager
def stop_on_signal() -> Iterator[asyncio.Event]:
    """An event that SIGTERM and SIGINT set, for as long as the block lasts."""
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    try:
        yield stop
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)


class Backoff:
    """Waits that double up to a limit, each with jitter, until `reset`."""

    def __init__(self, first_s: float = 0.1, most_s: float = 3.0) -> None:
        self._first_s, self._most_s = first_s, most_s
        self._next_s = first_s

    def reset(self) -> None:
        self._next_s = self._first_s

    async def wait(self, stop: asyncio.Event | None = None) -> None:
        """Wait, or until `stop` is set."""
        delay = self._next_s * random.uniform(0.5, 1.0)  # noqa: S311
        self._next_s = min(self._next_s * 2, self._most_s)
        await wait_or_stop(stop, delay) if stop else await asyncio.sleep(delay)


async def wait_or_stop(stop: asyncio.Event, seconds: float) -> bool:
    """Wait that long, or until `stop` is set: then True."""
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return False
    return True


async def cancel(*tasks: asyncio.Future[Any]) -> None:
    """Cancel tasks and wait for their ends, whatever these are.

    Again and again: on Python 3.11 `asyncio.wait_for`, which psycopg waits with, swallows a cancellation that comes
    in the same turn as its answer (which is also why a TaskGroup can wait for ever).
    """
    pending = {task for task in tasks if not task.done()}
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=0.2)


async def together(*works: Coroutine[Any, Any, None]) -> None:
    """Run side by side until the first ends or fails; then end the others. Raises what it failed with."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        await cancel(*tasks)
    for task in done:
        task.result()


async def all_of(*works: Coroutine[Any, Any, None]) -> None:
    """Run side by side until the last ends, or one fails: then end the others. Raises what it failed with."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
    finally:
        await cancel(*tasks)
    for task in tasks:
        if not task.cancelled():
            task.result()
