"""Two schedulers, two workers and the embedded stack as real processes, under a steady load."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import psycopg
from redis.asyncio import Redis
from redis.exceptions import RedisError

from pinguin.broker import Broker
from pinguin.embedded.stack import EmbeddedStack
from pinguin.embedded.supervisor import Child
from pinguin.errors import Unavailable
from pinguin.model import LEASE_MARGIN_S
from pinguin.settings import Settings
from pinguin.setup import prepare_database
from tests.chaos.target import Listener, address

TIMEOUT_S = 1
LEASE_S = TIMEOUT_S + LEASE_MARGIN_S
LOAD = ((1, 100), (2, 200), (10, 40))
"""(interval, monitors). The last ones have slots further apart than a lease lasts: they lose nothing, ever."""

ADD = """
insert into monitors (name, type, target, options, interval_s, timeout_s, failure_threshold)
select 'm' || n, 'tcp', 'loopback', '{"host": "127.0.0.1", "port": 1}', %s, %s, 1 from generate_series(1, %s) n
returning id
"""
AIM = """
update monitors set options = jsonb_build_object('host', host, 'port', %s::integer)
from unnest(%s::bigint[], %s::text[]) as aim (monitor_id, host) where id = monitor_id returning id
"""
HEALTHY = """
select count(*) = %s from monitor_states join monitors on id = monitor_id
where status = 'up' and last_slot > %s - make_interval(secs => interval_s)
"""
OWED = "select max(valid_from) + interval '5 seconds' < now() from monitor_versions"
"""As `expected_slots` has it: of a version that has just begun, checks are made that nobody waits for."""
NO_PROBLEM = "select not exists (select from pipeline_incidents where ended_at is null and code = any(%s))"
"""An incident that is open already would go on, and not be a new one."""
RAISED = "select count(distinct code) from pipeline_incidents where code = any(%s) and started_at >= %s"
FAKETIME = sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))


@dataclass
class System:
    """What runs, and how to ask it."""

    stack: EmbeddedStack
    settings: Settings
    broker: Broker
    redis: Redis
    target: Listener = field(default_factory=Listener)
    canary: Listener = field(default_factory=Listener)
    children: dict[str, Child] = field(default_factory=dict)
    monitors: list[int] = field(default_factory=list)

    def pid(self, name: str) -> int:
        pid = self.children[name].pid
        assert pid is not None, f"{name} is dead"
        return pid

    async def leader(self) -> str:
        """The scheduler that leads: its name here."""
        deadline = time.monotonic() + 30
        while True:
            leader = await self.broker.leader()
            for name, child in self.children.items():
                if leader is not None and leader.endswith(f"/{child.pid}"):
                    return name
            assert time.monotonic() < deadline, f"no scheduler of ours leads, but {leader}"
            await asyncio.sleep(0.2)

    async def follower(self) -> str:
        leader = await self.leader()
        return next(name for name in self.children if name.startswith("scheduler") and name != leader)

    async def start(self, name: str, **environment: str) -> None:
        """One more process: `scheduler-1`, `worker-2`, …"""
        command = [sys.executable, "-m", "pinguin", name.partition("-")[0]]
        env = self.settings.environment() | environment
        self.children[name] = await self.stack.supervisor.start(name, command, env=env, grace=20)

    async def stop(self, name: str) -> None:
        """One process less."""
        await self.children.pop(name).stop()

    async def ask(self, sql: str, arguments: Any = ()) -> list[tuple[Any, ...]]:
        """An answer from the database, waiting for it to come back if need be."""
        deadline = time.monotonic() + 60
        while True:
            try:
                url = self.stack.database_url
                async with await psycopg.AsyncConnection.connect(url, autocommit=True, connect_timeout=10) as conn:
                    return await (await conn.execute(sql, arguments)).fetchall()
            except psycopg.OperationalError:
                assert time.monotonic() < deadline, "the database does not come back"
                await asyncio.sleep(0.2)

    async def until(self, sql: str, arguments: Any = (), within_s: float = 60) -> None:
        """Wait until the first column of the answer is true."""
        deadline = time.monotonic() + within_s
        while not (await self.ask(sql, arguments))[0][0]:
            assert time.monotonic() < deadline, f"not true within {within_s} s: {sql} {arguments}"
            await asyncio.sleep(0.3)

    async def healthy(self, since: float, within_s: float = 60) -> None:
        """Wait until every monitor is up by its last slot before `since` or a newer one, and nothing is spilled."""
        await self.until(HEALTHY, (len(self.monitors), datetime.fromtimestamp(since, UTC)), within_s)
        deadline = time.monotonic() + within_s
        while await self.broker.backlog.results.count():
            assert time.monotonic() < deadline, "results still wait for the database"
            await asyncio.sleep(0.2)

    async def raised(self, codes: Sequence[str], since: float, within_s: float = 20) -> None:
        """Wait until the pipeline's watch, which looks every few seconds, has raised these, or should have."""
        deadline = time.monotonic() + within_s
        while (await self.ask(RAISED, (list(codes), datetime.fromtimestamp(since, UTC))))[0][0] < len(codes):
            if time.monotonic() > deadline:
                break
            await asyncio.sleep(0.3)

    async def jobs_in_flight(self) -> set[str]:
        """Every job that is leased now, as `id@REGION job`."""
        held = await self.redis.hgetall("pinguin:inflight")
        return {f"{key!s} {job!s}" for key, job in held.items()}

    async def stuck(self) -> list[int]:
        """The monitors whose job is leased and not worked on: their slots may be lost until the lease ends."""
        await asyncio.sleep(1.5)  # a worker that stands still may be given one more job
        first = await self.jobs_in_flight()
        await asyncio.sleep(1)
        return sorted(int(job.partition("@")[0]) for job in first & await self.jobs_in_flight())

    async def present(self, name: str) -> None:
        """Wait until a worker takes jobs."""
        deadline = time.monotonic() + 30
        while True:
            names = (await self.broker.workers(3600)).get("local", [])
            if any(each.endswith(f"/{self.children[name].pid}") for each in names):
                return
            assert time.monotonic() < deadline, f"{name} did not come back"
            await asyncio.sleep(0.1)

    async def redis_answers(self, within_s: float = 60) -> None:
        deadline = time.monotonic() + within_s
        while True:
            try:
                await self.broker.now()
            except (Unavailable, RedisError):
                assert time.monotonic() < deadline, "Valkey does not come back"
                await asyncio.sleep(0.05)
            else:
                return


