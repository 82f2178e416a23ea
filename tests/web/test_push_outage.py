"""A ping is never lost while Postgres is away, and what waited comes in its order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import msgspec
import pytest
import redis.asyncio as aioredis
from litestar import Litestar

from pinguin.broker import Broker
from pinguin.db import Pool, connection, make_pool
from pinguin.errors import Unavailable
from pinguin.push import Ping
from pinguin.settings import Settings
from pinguin.web import kept
from pinguin.web.app import create_app
from pinguin.web.intake import Answer
from pinguin.web.kept import Openness
from pinguin.web.service import Web
from tests.conftest import Services
from tests.factory import fetch
from tests.store.pushing import add_push, status, token
from tests.web.conftest import Client, browser
from tests.web.test_database import Line

SLACK = timedelta(seconds=0.1)
"""Between the clocks of the tests, of the database and of Redis, which are those of one machine."""


class PatientLine(Line):
    """Pings give up soon on a database that hangs, and only then: a slow moment of this machine is no outage."""

    def __init__(self, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__(url)
        self._monkeypatch = monkeypatch
        self._wait(60)

    def hang(self) -> None:
        super().hang()
        self._wait(0.5)

    def go_on(self) -> None:
        super().go_on()
        self._wait(60)

    def _wait(self, seconds: float) -> None:
        for where in ("intake", "kept"):
            self._monkeypatch.setattr(f"pinguin.web.{where}.PATIENCE_S", seconds)


@pytest.fixture
async def way(stack: Services, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[Line, Pool]]:
    """To the database, and a pool that goes it."""
    line = PatientLine(stack.database_url, monkeypatch)
    async with line.served() as url, make_pool(url, 2, timeout_s=60) as through:
        yield line, through
        line.go_on()


@pytest.fixture
def app(stack: Services, broker: Broker, way: tuple[Line, Pool]) -> Litestar:
    return create_app(Settings(redis_url=stack.redis_url), way[1], broker)


@pytest.fixture
async def job(app: Litestar) -> AsyncIterator[Client]:
    async with browser(app) as client:
        yield client


@pytest.fixture
async def known(pool: Pool) -> UUID:
    return await token(pool, await add_push(pool))


async def drained(app: Litestar, broker: Broker) -> None:
    """Write what waits, as soon as the database is there again."""
    web: Web = app.state.web
    async with asyncio.timeout(90):
        while await broker.backlog.pings.count():
            await kept.drain_if_any(web.intake, broker, "test")


async def test_pings_wait_in_redis_and_come_in_their_order(
    job: Client, app: Litestar, broker: Broker, pool: Pool, way: tuple[Line, Pool], known: UUID
) -> None:
    assert (await job.get(f"/{known}/start")).text == "OK"
    way[0].hang()
    began = datetime.now(UTC)
    for path in ("log", "fail", "0"):
        assert (await job.post(f"/{known}/{path}", content=path.encode())).text == "OK"
    over = datetime.now(UTC)
    assert await broker.backlog.pings.count() == 3
    assert await fetch(pool, "select kind from pings") == [("start",)]

    way[0].go_on()
    assert (await job.get(f"/{known}/start")).text == "OK"  # goes behind, though the database is back
    assert await broker.backlog.pings.count() == 4
    await drained(app, broker)

    rows = await fetch(pool, "select kind, exit_code, body, at from pings order by at")
    assert [row[:3] for row in rows] == [
        ("start", None, ""), ("log", None, "log"), ("fail", None, "fail"), ("exit", 0, "0"), ("start", None, ""),
    ]  # fmt: skip
    assert all(began - SLACK <= row[3] <= over + SLACK for row in rows[1:4])
    assert (await status(pool, 1))[0] == "up"
    assert await fetch(pool, "select count(*), count(ended_at) from incidents") == [(1, 1)]
    assert (await job.get(f"/{known}")).text == "OK"
    assert await broker.backlog.pings.count() == 0


async def test_pings_that_redis_lost_are_put_there_again(
    job: Client, app: Litestar, broker: Broker, pool: Pool, redis: aioredis.Redis, way: tuple[Line, Pool], known: UUID
) -> None:
    """Emptied while the database is away, and once more after they were written: each is there once, at its time."""
    way[0].hang()
    for path in ("start", "fail"):
        assert (await job.get(f"/{known}/{path}")).text == "OK"
    over = datetime.now(UTC)
    await redis.flushall()
    assert (await job.get(f"/{known}/0")).text == "OK"
    assert await broker.backlog.pings.count() == 3
    await redis.flushall()
    way[0].go_on()
    await kept.drain_if_any(app.state.web.intake, broker, "test")
    await drained(app, broker)

    rows = await fetch(pool, "select kind, at from pings order by at")
    assert [row[0] for row in rows] == ["start", "fail", "exit"]
    assert rows[1][1] <= over + SLACK
    assert await fetch(pool, "select count(*), count(ended_at) from incidents") == [(1, 1)]

    await redis.flushall()
    await kept.drain_if_any(app.state.web.intake, broker, "test")
    await drained(app, broker)
    assert await fetch(pool, "select kind, at from pings order by at") == rows


async def test_pings_that_are_written_are_not_put_there_again(
    job: Client, app: Litestar, broker: Broker, redis: aioredis.Redis, way: tuple[Line, Pool], known: UUID
) -> None:
    """They would count once all the same; but who never forgets one puts thousands there."""
    web: Web = app.state.web
    way[0].hang()
    assert (await job.get(f"/{known}")).text == "OK"
    way[0].go_on()
    await drained(app, broker)
    await web.intake.copies.settle()
    await redis.flushall()
    await web.intake.copies.settle()
    assert await broker.backlog.pings.count() == 0


async def test_a_list_without_room_for_what_may_be_lost_is_written_first(
    job: Client, app: Litestar, broker: Broker, pool: Pool, redis: aioredis.Redis, way: tuple[Line, Pool], known: UUID,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Redis may be another one, and all pings are there all the same; what comes goes behind them, or nowhere."""
    monkeypatch.setattr("pinguin.web.copies.LIMIT", 3)
    way[0].hang()
    for path in ("start", "0"):
        assert (await job.get(f"/{known}/{path}")).text == "OK"
    await redis.delete("pinguin:spill:since")
    way[0].go_on()
    assert (await job.get(f"/{known}/fail")).status_code == 503
    for _ in range(2):
        await drained(app, broker)
        await kept.drain_if_any(app.state.web.intake, broker, "test")
    assert await fetch(pool, "select kind from pings order by at") == [("start",), ("exit",)]
    assert (await job.get(f"/{known}/fail")).text == "OK"
    assert await broker.backlog.pings.count() == 0


