"""One sender as a process of its own, to be killed: `python -m tests.chaos.sender_process URL NAME LEASE_S`.

It is the real one, but for a courier that dawdles before and after each delivery, so that a kill can hit the moment.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

from pinguin.alerts.contract import Delivery
from pinguin.alerts.courier import Courier
from pinguin.db import make_pool
from pinguin.lifecycle import stop_on_signal
from pinguin.settings import Settings
from pinguin.worker import sender

DAWDLE_S = 0.4


class Dawdler(Courier):
    async def deliver(self, *arguments: Any, **options: Any) -> Delivery:
        await asyncio.sleep(DAWDLE_S)
        delivery = await super().deliver(*arguments, **options)
        await asyncio.sleep(DAWDLE_S)
        return delivery


async def main(url: str, name: str, lease_s: float) -> None:
    sender.LEASE_S, sender.TRY_S = lease_s, lease_s / 2
    settings = Settings(database_url=url)
    with stop_on_signal() as stop:
        async with make_pool(url, 2) as pool:
            await sender.Sender(pool, name, settings, Dawdler(settings)).run(stop)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], float(sys.argv[3])))
