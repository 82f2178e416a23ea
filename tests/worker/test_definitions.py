"""What a worker knows beforehand."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from pinguin.broker import Broker
from pinguin.checks import check_type
from pinguin.db import Pool
from pinguin.lifecycle import cancel
from pinguin.model import Job
from pinguin.secrets import Keys, monitor_place
from pinguin.worker.definitions import Definitions
from tests.factory import add_monitor, fetch


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not true():
            await asyncio.sleep(0.02)


async def test_every_monitor_of_the_region_is_known_before_its_first_job(pool: Pool, broker: Broker) -> None:
    here = await add_monitor(pool)
    elsewhere = await add_monitor(pool, regions=["mars"])
    definitions = Definitions(pool)

    def knows(monitor_id: int, version: int = 1) -> bool:
        return definitions.known(Job(monitor_id, 0, version, 1, "local")) is not None

    following = asyncio.create_task(definitions.follow(broker, "local"))
    await until(lambda: knows(here))
    new = await add_monitor(pool)
    await fetch(pool, "update monitors set timeout_s = 3 where id = %s returning 1", here)
    await broker.announce_change([here, new])
    await until(lambda: knows(new) and knows(here, 2))
    assert not knows(elsewhere)
    await cancel(following)


async def test_secrets_are_opened_once_for_all_checks_of_a_version(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = Keys("a key for these tests alone")
    struct, place = check_type("http").options, monitor_place("http")
    sealed = keys.seal_fields({"url": "http://127.0.0.1:9/", "username": "a", "password": "hunter2"}, struct, place)
    shop = await add_monitor(pool, type="http", options=sealed)
    definitions, opened = Definitions(pool, keys), []
    unseal = keys.unseal

    def counted(text: str, where: str) -> str:
        opened.append(where)
        return unseal(text, where)

    monkeypatch.setattr(keys, "unseal", counted)
    job = Job(shop, 0, 1, 1, "local")
    for _ in range(3):
        await definitions.fetch([job])
        task = definitions.known(job)
        assert task is not None
        assert getattr(task.options, "password", "") == "hunter2"
    assert opened == ["monitors.http.password"]


async def test_under_another_key_the_monitor_is_unknown_and_says_why(pool: Pool) -> None:
    keys = Keys("a key for these tests alone")
    sealed = keys.seal_fields(
        {"host": "127.0.0.1", "port": 9, "secret": "hunter2"}, check_type("tcp").options, monitor_place("tcp")
    )
    shop = await add_monitor(pool, options=sealed)
    for wrong in (Keys("another key, made up today"), None):
        definitions = Definitions(pool, wrong)
        job = Job(shop, 0, 1, 1, "local")
        await definitions.fetch([job])
        task = definitions.known(job)
        assert task is not None
        assert (task.options, task.reason) == (None, "key")
        assert "PINGUIN_SECRET_KEY" in str(task.refused)
