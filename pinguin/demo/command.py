"""`pinguin demo`: serve the targets and watch them, until Ctrl-C; then take the monitors away again."""

from __future__ import annotations

import asyncio

from pinguin.broker import Broker
from pinguin.checks import check_type
from pinguin.db import Pool, connection, make_pool
from pinguin.demo import backup, maintenance
from pinguin.demo.monitors import DemoMonitor, demo_monitors
from pinguin.demo.targets import serving
from pinguin.embedded.attach import attached
from pinguin.errors import Unavailable
from pinguin.lifecycle import cancel, stop_on_signal
from pinguin.settings import Settings
from pinguin.store import monitors
from pinguin.store.monitors import Draft, Filter

TAG = "demo"
NAMES = {monitor.name for monitor in demo_monitors(8100)} | {backup.NAME}
"""With the tag: a user's own monitor that is tagged so is not ours to remove."""


async def demo(settings: Settings, base_port: int) -> int:
    """Raises `PinguinError` where a port is taken or nothing of ours runs."""
    settings = attached(settings)
    with stop_on_signal() as stop:
        async with (
            serving(base_port),
            make_pool(settings.database_url, 1) as pool,
            Broker.connect(settings.redis_url) as broker,
        ):
            await _remove(pool, broker)  # a demo that was killed leaves its monitors
            added = await _add(pool, broker, demo_monitors(base_port), settings.region)
            print(f"{len(added)} targets on 127.0.0.1, from port {base_port} on, and a monitor for each:\n", flush=True)
            for monitor in demo_monitors(base_port):
                print(f"  {monitor.name:<28} will be {monitor.status}{_because(monitor)}", flush=True)
            async with connection(pool) as conn:
                pushed = await backup.add(conn)
            await broker.announce_change([pushed])
            print(f"  {backup.NAME:<28} will be up, as it pings every half a minute", flush=True)
            pinging = asyncio.create_task(backup.ping_forever(pool, pushed))
            print("\nLook at the list of monitors. Ctrl-C ends the demo and removes them.", flush=True)
            await stop.wait()
            await cancel(pinging)
            try:
                await _remove(pool, broker)
            except Unavailable:
                print("Pinguin is gone already; the next demo removes these monitors.", flush=True)
    return 0


def _because(monitor: DemoMonitor) -> str:
    return f" ({monitor.reason})" if monitor.reason else ""


async def _add(pool: Pool, broker: Broker, wanted: list[DemoMonitor], region: str) -> list[int]:
    async with connection(pool) as conn, conn.transaction():
        ids = [await monitors.create(conn, _draft(monitor, region)) for monitor in wanted]
        await maintenance.add(conn, await monitors.listed(conn, Filter(), ids=ids, most=len(ids)))
    await broker.announce_change(ids)
    return ids


def _draft(monitor: DemoMonitor, region: str) -> Draft:
    return Draft(
        name=monitor.name,
        type=monitor.type,
        target=check_type(monitor.type).parse(monitor.options).target(),
        options=monitor.options,
        interval_s=monitor.interval_s,
        timeout_s=monitor.timeout_s,
        regions=[region],
        failure_threshold=1,
        recovery_threshold=1,
        tags=monitor.tags,
    )


async def _remove(pool: Pool, broker: Broker) -> None:
    async with connection(pool) as conn, conn.transaction():
        tagged = await monitors.listed(conn, Filter(tag=TAG), most=1000)
        ids = [monitor.id for monitor in tagged if monitor.name in NAMES]
        await maintenance.remove(conn)
        for monitor_id in ids:
            await monitors.archive(conn, monitor_id)
    await broker.announce_change(ids)