@contextmanager
def standing_still(pid: int) -> Iterator[None]:
    """SIGSTOP, and SIGCONT whatever happens."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


async def kill(child: Child) -> int:
    """kill -9; the pid that it had."""
    pid = child.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    while child.pid == pid:
        await asyncio.sleep(0.005)
    return pid


async def restarted(child: Child, within_s: float = 30) -> int:
    """Wait until the supervisor has started it again; its new pid."""
    deadline = time.monotonic() + within_s
    while (pid := child.pid) is None:
        assert time.monotonic() < deadline, f"{child.name} was not started again"
        await asyncio.sleep(0.005)
    return pid


@asynccontextmanager
async def running(folder: Path, load: Sequence[tuple[int, int]] = LOAD) -> AsyncIterator[System]:
    """A system whose monitors are all up."""
    async with EmbeddedStack(folder) as stack:
        settings = msgspec.structs.replace(
            Settings(), database_url=stack.database_url, redis_url=stack.redis_url, log_format="json"
        )
        await prepare_database(settings)
        redis = Redis.from_url(stack.redis_url, decode_responses=True)
        async with Broker.connect(stack.redis_url) as broker, redis:
            system = System(stack, settings, broker, redis)
            await system.target.open()
            await system.canary.open()
            canary = f"127.0.0.1:{system.canary.port}"
            for name in ("scheduler-1", "scheduler-2", "worker-1", "worker-2"):
                await system.start(name, PINGUIN_WORKER_CANARIES=canary)
            await _add_monitors(system, load)
            try:
                yield system
            finally:
                for child in reversed(system.children.values()):
                    await child.stop()
                await system.target.close()
                await system.canary.close()


async def _add_monitors(system: System, load: Sequence[tuple[int, int]]) -> None:
    for interval_s, number in load:
        system.monitors += [row[0] for row in await system.ask(ADD, (interval_s, TIMEOUT_S, number))]
    hosts = [address(monitor_id) for monitor_id in system.monitors]
    await system.ask(AIM, (system.target.port, system.monitors, hosts))
    await system.broker.announce_change(system.monitors)
    await system.healthy(time.time() + 2, within_s=90)


@asynccontextmanager
async def running_somewhere(load: Sequence[tuple[int, int]] = LOAD) -> AsyncIterator[System]:
    """The same in a folder that goes away."""
    with tempfile.TemporaryDirectory(prefix="pinguin-chaos-") as folder:
        async with running(Path(folder), load) as system:
            yield system
