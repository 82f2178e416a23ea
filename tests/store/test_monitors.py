from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pinguin.db import Pool, connection
from pinguin.errors import Conflict, InvalidInput
from pinguin.store import monitors
from pinguin.store.monitors import Draft
from tests.factory import fetch

DRAFT = Draft(
    name="shop", type="tcp", target="127.0.0.1:9", options={"host": "127.0.0.1", "port": 9}, interval_s=60, timeout_s=5,
    regions=["local"], failure_threshold=2, recovery_threshold=1, tags=[],
)  # fmt: skip


async def add(pool: Pool, name: str, *depends_on: int) -> int:
    async with connection(pool) as conn:
        return await monitors.create(conn, replace(DRAFT, name=name, depends_on=depends_on))


async def edit(pool: Pool, monitor: int, **changes: Any) -> None:
    async with connection(pool) as conn:
        now = await monitors.get(conn, monitor)
        draft = replace(DRAFT, **{"name": now.name, "alerts": now.alerts, "depends_on": now.depends_on, **changes})
        await monitors.update(conn, monitor, now.version, now.updated_at, draft)


async def depends_on(pool: Pool, monitor: int) -> list[int]:
    async with connection(pool) as conn:
        return (await monitors.get(conn, monitor)).depends_on


async def test_alert_rules_are_kept_and_make_no_version(pool: Pool) -> None:
    """What was counted under a version counts no more: nobody may lose a streak because somebody edits a reminder."""
    db = await add(pool, "db")
    shop = await add(pool, "shop")
    await edit(pool, shop, alerts={"remind_every_s": 600}, depends_on=[db])
    async with connection(pool) as conn:
        found = await monitors.get(conn, shop)
    assert (found.alerts, found.depends_on, found.version) == ({"remind_every_s": 600}, [db], 1)


async def test_dependencies_are_what_was_written_last(pool: Pool) -> None:
    one, two, three = [await add(pool, name) for name in ("one", "two", "three")]
    shop = await add(pool, "shop", one, two, 99)
    assert await depends_on(pool, shop) == [one, two]
    await edit(pool, shop, depends_on=[two, three])
    assert await depends_on(pool, shop) == [three, two]  # by name
    await edit(pool, shop, depends_on=[])
    assert await fetch(pool, "select 1 from monitor_dependencies") == []


async def test_a_monitor_that_is_deleted_is_depended_on_no_more(pool: Pool) -> None:
    db = await add(pool, "db")
    shop = await add(pool, "shop", db)
    async with connection(pool) as conn:
        await monitors.archive(conn, db)
    assert await depends_on(pool, shop) == []


async def test_no_monitor_comes_to_depend_on_itself(pool: Pool) -> None:
    db = await add(pool, "db")
    api = await add(pool, "api", db)
    shop = await add(pool, "shop", api)
    for monitor, others, loop in (
        (db, [shop], "db → shop → api → db"),
        (api, [db, shop], "api → shop → api"),
        (shop, [shop], "shop → shop"),
    ):
        with pytest.raises(InvalidInput, match=f"makes a loop: {loop}. Take") as wrong:
            await edit(pool, monitor, depends_on=others)
        assert list(wrong.value.fields) == ["depends_on"]
    assert await depends_on(pool, api) == [db]


async def test_a_thick_web_without_a_loop_is_searched_quickly(pool: Pool) -> None:
    """Each of these depends on all before it: two to the power of forty ways."""
    made: list[int] = []
    for number in range(40):
        made.append(await add(pool, f"m{number}", *made))
    await edit(pool, made[-1], depends_on=made[:-1])
    with pytest.raises(InvalidInput, match="m0 → m39 → m0"):
        await edit(pool, made[0], depends_on=[made[-1]])


async def test_a_stale_edit_leaves_dependencies_alone(pool: Pool) -> None:
    db = await add(pool, "db")
    shop = await add(pool, "shop", db)
    async with connection(pool) as conn:
        seen = await monitors.get(conn, shop)
        await edit(pool, shop, name="theirs")
        with pytest.raises(Conflict):
            await monitors.update(conn, shop, seen.version, seen.updated_at, replace(DRAFT, depends_on=[]))
    assert await depends_on(pool, shop) == [db]
