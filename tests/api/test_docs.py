"""The examples of docs/api.md, run as they stand with the program that they name."""

from __future__ import annotations

import asyncio
import os
import re
from pathlib import Path

from litestar import Litestar

from pinguin.db import Pool
from pinguin.web.api.routes import operations
from tests.api.conftest import Program, new_token
from tests.factory import add_incident, add_monitor
from tests.web.streams import served

TEXT = (Path(__file__).parents[2] / "docs" / "api.md").read_text()
BLOCKS: list[str] = re.findall(r"```sh\n(.*?)```", TEXT, re.DOTALL)
EXPECTED = re.compile(r"# → (.*)$", re.MULTILINE)


async def test_every_example_does_what_it_says(app: Litestar, owner: Program, pool: Pool) -> None:
    await add_monitor(pool, name="First", type="http", options={"url": "http://127.0.0.1:9/"}, tags=["shop"])
    await add_incident(pool, await add_monitor(pool, name="Second"))
    token = await new_token(pool, 1, "people")
    async with served(app) as address:
        given = {**os.environ, "TOKEN": token, "PINGUIN": address}
        for block in BLOCKS:
            await _run(BLOCKS[0] if block is BLOCKS[0] else _function() + block, block, given)


def _function() -> str:
    return BLOCKS[0].splitlines()[0] + "\n"


async def _run(script: str, block: str, given: dict[str, str]) -> None:
    process = await asyncio.create_subprocess_exec(
        "bash", "-euo", "pipefail", "-c", script, env=given,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, err = await process.communicate()
    told = out.decode()
    assert process.returncode == 0, f"{block}\n{told}\n{err.decode()}"
    for words in EXPECTED.findall(block):
        assert words.strip() in told, f"{block}\n{words}\n{told}"


def test_what_it_names_is_there() -> None:
    """Every address of the examples is one of an operation."""
    known = [re.sub(r"\{\w+\}", r"[^/]+", each.address) for each in operations()]
    for path in re.findall(r"\$PINGUIN(/api/v1/[a-z0-9/-]+)", TEXT):
        assert any(re.fullmatch(each, path) for each in known), path
