"""What `bench.pages` looks at: many monitors with a year behind them, on the embedded database.

Roll-ups are written into the hypertables below the views, chunk by chunk, and lie there as the policies would have left
them. Of a hundred monitors each row is made and compressed by TimescaleDB; every other monitor has a copy of the
compressed batches of one of them, under its own number: so a year of 10,000 monitors takes minutes, not an hour.
"""

from __future__ import annotations

import asyncio
import hashlib
import math
import os
import shutil
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from datetime import time as time_of_day
from pathlib import Path
from typing import Any, LiteralString, cast

import msgspec
import psycopg
from psycopg import sql

from bench import pages_sql
from pinguin.db import SQL
from pinguin.embedded.lock import FolderLock
from pinguin.embedded.stack import EmbeddedStack
from pinguin.maintenance import Manual, Weekly
from pinguin.settings import Settings
from pinguin.setup import prepare_database
from pinguin.store import accounts, maintenance
from pinguin.web.passwords import Passwords

NAME, PASSWORD = "ada", "a penguin in the rain"
MODELS = 100
"""So many monitors have raw results of whole days, and roll-ups of their own."""
HOURLY_DAYS, DAILY_DAYS, RAW_DAYS = 30, 365, 4
MINUTES = 40
"""Raw results of all other monitors: enough for the bars of lists."""
STEPS = {"results_hourly": timedelta(hours=1), "results_daily": timedelta(days=1)}
ROWS_AT_ONCE = 30_000
"""Of roll-ups that are written row by row: a second's work, on a busy machine a minute's."""
FRESH_S = 12 * 3600
"""Older data is made anew: its newest results would be too old for bars and charts."""

Connection = psycopg.AsyncConnection[Any]


