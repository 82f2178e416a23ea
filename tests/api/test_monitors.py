"""Monitors over the API: what a page can do, a program can."""

from __future__ import annotations

from pinguin.db import Pool
from tests.api.conftest import Program
from tests.factory import add_monitor, fetch

HTTP = {"name": "Shop", "type": "http", "options": {"url": "https://shop.test/"}, "tags": ["shop"]}


async def test_a_monitor_is_made_shown_changed_and_deleted(owner: Program, pool: Pool) -> None:
    answer = await owner.sent("POST", "/monitors", HTTP)
    assert answer.status_code == 201, answer.text
    made = answer.json()
    assert answer.headers["location"] == f"/api/v1/monitors/{made['id']}"
    assert (made["name"], made["target"], made["interval_s"], made["enabled"]) == (
        "Shop", "https://shop.test/", 60, True,
    )  # fmt: skip
    assert made["state"]["status"] == "pending"
    assert await owner.read(f"/monitors/{made['id']}") == made

    changed = await owner.done("PATCH", f"/monitors/{made['id']}", {"interval_s": 30, "options": {"method": "HEAD"}})
    assert (changed["interval_s"], changed["options"]["method"], changed["options"]["url"], changed["version"]) == (
        30, "HEAD", "https://shop.test/", 2,
    )  # fmt: skip
    replaced = await owner.done("PUT", f"/monitors/{made['id']}", HTTP | {"name": "Store"})
    assert (replaced["name"], replaced["interval_s"], replaced["options"]["method"]) == ("Store", 60, "GET")

    assert (await owner.done("POST", f"/monitors/{made['id']}/pause"))["state"]["status"] == "paused"
    assert not (await owner.read(f"/monitors/{made['id']}"))["enabled"]
    assert (await owner.done("PUT", f"/monitors/{made['id']}", HTTP))["enabled"] is False
    assert (await owner.done("POST", f"/monitors/{made['id']}/resume"))["state"]["status"] == "pending"

    assert await owner.done("DELETE", f"/monitors/{made['id']}") is None
    assert (await owner.sent("GET", f"/monitors/{made['id']}")).status_code == 404
    actions = [
        row[0] for row in await fetch(pool, "select action from audit where object_kind = 'monitor' order by id")
    ]
    assert actions == [
        "monitor.create", "monitor.edit", "monitor.edit", "monitor.pause", "monitor.edit", "monitor.resume",
        "monitor.delete",
    ]  # fmt: skip
    assert await fetch(pool, "select distinct actor, token_name from audit where object_kind = 'monitor'") == [
        ("ada", "tests")
    ]


async def test_the_list_is_narrowed_and_paged(owner: Program, pool: Pool) -> None:
    for number in range(5):
        await add_monitor(pool, name=f"web {number}", tags=["web"] if number % 2 else [])
    first = await owner.read("/monitors", limit=2)
    assert [each["name"] for each in first["items"]] == ["web 0", "web 1"]
    await add_monitor(pool, name="web 0b")  # sorts before what was shown: not shown twice, nothing is skipped
    second = (await owner.get(first["next"])).json()
    assert [each["name"] for each in second["items"]] == ["web 2", "web 3"]
    third = (await owner.get(second["next"])).json()
    assert ([each["name"] for each in third["items"]], third["next"]) == (["web 4"], None)
    assert [each["name"] for each in (await owner.read("/monitors", tag="web"))["items"]] == ["web 1", "web 3"]
    assert (await owner.read("/monitors", status="down"))["items"] == []
    assert len((await owner.read("/monitors", q="web", type="tcp"))["items"]) == 6
