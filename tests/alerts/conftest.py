"""What the tests of alerts share: a courier with a key, messages, and real receivers."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from pinguin.alerts.contract import Message, Outcome
from pinguin.alerts.courier import Courier
from pinguin.alerts.samples import SAMPLES
from pinguin.secrets import Keys
from pinguin.settings import Settings
from tests.turns import turning

ROOT = Path(__file__).parents[2]
Deliver = Callable[..., Coroutine[Any, Any, Outcome]]


@pytest.fixture(scope="session")
def keys() -> Keys:
    return Keys("a key of the tests alone")


@pytest.fixture
def scripts(tmp_path: Path) -> Path:
    """The folder of PINGUIN_SCRIPT_DIR."""
    folder = tmp_path / "scripts"
    folder.mkdir()
    return folder


@pytest.fixture
async def courier(keys: Keys, scripts: Path) -> AsyncIterator[Courier]:
    made = Courier(Settings(script_dir=str(scripts)), keys)
    yield made
    await made.close()


@pytest.fixture
async def deliver(courier: Courier) -> AsyncIterator[Deliver]:
    """`await deliver("webhook", url=…)`: one try, as the sender makes it.

    It is made again where it lost much of its timeout to something else on this machine.
    """
    async with turning() as turns:

        async def one(kind: str, /, message: Message | None = None, timeout: float = 60.0, **options: Any) -> Outcome:
            said = message or SAMPLES["down"]()

            async def attempt() -> Outcome:
                return (await courier.deliver(kind, options, said, timeout=timeout)).outcome

            return await turns.undisturbed(attempt, min(timeout, options.get("timeout_s", timeout)))

        yield one


async def tried_by_a_process(
    tries: Sequence[tuple[str, Mapping[str, Any]]], key: str, scripts: Path, timeout: float = 60.0
) -> str:
    """What a process like a worker writes that delivers with these kinds and options, and sends a test with each."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.alerts.try_process",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={
            "PATH": "/usr/bin:/bin",
            "PINGUIN_LOG_LEVEL": "debug",
            "PINGUIN_SECRET_KEY": key,
            "PINGUIN_SCRIPT_DIR": str(scripts),
        },
        cwd=ROOT,
    )
    out, _ = await process.communicate(json.dumps([timeout, tries]).encode() + b"\n")
    assert process.returncode == 0, out.decode()
    return out.decode()
