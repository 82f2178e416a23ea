"""The link of a monitor's badges over the API."""

from __future__ import annotations

from pinguin.db import Pool
from tests.api.conftest import Program
from tests.factory import add_monitor


async def test_a_link_is_made_and_taken_back(editor: Program, stranger: Program, pool: Pool) -> None:
    path = f"/monitors/{await add_monitor(pool)}/badge-link"
    assert (await editor.read(path))["created_at"] is None
    made = await editor.done("POST", path)
    assert await editor.done("POST", path) == made == await editor.read(path)
    assert (await stranger.get(made["addresses"]["status"])).text.startswith("<svg")
    await editor.done("DELETE", path)
    assert (await stranger.get(made["addresses"]["status"])).status_code == 404
