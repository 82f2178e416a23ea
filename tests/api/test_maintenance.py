"""Maintenance over the API: planned, changed, begun and ended by hand."""

from __future__ import annotations

from typing import Any

import pytest

from pinguin.db import Pool
from tests.api.conftest import Program
from tests.factory import add_monitor, fetch

WEEKLY: dict[str, Any] = {"kind": "weekly", "days": [7], "at": "02:30:00", "duration_s": 3600}
UPGRADE: dict[str, Any] = {"title": "Upgrade", "rule": WEEKLY, "zone": "Europe/Berlin", "tags": ["db"]}


async def test_maintenance_is_planned_changed_and_deleted(editor: Program, pool: Pool) -> None:
    await add_monitor(pool, name="db", tags=["db"])
    answer = await editor.sent("POST", "/maintenance", UPGRADE)
    made = answer.json()
    assert (answer.status_code, made["monitors"], len(made["coming"])) == (201, 1, 5)
    path = f"/maintenance/{made['id']}"
    assert await editor.read(path) == made

    changed = await editor.done("PATCH", path, {"title": "Vacuum", "rule": {"days": [6, 7]}})
    assert (changed["title"], changed["rule"]) == ("Vacuum", made["rule"] | {"days": [6, 7]})
    once = {"kind": "once", "starts": "2099-01-01T01:00:00", "ends": "2099-01-01T02:00:00"}
    assert (await editor.done("PATCH", path, {"rule": once}))["coming"] == [
        {"starts_at": "2099-01-01T00:00:00Z", "ends_at": "2099-01-01T01:00:00Z"}
    ]
    assert (await editor.done("PUT", path, UPGRADE))["title"] == "Upgrade"

    assert (await editor.done("POST", f"{path}/start", {"duration_s": 600}))["running_until"] is not None
    assert (await editor.sent("POST", f"{path}/start")).status_code == 409
    assert (await editor.read("/monitors"))["items"][0]["status"] == "maintenance"
    await editor.done("POST", f"{path}/extend")
    assert (await editor.done("POST", f"{path}/end"))["running_until"] is None
    assert (await editor.sent("POST", f"{path}/end")).status_code == 409
    assert [each["by_hand"] for each in (await editor.read("/maintenance/past"))["items"]] == [True]

    await editor.done("DELETE", path)
    assert (await editor.sent("GET", path)).status_code == 404
    actions = [row[0] for row in await fetch(pool, "select action from audit where object_kind = 'maintenance'")]
    assert sorted(actions) == sorted(
        f"maintenance.{act}" for act in ("create", "edit", "edit", "edit", "start", "extend", "end", "delete")
    )


async def test_the_list_is_paged(editor: Program) -> None:
    for number in range(3):
        await editor.done("POST", "/maintenance", UPGRADE | {"title": f"M{number}"})
    first = await editor.read("/maintenance", limit=2)
    rest = (await editor.get(first["next"])).json()
    assert [each["title"] for each in first["items"] + rest["items"]] == ["M2", "M1", "M0"]
    assert rest["next"] is None


async def test_a_rule_is_tried_before_it_is_saved(editor: Program) -> None:
    shown = await editor.done("POST", "/maintenance/preview", {"rule": WEEKLY, "zone": "Europe/Berlin"})
    assert len(shown["coming"]) == 5


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"title": ""}, "title"),
        ({"rule": {"kind": "daily"}}, "rule"),
        ({"rule": {**WEEKLY, "days": [8]}}, "days"),
        ({"rule": {**WEEKLY, "duration_s": 1}}, "duration"),
        ({"zone": "Mars/Olympus"}, "zone"),
        ({"tags": []}, "monitors"),
        ({"tags": [], "monitor_ids": [77]}, "monitors"),
        ({"colour": "red"}, "colour"),
    ],
)
async def test_each_mistake_is_named(editor: Program, body: dict[str, Any], field: str) -> None:
    answer = await editor.sent("POST", "/maintenance", UPGRADE | body)
    assert answer.status_code == 422, answer.text
    assert list(answer.json()["errors"]) == [field]
