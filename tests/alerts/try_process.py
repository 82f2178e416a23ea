"""A process that tries channels as a worker does: on its event loop, with its logs. The seconds that each try has, and
the options, come on its input.
"""

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
    timeout, tries = json.loads(sys.stdin.readline())
    for kind, options in tries:
        delivery = await courier.deliver(kind, options, SAMPLES["down"](), timeout=timeout)
        print(kind, delivery)
        print(await courier.send_test(kind, options, "ops", timeout=timeout))
    await courier.close()


with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
    runner.run(main())
