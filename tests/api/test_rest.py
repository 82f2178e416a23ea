"""People, tokens, logs, types, pings and numbers over the API."""

from __future__ import annotations

from litestar import Litestar

from pinguin.db import Pool
from pinguin.people import Role
from tests.api.conftest import Program, new_token, program
from tests.factory import add_incident, add_monitor, fetch
from tests.store.pushing import add_push, token
from tests.store.telling import add_channel
from tests.web.conftest import person


async def test_all_of_it_in_a_few_numbers(viewer: Program, pool: Pool) -> None:
    monitor = await add_monitor(pool, tags=["web"])
    await add_monitor(pool, tags=["db"])
    await add_incident(pool, monitor)
    found = await viewer.read("/summary")
    assert (found["monitors"]["down"], found["monitors"]["pending"], found["open_incidents"]) == (1, 1, 1)
    tags = (await viewer.read("/tags"))["items"]
    assert [(each["tag"], each["monitors"]["down"]) for each in tags] == [("db", 0), ("web", 1)]


async def test_an_owner_manages_people(owner: Program, pool: Pool) -> None:
    answer = await owner.sent("POST", "/people", {"name": "eve", "role": "editor"})
    assert answer.status_code == 201
    made = answer.json()
    assert made["link"].startswith("http://pinguin.test/join?token=")
    path = f"/people/{made['id']}"
    assert (await owner.read(path))["joined"] is False
    assert (await owner.done("PATCH", path, {"role": "viewer"}))["role"] == "viewer"
    assert (await owner.done("POST", f"{path}/link"))["link"] != made["link"]
    assert (await owner.done("POST", f"{path}/second-factor/off"))["second_factor"] is False
    assert [each["name"] for each in (await owner.read("/people"))["items"]] == ["ada", "eve"]
    assert (await owner.sent("POST", "/people", {"name": "EVE"})).json()["errors"].keys() == {"name"}
    assert (await owner.sent("PATCH", "/people/1", {"role": "viewer"})).status_code == 409  # the last owner
    assert (await owner.sent("DELETE", "/people/1")).status_code == 409
    assert (await owner.sent("POST", "/people/1/second-factor/off")).status_code == 409
    await owner.done("DELETE", path)
    assert (await owner.sent("GET", path)).status_code == 404
    log = (await owner.read("/audit", kind="person"))["items"]
    assert [each["action"] for each in log] == [
        "person.remove", "person.link", "person.role", "person.invite",
    ]  # fmt: skip
    assert log[2]["changes"] == {"role": {"from": "editor", "to": "viewer"}}


async def test_tokens_are_listed_and_revoked(owner: Program, app: Litestar, pool: Pool) -> None:
    other = await new_token(pool, await person(pool, "bob", Role.EDITOR))
    second = await new_token(pool, 1, "read", "grafana")
    listed = (await owner.read("/tokens"))["items"]
    assert [(each["name"], each["scope"], each["live"]) for each in listed] == [
        ("tests", "people", True), ("grafana", "read", True),
    ]  # fmt: skip
    async with program(app, second) as reader, program(app, other) as bob:
        await reader.read("/me")
        assert (await bob.sent("DELETE", f"/tokens/{listed[1]['id']}")).status_code == 404
        await owner.done("DELETE", f"/tokens/{listed[1]['id']}")
        assert (await reader.sent("GET", "/me")).status_code == 401


async def test_the_logs_are_paged(owner: Program, pool: Pool) -> None:
    for number in range(3):
        await owner.done("POST", "/monitors", {"name": f"m{number}", "options": {"url": "http://127.0.0.1:9/"}})
    first = await owner.read("/audit", limit=2)
    rest = (await owner.get(first["next"])).json()
    assert [each["object_name"] for each in first["items"] + rest["items"]] == ["m2", "m1", "m0"]
    assert await owner.read("/messages") == {"items": [], "next": None}
    assert await owner.read("/messages/waiting") == {"items": []}


async def test_types_have_schemas(viewer: Program) -> None:
    names = [each["name"] for each in (await viewer.read("/check-types"))["items"]]
    assert {"http", "tcp", "ping", "push"} <= set(names)
    for name in names:
        found = await viewer.read(f"/check-types/{name}")
        assert found["schema"]["$defs"]["Options"]["properties"], name
    assert "password" in (await viewer.read("/check-types/http"))["secrets"]
    kinds = [each["name"] for each in (await viewer.read("/channel-kinds"))["items"]]
    assert "url" in (await viewer.read("/channel-kinds/webhook"))["secrets"]
    assert "email" in kinds
    assert (await viewer.sent("GET", "/check-types/nothing")).status_code == 404


async def test_pings_are_read_and_addresses_renewed(editor: Program, viewer: Program, pool: Pool) -> None:
    monitor = await add_push(pool, period_s=3600)
    for number in range(3):
        await fetch(
            pool,
            "insert into pings (monitor_id, at, id, kind, method, user_agent, body) "
            "values (%s, now() - %s * interval '1 min', gen_random_uuid(), 'success', 'GET', 'curl', %s) returning 1",
            monitor, number, f"line {number}",
        )  # fmt: skip
    first = await viewer.read(f"/monitors/{monitor}/pings", limit=2)
    rest = (await viewer.get(first["next"])).json()
    found = first["items"] + rest["items"]
    assert [each["body"] for each in found] == ["line 0", "line 1", "line 2"]
    body = await viewer.get(f"/api/v1/monitors/{monitor}/pings/body", params={"at": found[1]["at"]})
    assert (body.text, body.headers["content-type"].partition(";")[0]) == ("line 1", "text/plain")
    before = (await editor.read(f"/monitors/{monitor}/address"))["url"]
    assert before.endswith(str(await token(pool, monitor)))
    assert (await viewer.sent("GET", f"/monitors/{monitor}/address")).status_code == 403
    assert (await editor.done("POST", f"/monitors/{monitor}/address"))["url"] != before