def folder(monitors: int) -> Path:
    """Where data of that size is kept between runs."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "pinguin-bench" / str(monitors)


def _made_with() -> list[str]:
    """What the data comes from: the generator, and each migration."""
    generator = Path(__file__).read_bytes() + Path(pages_sql.__file__).read_bytes()
    parts = [generator, *(path.read_bytes() for path in sorted((SQL / "migrations").glob("*.sql")))]
    return [hashlib.sha256(part).hexdigest() for part in parts]


def _usable(made: Path) -> bool:
    """Whether what is kept is what would be made now, but for migrations that can still be made."""
    if not made.exists() or time.time() - made.stat().st_mtime > FRESH_S:
        return False
    return set(made.read_text().split()) <= set(_made_with())


@asynccontextmanager
async def stack(monitors: int) -> AsyncIterator[tuple[EmbeddedStack, Settings]]:
    """A running stack with that data, made now where it is not kept, and the settings for its processes."""
    place = folder(monitors)
    made = place / "made"
    if place.exists() and not _usable(made):
        FolderLock(place).release()  # raises where another bench uses it
        shutil.rmtree(place)
    async with EmbeddedStack(place) as running:
        settings = msgspec.structs.replace(
            Settings(),
            database_url=running.database_url,
            redis_url=running.redis_url,
            secret_key_file=str(running.secret_key_file),
            log_level="warning",
        )
        if not made.exists():
            await _make(settings, monitors)
            made.write_text("\n".join(_made_with()))
        elif await prepare_database(settings):
            kept = made.stat()
            made.write_text("\n".join(_made_with()))
            os.utime(made, (kept.st_atime, kept.st_mtime))
        yield running, settings


async def _make(settings: Settings, monitors: int) -> None:
    _say(f"Making {monitors:,} monitors with their past; it is kept for the next run …")
    began = time.monotonic()
    await prepare_database(settings)
    async with await psycopg.AsyncConnection.connect(settings.database_url, autocommit=True) as conn:
        await conn.execute("set client_min_messages = warning")
        for step in (_definitions, _raw, _hourly, _daily, _around):
            await step(conn, monitors)
            _say(f"  {step.__name__.strip('_')}: {time.monotonic() - began:.0f} s")
        await conn.execute("vacuum analyze")
    _say(f"… made in {time.monotonic() - began:.0f} s.")


async def _definitions(conn: Connection, monitors: int) -> None:
    """Without triggers: what they would write about today is written here about the past."""
    given = {"monitors": monitors}
    async with conn.transaction():
        await conn.execute("set local session_replication_role = replica")
        for statement in pages_sql.DEFINITIONS:
            await conn.execute(statement, given)


async def _raw(conn: Connection, monitors: int) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    for day in range(RAW_DAYS):
        ending = now - timedelta(days=RAW_DAYS - 1 - day)
        given = {"origin": ending - timedelta(days=1), "ending": ending, "first": 1, "last": min(MODELS, monitors)}
        await conn.execute(pages_sql.RAW, given)
    recent = {"origin": now - timedelta(minutes=MINUTES), "ending": now}
    for first in range(MODELS + 1, monitors + 1, 1000):
        await conn.execute(pages_sql.RAW, recent | {"first": first, "last": min(first + 999, monitors)})
    await conn.execute(pages_sql.LAST_RESULTS)
    await _compress(conn, "results", now - timedelta(days=3))


async def _hourly(conn: Connection, monitors: int) -> None:
    ending = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=1)
    await _rollups(conn, "results_hourly", ending - timedelta(days=HOURLY_DAYS), ending, monitors)


async def _daily(conn: Connection, monitors: int) -> None:
    ending = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=1)
    await _rollups(conn, "results_daily", ending - timedelta(days=DAILY_DAYS), ending, monitors)


async def _rollups(conn: Connection, view: str, origin: datetime, ending: datetime, monitors: int) -> None:
    """Rows of `view` for [origin, ending): compressed where a chunk is a day old, else one bucket after the other."""
    table, number, width = await _one(conn, pages_sql.MATERIALISED, {"view": view})
    settled = datetime.now(UTC) - timedelta(days=1 if view == "results_hourly" else 2)
    for starts, ends in _chunks(origin, ending, width):
        rows = sql.SQL(pages_sql.ROLLUPS[view]).format(table=sql.SQL(table))
        models = min(MODELS, monitors)
        if _chunk_end(starts, width) < settled:
            await conn.execute(rows, {"origin": starts, "ending": ends, "models": models, "monitors": models})
            await _compress(conn, table, settled)
            await _copy_batches(conn, table, starts, monitors)
        else:  # in parts of whole buckets: the embedded database ends what lasts longer than a minute
            part = STEPS[view] * max(1, ROWS_AT_ONCE // monitors)
            for turn in range(math.ceil((ends - starts) / part)):
                span = {"origin": starts + turn * part, "ending": min(starts + (turn + 1) * part, ends)}
                await conn.execute(rows, span | {"models": models, "monitors": monitors})
    watermark = int(ending.timestamp()) * 1_000_000
    await conn.execute(pages_sql.WATERMARK, {"number": number, "watermark": watermark})


def _chunks(origin: datetime, ending: datetime, width: timedelta) -> list[tuple[datetime, datetime]]:
    """[origin, ending) cut where chunks end."""
    found, starts = [], origin
    while starts < ending:
        ends = min(_chunk_end(starts, width), ending)
        found.append((starts, ends))
        starts = ends
    return found


def _chunk_end(moment: datetime, width: timedelta) -> datetime:
    seconds = int(width.total_seconds())
    return datetime.fromtimestamp((int(moment.timestamp()) // seconds + 1) * seconds, UTC)


async def _compress(conn: Connection, table: str, before: datetime) -> None:
    for (chunk,) in await _all(conn, pages_sql.CHUNKS, {"table": table, "before": before}):
        await conn.execute("select compress_chunk(%s::regclass, if_not_compressed => true)", (chunk,))


async def _copy_batches(conn: Connection, table: str, within: datetime, monitors: int) -> None:
    """The compressed batches of the models, under the numbers of all others."""
    if monitors <= MODELS:
        return
    (batches,) = await _one(conn, pages_sql.BATCHES, {"table": table, "within": within})
    columns = await _all(conn, pages_sql.COLUMNS, {"batches": batches})
    names = sql.SQL(", ").join(sql.Identifier(name) for (name,) in columns if name != "monitor_id")
    await conn.execute(
        sql.SQL(pages_sql.COPY).format(batches=sql.SQL(cast(LiteralString, batches)), names=names),
        {"models": MODELS, "monitors": monitors},
    )


async def _around(conn: Connection, _: int) -> None:
    """What surrounds monitors: an account, channels and their log, maintenance, changes."""
    await accounts.create_first(conn, NAME, await Passwords().hash(PASSWORD))
    for statement in pages_sql.AROUND:
        await conn.execute(statement)
    weekly = Weekly(days=[6], at=time_of_day(2), duration_s=7200)
    await maintenance.create(conn, maintenance.Draft(title="Weekly patches", rule=weekly, tags=["team 3"]))
    by_hand = await maintenance.create(conn, maintenance.Draft(title="Move of a rack", rule=Manual(), tags=["rack 7"]))
    await maintenance.start(conn, by_hand, timedelta(days=2))


async def _one(conn: Connection, statement: LiteralString, given: dict[str, Any]) -> tuple[Any, ...]:
    row: tuple[Any, ...] | None = await (await conn.execute(statement, given)).fetchone()
    assert row is not None
    return row


async def _all(conn: Connection, statement: LiteralString, given: dict[str, Any]) -> list[tuple[Any, ...]]:
    return await (await conn.execute(statement, given)).fetchall()


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":

    async def only_make() -> None:
        async with stack(int(sys.argv[1])):
            pass

    asyncio.run(only_make())
