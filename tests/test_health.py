"""Health of the real processes: ready, not ready and why, metrics, and what they cost while nothing happens."""

from __future__ import annotations

import asyncio
import json
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
import redis.asyncio as aioredis
from prometheus_client.parser import text_string_to_metric_families

from pinguin.broker import Broker
from pinguin.db import Pool
from pinguin.settings import Settings
from tests.conftest import Services
from tests.factory import add_monitor
from tests.ports import free_port

NOWHERE = "127.0.0.1:1"
IDLE_S = 6.0
MOST_COMMANDS = 20
Samples = dict[str, dict[tuple[str, ...], float]]
"""Metric, then label values in the order of the labels' names."""


@asynccontextmanager
async def started(name: str, settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """A process of ours; a client of its health port, or of its pages."""
    port = settings.web_port if name == "web" else settings.health_port
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "pinguin", name),
        cwd=Path(__file__).parents[1],
        env={"PATH": "/usr/bin:/bin", **settings.environment()},
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=10) as client:
            async with asyncio.timeout(40):
                while not await alive(client):
                    await asyncio.sleep(0.1)
            yield client
    finally:
        process.terminate()
        async with asyncio.timeout(20):
            assert await process.wait() == 0


async def alive(client: httpx.AsyncClient) -> bool:
    try:
        return bool((await client.get("/healthz")).json() == {"status": "alive"})
    except httpx.TransportError:
        return False


async def readiness(client: httpx.AsyncClient, code: int, within_s: float = 30) -> dict[str, Any]:
    """What /readyz says once it answers with `code`."""
    async with asyncio.timeout(within_s):
        while (answer := await client.get("/readyz")).status_code != code:
            await asyncio.sleep(0.2)
    found: dict[str, Any] = answer.json()
    assert found["status"] == ("ready" if code == 200 else "not ready")
    return found


async def metrics(client: httpx.AsyncClient) -> Samples:
    answer = await client.get("/metrics")
    assert (answer.status_code, answer.headers["content-type"].split(";")[0]) == (200, "text/plain")
    found: Samples = {}
    for family in text_string_to_metric_families(answer.text):
        for sample in family.samples:
            found.setdefault(sample.name, {})[tuple(value for _, value in sorted(sample.labels.items()))] = sample.value
    return found


def somewhere(stack: Services, **given: Any) -> Settings:
    settings = Settings(
        database_url=stack.database_url, redis_url=stack.redis_url, health_port=free_port(), web_port=free_port()
    )
    return msgspec.structs.replace(settings, **given)


@asynccontextmanager
async def all_started(*processes: tuple[str, Settings]) -> AsyncIterator[list[httpx.AsyncClient]]:
    """Several processes that start and stop at the same time."""
    over = asyncio.Event()

    async def one(name: str, settings: Settings, client: asyncio.Future[httpx.AsyncClient]) -> None:
        async with started(name, settings) as opened:
            client.set_result(opened)
            await over.wait()

    clients = [asyncio.get_running_loop().create_future() for _ in processes]
    async with asyncio.TaskGroup() as running:
        for (name, settings), client in zip(processes, clients, strict=True):
            running.create_task(one(name, settings, client))
        try:
            yield [await client for client in clients]
        finally:
            over.set()


def all_three(stack: Services) -> AbstractAsyncContextManager[list[httpx.AsyncClient]]:
    return all_started(*((name, somewhere(stack)) for name in ("scheduler", "worker", "web")))


async def test_every_process_is_ready_and_shows_what_it_does(stack: Services, pool: Pool, broker: Broker) -> None:
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    await add_monitor(pool, interval_s=1, timeout_s=1, options={"host": "127.0.0.1", "port": port})
    await add_monitor(pool, interval_s=1, timeout_s=1, options={"host": "127.0.0.1", "port": 1})
    async with server, all_three(stack) as (scheduler, worker, web):
        found = await readiness(scheduler, 200)
        assert (found["reasons"], found["redis"], found["database"]) == ([], "ok", "ok")
        async with asyncio.timeout(20):
            while not found["leads"]:
                await asyncio.sleep(0.2)
                found = await readiness(scheduler, 200)
        assert found["leader"] == await broker.leader()
        assert (await readiness(worker, 200))["reasons"] == []
        assert (await readiness(web, 200)) == {
            "status": "ready", "reasons": [], "notes": [], "database": "ok", "redis": "ok",
        }  # fmt: skip

        async with asyncio.timeout(30):
            while len((seen := await metrics(worker)).get("pinguin_checks_total", {})) < 2:
                await asyncio.sleep(0.5)
        await asyncio.sleep(2)
        seen = await metrics(worker)
        assert seen["pinguin_checks_total"]["", "up"] >= 1
        assert seen["pinguin_checks_total"]["refused", "down"] >= 1
        assert seen["pinguin_results_total"]["written",] >= 2
        assert seen["pinguin_results_total"]["refused",] == 0
        assert seen["pinguin_commit_seconds_count"][()] >= 1
        assert seen["pinguin_check_lateness_seconds_count"][()] >= 2
        assert seen["pinguin_check_lateness_seconds_sum"][()] < 10 * seen["pinguin_check_lateness_seconds_count"][()]
        assert seen["pinguin_running_checks"][()] <= 2

        seen = await metrics(scheduler)
        assert seen["pinguin_leads"][()] == 1
        (leader,) = seen["pinguin_leader"]
        assert found["leader"].endswith(leader[0])
        assert seen["pinguin_scheduled_monitors"][()] == 2
        assert seen["pinguin_queue_jobs"]["local",] <= 2
        assert seen["pinguin_queue_oldest_seconds"]["local",] < 5
        assert seen["pinguin_workers"]["local",] == 1
        assert seen["pinguin_pipeline_total"]["pushed",] >= 2
        assert {("missed",), ("reaped",), ("lost",)} <= seen["pinguin_pipeline_total"].keys()
        assert seen["pinguin_due_monitors_total"][()] >= seen["pinguin_pushed_jobs_total"][()] >= 2
        assert seen["pinguin_dispatch_lag_seconds_count"][()] >= 2
        assert seen["pinguin_dispatch_age_seconds"][()] < 5
        assert seen["pinguin_redis_up"][()] == 1

        shown = await metrics(web)
        assert shown["pinguin_live_pages"][()] == 0
        assert "pinguin_leader" not in shown, "this page is open to anyone"
        assert (await worker.get("/nothing")).status_code == 404
        assert (await worker.post("/readyz")).status_code == 405
        assert (await worker.head("/readyz")).content == b""


