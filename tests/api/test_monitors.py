"""Monitors over the API: what a page can do, a program can."""

from __future__ import annotations

from pinguin.db import Pool
from tests.api.conftest import Program
from tests.factory import add_monitor, fetch

HTTP = {"name": "Shop", "type": "http", "options": {"url": "https://shop.test/"}, "tags": ["shop"]}


async def test_a_short_interval_alone_gets_a_timeout_that_fits(owner: Program) -> None:
    quick = await owner.done("POST", "/monitors", HTTP | {"interval_s": 5})
    assert (quick["interval_s"], quick["timeout_s"]) == (5, 4.5)
    assert (await owner.done("POST", "/monitors", HTTP | {"interval_s": 11}))["timeout_s"] == 10
    refused = await owner.sent("POST", "/monitors", HTTP | {"interval_s": 5, "timeout_s": 10})
    assert (refused.status_code, list(refused.json()["errors"])) == (422, ["timeout_s"])
    assert list((await owner.sent("POST", "/monitors", HTTP | {"interval_s": 0})).json()["errors"]) == ["interval_s"]


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
    in_another_order = await owner.get(first["next"] + "&sort=name")
    assert in_another_order.status_code == 422
    assert list(in_another_order.json()["errors"]) == ["cursor"]


SECRET = {"url": "https://ada:pw@shop.test/?token=abc", "auth": "basic", "username": "ada", "password": "swordfish"}


async def test_a_secret_goes_in_and_never_comes_out(owner: Program, pool: Pool) -> None:
    plain = SECRET | {"url": "https://shop.test/"}
    made = await owner.done("POST", "/monitors", HTTP | {"options": plain})
    path = f"/monitors/{made['id']}"
    assert made["secrets"] == ["password"]
    assert "swordfish" not in repr(made)
    [(stored,)] = await fetch(pool, "select options::text from monitors")
    assert "swordfish" not in stored
    kept = await owner.done("PATCH", path, {"options": {"method": "HEAD"}})
    assert kept["secrets"] == ["password"]
    elsewhere = await owner.sent("PATCH", path, {"options": {"url": "https://evil.test/"}})
    assert elsewhere.status_code == 422
    assert "options.password" in elsewhere.json()["errors"]
    gone = await owner.done("PATCH", path, {"options": {"password": None, "auth": None, "username": None}})
    assert gone["secrets"] == []


async def test_viewers_read_no_user_and_no_query_of_an_address(owner: Program, viewer: Program, pool: Pool) -> None:
    monitor = await add_monitor(pool, type="http", options={"url": "https://shop.test/?token=abc"})
    assert (await owner.read(f"/monitors/{monitor}"))["options"]["url"] == "https://shop.test/?token=abc"
    assert (await viewer.read(f"/monitors/{monitor}"))["options"]["url"] == "https://shop.test/?…"


async def test_a_push_monitor_has_no_interval_of_its_own(owner: Program) -> None:
    backup = {"name": "Backup", "type": "push", "options": {"period_s": 3600}}
    made = await owner.done("POST", "/monitors", backup)
    assert (made["passive"], made["failure_threshold"]) == (True, 1)
    answer = await owner.sent("POST", "/monitors", backup | {"interval_s": 60})
    assert list(answer.json()["errors"]) == ["interval_s"]
    assert (await owner.sent("POST", f"/monitors/{made['id']}/check")).status_code == 422
    assert (await owner.sent("POST", "/monitors/try", backup)).status_code == 422
    web = await owner.done("PATCH", f"/monitors/{made['id']}", {"type": "tcp", "options": {"host": "h", "port": 9}})
    assert (web["type"], web["passive"], web["interval_s"], web["target"]) == ("tcp", False, 60, "h:9")


async def test_alert_rules_are_as_the_form_writes_them(owner: Program, pool: Pool) -> None:
    hook = {"name": "Ops", "kind": "webhook", "options": {"url": "http://127.0.0.1:9/"}}
    channel = (await owner.done("POST", "/channels", hook))["id"]
    steps = [{"after_s": 600, "channels": [channel]}, {"after_s": 0, "channels": [channel, channel]}]
    made = await owner.done("POST", "/monitors", HTTP | {"alerts": {"steps": steps, "on_unknown": True}})
    assert [step["after_s"] for step in made["alerts"]["steps"]] == [0, 600]
    [(stored,)] = await fetch(pool, "select alerts from monitors")
    assert stored == {"steps": [
        {"after_s": 0, "channels": [channel], "groups": []}, {"after_s": 600, "channels": [channel], "groups": []},
    ], "on_unknown": True}  # fmt: skip
    kept = await owner.done("PATCH", f"/monitors/{made['id']}", {"alerts": {"remind_every_s": 3600}})
    assert (kept["alerts"]["on_unknown"], kept["alerts"]["remind_every_s"]) == (True, 3600)
    assert (await owner.done("PATCH", f"/monitors/{made['id']}", {"alerts": None}))["alerts"] == {}


async def test_a_loop_of_dependencies_is_refused(owner: Program, pool: Pool) -> None:
    first, second = await add_monitor(pool, name="a"), await add_monitor(pool, name="b")
    await owner.done("PATCH", f"/monitors/{first}", {"depends_on": [second]})
    answer = await owner.sent("PATCH", f"/monitors/{second}", {"depends_on": [first]})
    assert "makes a loop" in answer.json()["errors"]["depends_on"]
    own = await owner.sent("PATCH", f"/monitors/{second}", {"depends_on": [second]})
    assert own.json()["errors"] == {"depends_on": "must not name the monitor itself"}


async def test_a_try_says_what_it_saw_and_saves_nothing(owner: Program, pool: Pool) -> None:
    found = await owner.done("POST", "/monitors/try", {"type": "tcp", "options": {"host": "127.0.0.1", "port": 9}})
    assert (found["status"], found["reason"]) == ("down", "refused")
    assert await fetch(pool, "select count(*) from monitors") == [(0,)]
