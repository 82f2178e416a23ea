"""python -m tests.embedded.run_stack FOLDER: a stack until SIGTERM. When it is ready it prints its children's pids."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from pathlib import Path

from pinguin.embedded.stack import EmbeddedStack


async def main(folder: Path) -> None:
    asked = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, asked.set)
    async with EmbeddedStack(folder) as stack:
        sleeper = await stack.supervisor.start("sleeper", ["sleep", "1000"])
        pids = [stack.database_child.pid, stack.valkey_child.pid, sleeper.pid]
        print(json.dumps({"pids": pids}), flush=True)
        await asked.wait()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
