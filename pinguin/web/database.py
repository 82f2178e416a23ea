"""Connections for pages: where the database hangs, somebody still gets an answer."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import psycopg
import psycopg_pool

from pinguin.db import Connection, Pool
from pinguin.errors import Unavailable
from pinguin.lifecycle import cancel

PATIENCE_S = 10.0
"""How long a page waits for a connection and all that it asks of it."""
DEPTH = 10
"""Turns of the loop in which the parts of a read begin, and parts of parts, down to their first statements."""

T = TypeVar("T")


@asynccontextmanager
async def connection(pool: Pool, patience_s: float | None = None) -> AsyncIterator[Connection]:
    """As `pinguin.db.connection`, but `Unavailable` too where the work takes longer than `patience_s` or `PATIENCE_S`.

    Cancelling alone would not do: psycopg then asks the server to stop, and waits ten more seconds for that.
    """
    loop = asyncio.get_running_loop()
    patience_s = PATIENCE_S if patience_s is None else patience_s
    deadline = loop.time() + patience_s
    try:
        conn = await _take(pool, deadline)
        cutting = loop.call_at(deadline, _cut, conn)
        try:
            yield conn
        finally:
            cutting.cancel()
            await pool.putconn(conn)
    except (psycopg_pool.PoolTimeout, psycopg_pool.PoolClosed, psycopg.OperationalError, OSError) as error:
        words = str(error) or f"not within {patience_s:g} s"
        raise Unavailable(f"the database does not answer: {words}") from error


async def at_once(conn: Connection, *reads: Awaitable[Any]) -> list[Any]:
    """What these read over `conn`, whose statements are sent without waiting for each other's answers.

    The database goes on while what it answered is drawn, and on a busy machine both wait for their turn once, not with
    each statement. The statements are one transaction, so none of them may write. Raises what went wrong first; where
    that was the database, `conn` is closed: psycopg takes statements as prepared that never came to be.
    """
    return (await _ask(conn, reads, lambda: None))[0]


async def while_asked(conn: Connection, read: Awaitable[Any], work: Callable[[], T]) -> tuple[Any, T]:
    """What `read` finds, as `at_once`, and what `work` makes while the database looks for it."""
    (found,), made = await _ask(conn, [read], work)
    return found, made


async def _ask(conn: Connection, reads: Sequence[Awaitable[Any]], work: Callable[[], T]) -> tuple[list[Any], T]:
    found: list[Any] = []
    try:
        async with conn.pipeline():
            asking = asyncio.gather(*reads, return_exceptions=True)
            try:
                await _sent(conn)
                made = work()
                found = await asking
            finally:
                await cancel(asking)
    except psycopg.Error as error:  # none of them waited for the answer that says it
        found.append(error)
    except BaseException:
        await conn.close()
        raise
    try:
        return _good(found), made
    except psycopg.Error:
        await conn.close()
        raise


async def _sent(conn: Connection) -> None:
    """Wait until each of the reads that have just begun has sent its first statement.

    All come to the lock while we hold it, and are before us when we do so again. Without us the first would hold it
    until its answer has come, and the others' statements wait.
    """
    async with conn.lock:
        for _ in range(DEPTH):
            await asyncio.sleep(0)
    async with conn.lock:
        pass


async def all_of(*reads: Awaitable[Any]) -> list[Any]:
    """The parts of one of `at_once`'s reads. All end before anything is raised: their connection is used again."""
    return _good(await asyncio.gather(*reads, return_exceptions=True))


def _good(found: list[Any]) -> list[Any]:
    """What was found; raises the error that says most."""
    wrong = [each for each in found if isinstance(each, BaseException)]
    if wrong:
        raise min(wrong, key=_hearsay)
    return found


def _hearsay(error: BaseException) -> int:
    """How little it says of what went wrong: what comes later in its pipeline is only told that there is no answer."""
    if not isinstance(error, psycopg.Error) or error.sqlstate:
        return 0
    return 1 if isinstance(error, psycopg.OperationalError) else 2


async def _take(pool: Pool, deadline: float) -> Connection:
    """A connection from the pool, or TimeoutError at `deadline`: the pool may wait longer, for one that it asks."""
    wanted: asyncio.Future[Connection] = asyncio.get_running_loop().create_future()
    taking = asyncio.create_task(_fetch(pool, wanted))
    try:
        async with asyncio.timeout_at(deadline):
            return await wanted
    except BaseException:
        if wanted.done() and not wanted.cancelled() and wanted.exception() is None:
            await pool.putconn(wanted.result())  # it came in the same moment
        raise
    finally:
        taking.cancel()


async def _fetch(pool: Pool, wanted: asyncio.Future[Connection]) -> None:
    try:
        conn = await pool.getconn(min(pool.timeout, PATIENCE_S))
    except Exception as error:
        if not wanted.done():
            wanted.set_exception(error)
        return
    if wanted.done():
        await pool.putconn(conn)
    else:
        wanted.set_result(conn)


def _cut(conn: Connection) -> None:
    """End the connection under whoever waits for its answer; the pool makes a new one."""
    if not conn.closed:
        with socket.socket(fileno=os.dup(conn.fileno())) as line:
            line.shutdown(socket.SHUT_RDWR)