async def test_many_are_paused_edited_deleted_and_that_is_undone(editor: Program, pool: Pool) -> None:
    ids = [await add_monitor(pool, name=f"m{number}", tags=["web"]) for number in range(3)]
    other = await add_monitor(pool, name="other")
    done = await editor.done("POST", "/monitors/bulk/pause", {"matching": {"tags": ["web"]}})
    assert done["ids"] == ids
    undone = await editor.done("POST", f"/monitors/bulk/undo/{done['undo']['id']}")
    assert undone == {"act": "pause", "ids": ids, "left": 0}
    change = {"interval_s": 300, "add": ["slow"]}
    assert (await editor.done("POST", "/monitors/bulk/edit", {"ids": [ids[0], other], "change": change}))["ids"]
    assert (await editor.read(f"/monitors/{other}"))["interval_s"] == 300
    gone = await editor.done("POST", "/monitors/bulk/delete", {"ids": ids})
    assert len((await editor.read("/monitors"))["items"]) == 1
    await editor.done("POST", f"/monitors/bulk/undo/{gone['undo']['id']}")
    assert len((await editor.read("/monitors"))["items"]) == 4
    assert (await editor.sent("POST", f"/monitors/bulk/undo/{gone['undo']['id']}")).status_code == 404
    hostile: list[dict[str, object]] = [{}, {"ids": ids, "matching": {}}, {"ids": []}]
    for wrong in hostile:
        assert (await editor.sent("POST", "/monitors/bulk/pause", wrong)).status_code == 422, wrong


async def test_of_many_it_is_said_who_is_told(editor: Program, pool: Pool) -> None:
    ids = [await add_monitor(pool, name=name) for name in ("shop", "mail")]
    channel = await add_channel(pool, name="ops")
    for steps in ([{"channels": [channel], "after_s": 60}, {"channels": [channel]}], [], None):
        undo = (await editor.done("POST", "/monitors/bulk/edit", {"ids": ids, "change": {"steps": steps}}))["undo"]
        for each in ids:
            rules = (await editor.read(f"/monitors/{each}"))["alerts"]
            assert [step.get("after_s", 0) for step in rules.get("steps") or ()] == ([0, 60] if steps else [])
            assert (rules.get("steps") is None) == (steps is None)
    assert undo
    await editor.done("POST", f"/monitors/bulk/undo/{undo['id']}")
    assert (await editor.read(f"/monitors/{ids[0]}"))["alerts"]["steps"] == []
    hostile: list[object] = [[{}], [{"channels": [99]}], [{"groups": [1]}], [{"after_s": -1, "channels": [channel]}], 7]
    for wrong in hostile:
        answer = await editor.sent("POST", "/monitors/bulk/edit", {"ids": ids, "change": {"steps": wrong}})
        assert answer.status_code == 422, wrong
        assert "steps" in answer.text


async def test_views_are_kept_and_deleted(editor: Program) -> None:
    kept = await editor.done("PUT", "/views", {"name": "Down", "query": "status=down&tag=web"})
    [view] = kept["items"]
    assert (view["name"], view["is_default"]) == ("Down", False)
    assert "status=down" in view["query"]
    assert (await editor.done("POST", f"/views/{view['id']}/default"))["items"][0]["is_default"]
    await editor.done("DELETE", "/views/default")
    assert not (await editor.read("/views"))["items"][0]["is_default"]
    assert (await editor.sent("PUT", "/views", {"name": "x", "query": "status=blue"})).status_code == 422
    await editor.done("DELETE", f"/views/{view['id']}")
    assert await editor.read("/views") == {"items": []}


async def test_templates_are_tried(editor: Program) -> None:
    made = await editor.done("POST", "/channels/preview", {"subject_template": "{{ item.monitor }}!", "sample": "up"})
    assert made["subject"].endswith("!")
    wrong = await editor.sent("POST", "/channels/preview", {"body_template": "{% nothing %}"})
    assert list(wrong.json()["errors"]) == ["body_template"]


async def test_a_question_in_sql_is_answered(editor: Program, viewer: Program, pool: Pool) -> None:
    await add_monitor(pool, name="shop")
    answer = await editor.sent("POST", "/query", {"sql": "select name from history.monitors"})
    assert answer.status_code == 200, answer.text
    assert (answer.json(), answer.headers["x-rows"]) == ([{"name": "shop"}], "1")
    csv = await editor.sent("POST", "/query", {"sql": "select name from history.monitors", "format": "csv"})
    assert csv.text.split() == ["name", "shop"]
    for wrong in ("select * from users", "delete from monitors", "select 1; select 2"):
        refused = await editor.sent("POST", "/query", {"sql": wrong})
        assert (refused.status_code, list(refused.json()["errors"])) == (422, ["sql"]), wrong
    assert (await viewer.sent("POST", "/query", {"sql": "select 1"})).status_code == 403
    asked = await fetch(pool, "select count(*) from audit where action = 'sql.ask'")
    assert asked == [(5,)]
