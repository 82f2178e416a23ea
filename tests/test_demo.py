from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator

import pytest

from pinguin.broker import Broker
from pinguin.checks import check_type
from pinguin.checks.contract import Resources
from pinguin.checks.runner import run
from pinguin.db import Pool
from pinguin.demo import DemoMonitor, command, demo_monitors, maintenance, serve, serving
from pinguin.demo.targets import Pages
from pinguin.errors import PinguinError, SettingsError
from tests.factory import fetch

BASE = 18100


@pytest.fixture(scope="module")
async def targets() -> AsyncIterator[None]:
    async with serving(BASE):
        yield


@pytest.mark.usefixtures("targets")
@pytest.mark.parametrize("monitor", demo_monitors(BASE), ids=lambda monitor: monitor.name)
async def test_every_monitor_finds_what_it_promises(monitor: DemoMonitor) -> None:
    kind = check_type(monitor.type)
    resources = Resources()
    timeout_s = monitor.timeout_s if monitor.reason == "timeout" else 60
    report = await run(kind, kind.parse(monitor.options), timeout_s, resources)
    resources.close()

    assert (report.status, report.reason) == (monitor.status, monitor.reason), report


def test_where_pings_are_forbidden_none_is_promised(monkeypatch: pytest.MonkeyPatch) -> None:
    for forbidden, wanted in (("not here", ("unknown", "permission")), (None, ("up", None))):
        monkeypatch.setattr("pinguin.demo.monitors.icmp_permission", lambda said=forbidden: said)
        [ping] = [each for each in demo_monitors(BASE) if each.type == "ping"]
        assert (ping.status, ping.reason) == wanted


def test_the_flapping_page_flaps(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr("pinguin.demo.targets.monotonic", lambda: now[0])
    pages = Pages()
    seen = []
    for second in (0, 39, 41, 59, 61, 99, 101):
        now[0] = 1000.0 + second
        seen.append(pages._answer("/flapping")[0][:3])
    assert seen == ["200", "200", "503", "503", "200", "200", "503"]


def test_names_are_unique_and_ports_lie_below_those_of_connections() -> None:
    names = [monitor.name for monitor in demo_monitors(8100)]
    assert len(names) == len(set(names))
    for base in (80, 32767, 65535):
        with pytest.raises(SettingsError, match="between 1024 and"):
            demo_monitors(base)


@pytest.mark.usefixtures("targets")
async def test_a_port_that_is_taken_is_named() -> None:
    with pytest.raises(PinguinError, match=f"port {BASE} on 127.0.0.1 is taken"):
        await serve(BASE)


async def test_it_brings_maintenance_and_takes_it_away_again(pool: Pool, broker: Broker) -> None:
    sql = (
        "select title, (select count(*) from monitors_in_maintenance(now())), archived_at is not null from maintenances"
        " order by id"
    )
    await command._add(pool, broker, demo_monitors(BASE), "local")
    rows = await fetch(pool, sql)
    assert [row[0] for row in rows] == [maintenance.WEEKLY, maintenance.RUNNING]
    assert all(row[1] >= 1 and not row[2] for row in rows)
    await command._remove(pool, broker)
    assert [row[1:] for row in await fetch(pool, sql)] == [(0, True), (0, True)]


async def connected(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """As soon as somebody listens there."""
    async with asyncio.timeout(60):
        while True:
            try:
                return await asyncio.open_connection("127.0.0.1", port)
            except ConnectionRefusedError:
                await asyncio.sleep(0.01)


async def test_the_demo_ends_when_it_is_cancelled_and_leaves_nothing() -> None:
    before = len(os.listdir("/proc/self/fd"))
    task = asyncio.create_task(serve(BASE + 100))
    reader, writer = await connected(BASE + 100)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await reader.read() == b""
    writer.close()
    await writer.wait_closed()
    async with asyncio.timeout(60):
        while len(os.listdir("/proc/self/fd")) != before:
            await asyncio.sleep(0.01)
