"""Incidents over the API: listed, shown, acted on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from pinguin.db import Pool
from tests.api.conftest import Program
from tests.factory import add_incident, add_monitor, fetch


@pytest.fixture
async def incident(pool: Pool) -> int:
    return await add_incident(pool, await add_monitor(pool, name="shop", tags=["web"]))


async def test_incidents_are_narrowed_and_paged(owner: Program, pool: Pool) -> None:
    shop, mail = await add_monitor(pool, name="shop", tags=["web"]), await add_monitor(pool, name="mail")
    for hour in range(1, 4):
        await add_incident(pool, shop, ago=3600 * hour, lasted=60)
    await add_incident(pool, mail, ago=100)
    first = await owner.read("/incidents", limit=3)
    assert [(each["monitor"], each["state"]) for each in first["items"]] == [
        ("mail", "open"), ("shop", "ended"), ("shop", "ended"),
    ]  # fmt: skip
    await add_incident(pool, shop, ago=50)  # newer than the cursor: no page shows it, and none is shown twice
    rest = (await owner.get(first["next"])).json()
    assert ([each["id"] for each in rest["items"]], rest["next"]) == ([3], None)
    assert len((await owner.read("/incidents", tag="web", state="ended"))["items"]) == 3
    since = (datetime.now(UTC) - timedelta(minutes=90)).isoformat()
    assert [each["id"] for each in (await owner.read("/incidents", from_=since, monitor=shop))["items"]] == [5, 1]
    csv = await owner.get("/api/v1/incidents/file", params={"state": "open"})
    assert (csv.status_code, csv.headers["content-type"]) == (200, "text/csv; charset=utf-8")
    assert len(csv.text.splitlines()) == 3


async def test_what_is_done_about_an_incident_is_told(editor: Program, pool: Pool, incident: int) -> None:
    shown = await editor.read(f"/incidents/{incident}")
    assert (shown["state"], [each["kind"] for each in shown["events"]]) == ("open", ["failed", "confirmed"])
    path = f"/incidents/{incident}"
    assert (await editor.done("POST", f"{path}/acknowledge", {"note": "looking"}))["acknowledged_by"] == "bob"
    assert (await editor.done("POST", f"{path}/acknowledge"))["state"] == "acknowledged"
    assert (await editor.done("POST", f"{path}/take-back", {"note": "no time"}))["state"] == "open"
    assert (await editor.done("POST", f"{path}/snooze", {"minutes": 30}))["snoozed_until"] is not None
    assert (await editor.done("POST", f"{path}/wake"))["snoozed_until"] is None
    await editor.done("POST", f"{path}/comment", {"comment": "the disk is full"})
    done = await editor.done("POST", f"{path}/resolve", {"comment": "emptied"})
    assert (done["state"], done["closed_by"], done["resolved_by"]) == ("ended", "hand", "bob")
    kinds = [each["kind"] for each in done["events"]]
    wanted = ["acknowledged", "unacknowledged", "snoozed", "snoozed", "commented", "resolved"]
    assert [kind for kind in kinds if kind in wanted] == wanted
    for act, body in (("acknowledge", None), ("snooze", {"minutes": 5}), ("resolve", {"comment": "again"})):
        assert (await editor.sent("POST", f"{path}/{act}", body)).status_code == 409, act
    actions = [
        row[0] for row in await fetch(pool, "select action from audit where object_kind = 'incident' order by id")
    ]
    assert actions == [
        f"incident.{act}" for act in ("acknowledge", "take_back", "snooze", "wake", "comment", "resolve")
    ]


async def test_several_are_acknowledged_at_once(editor: Program, pool: Pool, incident: int) -> None:
    other = await add_incident(pool, await add_monitor(pool, name="mail"))
    body = {"ids": [other, incident, 9999], "note": "the whole rack"}
    assert await editor.done("POST", "/incidents/acknowledge", body) == {"ids": [incident, other]}
    assert await editor.done("POST", "/incidents/acknowledge", body) == {"ids": []}


async def test_a_post_mortem_overwrites_nobody(editor: Program, incident: int) -> None:
    path = f"/incidents/{incident}"
    tag = (await editor.sent("GET", path)).headers["etag"]
    assert (await editor.done("PUT", f"{path}/post-mortem", {"postmortem": "one"}, If_Match=tag))["postmortem"] == "one"
    late = await editor.sent("PUT", f"{path}/post-mortem", {"postmortem": "two"}, If_Match=tag)
    assert late.status_code == 412
    assert (await editor.read(path))["postmortem"] == "one"


@pytest.mark.parametrize(
    ("act", "body", "field"),
    [
        ("snooze", {}, "until"),
        ("snooze", {"minutes": 0}, "minutes"),
        ("snooze", {"until": "2001-01-01T00:00:00Z"}, "until"),
        ("snooze", {"until": "soon"}, "until"),
        ("comment", {}, "comment"),
        ("comment", {"comment": "   "}, "comment"),
        ("comment", {"comment": "x" * 5001}, "comment"),
        ("comment", {"comment": "a\u0000b"}, "comment"),
        ("comment", {"comment": "x", "who": "me"}, "who"),
        ("acknowledge", {"note": 7}, "note"),
    ],
)
async def test_each_mistake_is_named(editor: Program, incident: int, act: str, body: object, field: str) -> None:
    answer = await editor.sent("POST", f"/incidents/{incident}/{act}", body)
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    assert list(answer.json()["errors"]) == [field]