async def test_nobody_is_silent_while_lost_pings_are_not_there_again(
    job: Client,
    app: Litestar,
    broker: Broker,
    pool: Pool,
    redis: aioredis.Redis,
    way: tuple[Line, Pool],
    known: UUID,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Silence is judged up to when somebody says that pings can be taken; before, they are put there again."""
    way[0].hang()
    assert (await job.get(f"/{known}")).text == "OK"
    await redis.flushall()
    way[0].go_on()
    web: Web = app.state.web
    with monkeypatch.context() as without_redis:
        without_redis.setattr(web.intake.copies, "settle", away)
        await kept.say_open(web.intake, broker, web.pool, Openness())
    assert await fetch(pool, "select count(*) from push_watch") == [(0,)]
    await kept.say_open(web.intake, broker, web.pool, Openness())
    assert await broker.backlog.pings.count() == 1
    assert await fetch(pool, "select count(*) from push_watch") == [(1,)]


async def away() -> None:
    raise Unavailable("Redis is away")


async def test_a_ping_whose_answer_was_lost_is_written_once(
    job: Client, app: Litestar, broker: Broker, pool: Pool, known: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database commits, and its answer does not come: the ping waits in Redis too."""
    web: Web = app.state.web
    write = web.intake.write

    async def lost(pings: list[Ping]) -> list[Answer]:
        await write(pings)
        raise Unavailable("no answer")

    monkeypatch.setattr(web.intake, "write", lost)
    assert (await job.get(f"/{known}/fail")).text == "OK"
    monkeypatch.setattr(web.intake, "write", write)
    assert await broker.backlog.pings.count() == 1
    await drained(app, broker)
    assert await fetch(pool, "select count(*) from pings") == [(1,)]
    assert await fetch(pool, "select count(*) from results") == [(1,)]


async def test_while_redis_is_away_too_the_job_is_told_to_come_again(
    stack: Services, pool: Pool, way: tuple[Line, Pool], known: UUID
) -> None:
    async with Broker.connect("redis://127.0.0.1:1/0") as nowhere:
        app = create_app(Settings(), way[1], nowhere)
        async with browser(app) as job:
            assert (await job.get(f"/{known}")).text == "OK"  # the database alone will do
            way[0].hang()
            answer = await job.get(f"/{known}")
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "10")
        assert app.state.web.intake.refused == 1