async def test_followers_say_who_leads(stack: Services, pool: Pool, broker: Broker) -> None:
    assert await broker.lead("somebody/1", 60)
    async with started("scheduler", somewhere(stack)) as scheduler:
        found = await readiness(scheduler, 200)
        assert found["leads"] is False
        assert found["leader"].endswith(":somebody/1")
        assert (await metrics(scheduler))["pinguin_leader"] == {("somebody/1",): 1}


@pytest.fixture(scope="class")
async def clients(stack: Services) -> AsyncIterator[dict[str, httpx.AsyncClient]]:
    async with aioredis.Redis.from_url(stack.redis_url) as redis:
        await redis.flushdb()
    away = {
        "redis": {"redis_url": f"redis://{NOWHERE}"},
        "database": {"database_url": f"postgresql://nobody@{NOWHERE}/x"},
    }
    processes = {
        f"{name} without {service}": (name, somewhere(stack, **given))
        for service, given in away.items()
        for name in ("scheduler", "worker")
    }
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes connections and says nothing
        url = f"redis://127.0.0.1:{silent.getsockname()[1]}"
        processes["worker whose redis hangs"] = ("worker", somewhere(stack, redis_url=url))
        async with all_started(*processes.values()) as opened:
            yield dict(zip(processes, opened, strict=True))
            silent.close()


class TestServicesAway:
    """Schedulers and workers without a service, all at the same time: most of it is waiting."""

    async def test_services_that_hang_do_not_hang_the_answer(self, clients: dict[str, httpx.AsyncClient]) -> None:
        found = (await clients["worker whose redis hangs"].get("/readyz")).json()
        assert found["reasons"] == ["the services that it needs did not answer within 4 s"]

    @pytest.mark.parametrize("name", ["scheduler", "worker"])
    async def test_without_the_database_it_is_ready_with_a_note(
        self, clients: dict[str, httpx.AsyncClient], name: str
    ) -> None:
        found = await readiness(clients[f"{name} without database"], 200)
        assert "does not answer" in found["database"]
        assert len(found["notes"]) >= 1
        assert found["reasons"] == []

    @pytest.mark.parametrize("name", ["scheduler", "worker"])
    async def test_without_redis_it_is_not_ready_and_says_so(
        self, clients: dict[str, httpx.AsyncClient], name: str
    ) -> None:
        client = clients[f"{name} without redis"]
        complaint = "has not asked for jobs" if name == "worker" else "nothing was dispatched"
        async with asyncio.timeout(60):
            while complaint not in " ".join((found := await readiness(client, 503))["reasons"]):
                await asyncio.sleep(0.5)
        assert "Redis does not answer" in found["reasons"][0]
        if name == "scheduler":
            assert (await metrics(client))["pinguin_redis_up"] == {(): 0}


async def test_a_taken_port_is_said(stack: Services) -> None:
    with socket.create_server(("127.0.0.1", free_port())) as held:
        settings = somewhere(stack, health_port=held.getsockname()[1])
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "pinguin", "worker"),
            env={"PATH": "/usr/bin:/bin", **settings.environment()},
            stderr=asyncio.subprocess.PIPE,
        )
        async with asyncio.timeout(20):
            _, said = await process.communicate()
    assert process.returncode == 1
    assert "set PINGUIN_HEALTH_HOST and PINGUIN_HEALTH_PORT" in said.decode()
    assert "Traceback" not in said.decode()


async def test_nothing_to_do_costs_few_commands(stack: Services, pool: Pool, broker: Broker) -> None:
    """What clients send is counted; MONITOR also shows what scripts call inside the server, which costs no trip."""
    async with all_three(stack) as (scheduler, worker, web):
        for client in (scheduler, worker, web):
            await readiness(client, 200)
        await asyncio.sleep(3)
        sent: dict[str, int] = {}
        inside = 0
        observer = aioredis.Redis.from_url(stack.redis_url, decode_responses=True)
        async with observer.monitor() as monitor:
            loop = asyncio.get_running_loop()
            until = loop.time() + IDLE_S
            while (left := until - loop.time()) > 0:
                try:
                    command = await asyncio.wait_for(monitor.next_command(), left)
                except TimeoutError:
                    break
                if command["client_type"] == "lua":
                    inside += 1
                else:
                    name = command["command"].split()[0].upper()
                    sent[name] = sent.get(name, 0) + 1
        await observer.aclose()
    rate = sum(sent.values()) / IDLE_S
    print(f"{rate:.1f} commands a second from clients, {inside / IDLE_S:.1f} more inside scripts: {json.dumps(sent)}")
    assert "EVALSHA" in sent, "it was not watched"
    assert rate + inside / IDLE_S < MOST_COMMANDS, "even by the stricter count"
