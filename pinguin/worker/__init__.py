"""The worker: takes jobs of its region, checks, records."""

from __future__ import annotations

import asyncio

import structlog

from pinguin.broker import Broker
from pinguin.db import make_pool
from pinguin.lifecycle import stop_on_signal
from pinguin.settings import Settings
from pinguin.worker.definitions import Definitions
from pinguin.worker.recorder import Recorder
from pinguin.worker.worker import Worker

_log = structlog.get_logger(__name__)


async def serve(settings: Settings) -> None:
    """Be a worker until SIGTERM."""
    with stop_on_signal() as stop:
        async with (
            make_pool(settings.database_url, settings.database_pool) as pool,
            Broker.connect(settings.redis_url) as broker,
        ):
            recorder = Recorder(pool, broker)
            recording = asyncio.create_task(recorder.run())
            worker = Worker(broker, Definitions(pool), recorder, settings.region, settings.worker_concurrency)
            _log.info("worker_started", region=settings.region, concurrency=settings.worker_concurrency)
            try:
                await worker.run(stop)
            finally:
                recording.cancel()
                await asyncio.gather(recording, return_exceptions=True)
            _log.info("worker_stopped")