async def test_more_than_redis_is_to_keep_is_refused_not_dropped(
    job: Client, broker: Broker, way: tuple[Line, Pool], known: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pinguin.web.copies.LIMIT", 2)
    way[0].hang()
    codes = [(await job.get(f"/{known}")).status_code for _ in range(4)]
    assert codes == [200, 200, 503, 503]
    assert await broker.backlog.pings.count() == 2


async def test_a_long_body_is_shortened_while_it_waits(
    job: Client, app: Litestar, broker: Broker, pool: Pool, way: tuple[Line, Pool], known: UUID
) -> None:
    way[0].hang()
    await job.post(f"/{known}", content=b"x" * 9000)
    way[0].go_on()
    await drained(app, broker)
    assert await fetch(pool, "select length(body) from pings") == [(2000,)]


async def test_what_cannot_be_read_or_written_is_set_aside_and_holds_nobody_up(
    app: Litestar, broker: Broker, pool: Pool, redis: aioredis.Redis, known: UUID
) -> None:
    def text(**values: object) -> str:
        ping = msgspec.structs.replace(Ping(id=uuid4(), token=known), **values)
        return msgspec.json.encode(ping).decode()

    for entry in (text(), "{", '{"kind": "sleep"}', text(body="a\0b"), text(kind="fail"), text(token=uuid4())):
        await broker.backlog.pings.keep(entry, 100)
    await drained(app, broker)
    assert await fetch(pool, "select kind from pings order by at") == [("success",), ("fail",)]
    assert await redis.llen("pinguin:spill:aside") == 3


async def test_one_process_drains_at_a_time(app: Litestar, broker: Broker, pool: Pool, known: UUID) -> None:
    web: Web = app.state.web
    assert await broker.backlog.pings.may_drain("another", 30)
    await broker.backlog.pings.keep(msgspec.json.encode(Ping(id=uuid4(), token=known)).decode(), 10)
    await kept.drain_if_any(web.intake, broker, "this one")
    assert await broker.backlog.pings.count() == 1


# -- since when pings can be taken


def test_openness_is_without_a_break() -> None:
    openness = Openness()
    assert openness.able_for(True, 0, 1000) == timedelta(0)
    assert openness.able_for(True, 0, 1005) == timedelta(seconds=5)
    assert openness.able_for(True, 0, 1010) == timedelta(seconds=10)
    assert openness.able_for(False, 0, 1015) is None
    assert openness.able_for(True, 0, 1020) == timedelta(0)


@pytest.mark.parametrize(("refused", "now"), [(1, 1010), (0, 1021), (0, 4000), (0, 900)])
def test_a_refusal_a_sleep_or_a_clock_that_jumps_begins_it_anew(refused: int, now: float) -> None:
    openness = Openness()
    openness.able_for(True, 0, 1000)
    openness.able_for(True, 0, 1005)
    assert openness.able_for(True, refused, now) == timedelta(0)


async def test_it_is_told_to_the_database_and_redis_is_as_good_meanwhile(
    app: Litestar, broker: Broker, pool: Pool, way: tuple[Line, Pool]
) -> None:
    web: Web = app.state.web
    openness = Openness()
    began = datetime.now(UTC)
    await kept.say_open(web.intake, broker, web.pool, openness)
    [(before,)] = await fetch(pool, "select since from push_watch")
    way[0].hang()
    await kept.say_open(web.intake, broker, web.pool, openness)
    way[0].go_on()
    async with asyncio.timeout(90):
        while (await fetch(pool, "select seen_at - since > interval '0.4 s' from push_watch"))[0][0] is not True:
            await kept.say_open(web.intake, broker, web.pool, openness)
    [(since,)] = await fetch(pool, "select since from push_watch")
    assert began - SLACK <= since <= before


async def test_the_pages_process_drains_and_says_so_by_itself(
    app: Litestar, broker: Broker, pool: Pool, known: UUID
) -> None:
    await broker.backlog.pings.keep(msgspec.json.encode(Ping(id=uuid4(), token=known)).decode(), 10)
    async with app.lifespan(), asyncio.timeout(90):
        while await broker.backlog.pings.count() or not await fetch(pool, "select from push_watch"):
            await asyncio.sleep(0.05)
    async with connection(pool) as conn:
        assert (await (await conn.execute("select count(*) from pings")).fetchone()) == (1,)
