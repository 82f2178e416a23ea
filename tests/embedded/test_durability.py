"""kill -9 in the middle of everything: what was acknowledged is there."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import psycopg
import pytest

from pinguin.embedded import supervisor
from pinguin.embedded.stack import EmbeddedStack
from tests.embedded.clients import Conn, connect, row, value
from tests.embedded.processes import kill, started_again, until

KILLS = 10
WRITERS = 3

SCHEMA = """
create table events (time timestamptz not null, seq bigint not null, writer int not null, pad text);
create index on events (seq);
create table state (writer int primary key, seq bigint not null);
alter table events set (
    timescaledb.compress, timescaledb.compress_segmentby = 'writer', timescaledb.compress_orderby = 'time'
);
"""
ROLL_UP = """
create materialized view events_1m with (timescaledb.continuous) as
select writer, time_bucket('1 minute', time) as minute, count(*) as n from events group by 1, 2 with no data
"""
INSERT = """
insert into events
select '2026-01-01'::timestamptz + (%(seq)s + g) * interval '0.5 second', %(seq)s + g, %(writer)s, repeat('x', 100)
from generate_series(1, %(count)s) g
"""

StartStack = Callable[..., AbstractAsyncContextManager[EmbeddedStack]]


class Writer:
    """Writes 1, 2, 3, … and knows how far it was told that they are safe."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.acknowledged = 0

    async def write(self, url: str, choose: random.Random) -> None:
        """Until the connection breaks."""
        with contextlib.suppress(psycopg.OperationalError):
            async with await connect(url) as conn:
                seq = await value(conn, "select coalesce(max(seq), 0) from events where writer = %s", self.number)
                while True:
                    seq = await self._write_some(conn, seq, choose.choice((1, 1, 1, 50)))
                    self.acknowledged = seq

    async def _write_some(self, conn: Conn, seq: int, count: int) -> int:
        async with conn.transaction():
            await conn.execute(INSERT, {"seq": seq, "writer": self.number, "count": count})
            await conn.execute("update state set seq = %s where writer = %s", (seq + count, self.number))
        return seq + count

    async def check(self, conn: Conn) -> None:
        query = "select count(*), count(distinct seq), coalesce(max(seq), 0) from events where writer = %s"
        count, distinct, largest = await row(conn, query, self.number)
        state = await value(conn, "select seq from state where writer = %s", self.number)
        assert largest >= self.acknowledged
        assert (count, distinct, state) == (largest, largest, largest)


async def keep_house(url: str) -> None:
    """What the leader does: roll-ups and compression, while others write."""
    with contextlib.suppress(psycopg.OperationalError):
        async with await connect(url) as conn:
            while True:
                await conn.execute("call refresh_continuous_aggregate('events_1m', null, null)")
                with contextlib.suppress(psycopg.errors.ObjectNotInPrerequisiteState, psycopg.errors.DuplicateObject):
                    await conn.execute(
                        "select compress_chunk(c, true) from show_chunks('events') c order by random() limit 1"
                    )
                await asyncio.sleep(0.05)


async def prepare(url: str) -> None:
    async with await connect(url) as conn:
        schema = SCHEMA.split(";\n", 1)
        await conn.execute(schema[0].encode())
        await conn.execute("select create_hypertable('events', by_range('time', interval '5 minutes'))")
        await conn.execute(schema[1].encode())
        await conn.execute("insert into state select g, 0 from generate_series(0, %s) g", (WRITERS - 1,))
        await conn.execute(ROLL_UP)


async def check_roll_up(conn: Conn) -> None:
    await conn.execute("call refresh_continuous_aggregate('events_1m', null, null)")
    rolled, raw = await row(conn, "select (select sum(n) from events_1m), (select count(*) from events)")
    assert rolled == raw


@pytest.mark.timeout(600)  # ten starts of a database, each as slow as the machine
async def test_every_acknowledged_row_survives(start_stack: StartStack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "LONG_LIFE", 0)  # every restart is as quick as the first
    choose = random.Random(7)
    writers = [Writer(number) for number in range(WRITERS)]

    def acknowledged() -> int:
        return sum(writer.acknowledged for writer in writers)

    async with start_stack("--checkpoint-ms", "1000") as stack:
        await prepare(stack.database_url)
        for round_ in range(KILLS):
            url = stack.database_url
            tasks = [asyncio.create_task(writer.write(url, choose)) for writer in writers]
            tasks.append(asyncio.create_task(keep_house(url)))
            enough = acknowledged() + 50
            await until(lambda: acknowledged() >= enough)  # noqa: B023
            await asyncio.sleep(choose.uniform(0, 0.3))
            kill(stack.database_child.pid)
            await asyncio.wait_for(asyncio.gather(*tasks), 30)
            await started_again(stack.database_child, round_ + 1, stack.database.answers)
            async with await connect(url) as conn:
                for writer in writers:
                    await writer.check(conn)
                await check_roll_up(conn)
        assert stack.database_child.restarts == KILLS
        async with await connect(stack.database_url) as conn:
            assert await value(conn, "select count(*) from timescaledb_information.chunks where is_compressed") > 0
