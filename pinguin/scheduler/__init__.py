"""The scheduler: dispatches every second, and one of all schedulers does the chores."""

from __future__ import annotations

import asyncio

import structlog

from pinguin.broker import Broker
from pinguin.db import make_pool
from pinguin.health import HealthApp, served
from pinguin.lifecycle import process_name, stop_on_signal
from pinguin.metrics import PipelineMetrics, SchedulerMetrics, make_registry
from pinguin.scheduler.chores import do_chores
from pinguin.scheduler.dispatch import dispatch_forever
from pinguin.scheduler.leader import lead_forever
from pinguin.scheduler.ready import Ready
from pinguin.settings import Settings
from pinguin.watchdog import alive

_log = structlog.get_logger(__name__)


async def serve(settings: Settings) -> None:
    """Be a scheduler until SIGTERM."""
    name = process_name()
    with stop_on_signal() as stop:
        async with (
            make_pool(settings.database_url, settings.database_pool) as pool,
            Broker.connect(settings.redis_url) as broker,
        ):
            registry = make_registry(pool)
            metrics = SchedulerMetrics(registry)
            ready = Ready(broker, pool, metrics, stop)
            health = HealthApp(ready.look, registry, PipelineMetrics(registry, broker))
            async with served(settings, health), alive(settings.watchdog_s, stop, ready.status):
                _log.info("scheduler_started", name=name)
                await asyncio.gather(
                    dispatch_forever(broker, stop, metrics),
                    lead_forever(
                        broker,
                        name,
                        lambda token: do_chores(broker, pool, token, settings.audit_retention_days),
                        stop,
                        metrics,
                    ),
                )
            _log.info("scheduler_stopped")
