"""The worker: takes jobs of its region, checks, records."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import structlog

from pinguin.alerts.courier import Courier
from pinguin.broker import Broker
from pinguin.db import make_pool
from pinguin.errors import Unavailable
from pinguin.guard import Guard
from pinguin.health import HealthApp, served
from pinguin.lifecycle import all_of, process_name, stop_on_signal, together
from pinguin.metrics import WorkerMetrics, make_registry
from pinguin.secrets import Keys
from pinguin.settings import Settings
from pinguin.watchdog import alive
from pinguin.worker.canaries import Canaries
from pinguin.worker.definitions import Definitions
from pinguin.worker.ready import Ready
from pinguin.worker.recorder import Recorder
from pinguin.worker.sender import Sender
from pinguin.worker.spill import Spill
from pinguin.worker.worker import Worker

_log = structlog.get_logger(__name__)

PRESENT_S = 5.0


async def serve(settings: Settings) -> None:
    """Be a worker until SIGTERM. Raises when one of its loops fails: then a supervisor starts another."""
    name = process_name()
    with stop_on_signal() as stop:
        async with (
            make_pool(settings.database_url, settings.database_pool, check=False) as pool,
            Broker.connect(settings.redis_url) as broker,
        ):
            registry = make_registry(pool)
            metrics = WorkerMetrics(registry)
            sender = Sender(pool, name, settings, Courier(settings), metrics) if settings.worker_sends else None
            spill = Spill(broker, name, settings.spill_limit)
            recorder = Recorder(pool, broker, spill, metrics, sender.wake if sender else None)
            definitions = Definitions(pool, Keys.of(settings))
            worker = Worker(
                broker,
                definitions,
                recorder,
                Canaries.parse(settings.worker_canaries),
                settings.region,
                settings.worker_concurrency,
                settings.worker_grace_s,
                metrics,
                Guard.of(settings),
            )
            ready = Ready(broker, pool, worker, recorder, stop)
            health = HealthApp(ready.look, registry)
            async with served(settings, health), alive(settings.watchdog_s, stop, ready.status):
                _log.info("worker_started", region=settings.region, concurrency=settings.worker_concurrency)
                await together(
                    all_of(worker.run(stop), *([sender.run(stop)] if sender else [])),
                    recorder.run(),
                    definitions.follow(broker, settings.region),
                    _say_present(broker, settings.region, name),
                )
            _log.info("worker_stopped")


async def _say_present(broker: Broker, region: str, name: str) -> None:
    """So that the leader can tell a region without workers from a slow one."""
    try:
        while True:
            with suppress(Unavailable):  # the worker's own loop says so
                await broker.present(region, name)
            await asyncio.sleep(PRESENT_S)
    finally:
        with suppress(Unavailable):
            await broker.leave(region, name)
