"""Several processes of one kind on one machine, for all its cores."""

from __future__ import annotations

import sys

import msgspec

from pinguin.embedded.supervisor import Supervisor
from pinguin.lifecycle import stop_on_signal
from pinguin.settings import Settings
from pinguin.watchdog import alive

GRACE_S = 5.0
"""Beyond the worker's own grace time, which it may need twice: to finish its checks, and to see the results kept."""


async def many(settings: Settings, command: str, count: int) -> int:
    """Run `count` processes of `pinguin COMMAND` until SIGTERM; each is started again when it dies."""
    supervisor = Supervisor()
    with stop_on_signal() as stop:
        try:
            for number in range(count):
                own = msgspec.structs.replace(
                    settings, health_port=settings.health_port + number if settings.health_port else 0
                )
                await supervisor.start(
                    f"{command} {number + 1}",
                    [sys.executable, "-m", "pinguin", command],
                    env=own.environment(),
                    grace=2 * settings.worker_grace_s + GRACE_S,
                )
            async with alive(settings.watchdog_s, stop, lambda: f"{count} processes"):
                await stop.wait()
        finally:
            await supervisor.stop(at_once=True)
    return 0
