"""A process that tries channels as a worker does: on its event loop, with its logs. The options come on its input."""

from __future__ import annotations

import asyncio
import json
import sys

import uvloop

from pinguin.alerts.courier import Courier
from pinguin.alerts.samples import SAMPLES
from pinguin.lifecycle import configure_logs
from pinguin.secrets import Keys
from pinguin.settings import Settings


async def main() -> None:
    settings = Settings.from_environment()
    configure_logs(settings, "worker")
    courier = Courier(settings)
    keys = Keys.of(settings)
    print(settings, keys, courier)
    for kind, options in json.loads(sys.stdin.readline()):
        delivery = await courier.deliver(kind, options, SAMPLES["down"](), timeout=60.0)
        print(kind, delivery)
        print(await courier.send_test(kind, options, "ops", timeout=60.0))
    await courier.close()


with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
    runner.run(main())
