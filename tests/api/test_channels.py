"""Channels and groups over the API. Secrets go in and never come out."""

from __future__ import annotations

from typing import Any

from pinguin.db import Pool
from tests.api.conftest import Program
from tests.factory import fetch
from tests.receiver import Receiver, receiver

HOOK: dict[str, Any] = {
    "name": "Ops",
    "kind": "webhook",
    "options": {"url": "http://127.0.0.1:9/hook-very-secret", "headers": {"X-Key": "also-secret"}},
}


async def test_a_channel_is_made_changed_and_deleted(owner: Program, pool: Pool) -> None:
    made = await owner.done("POST", "/channels", HOOK)
    path = f"/channels/{made['id']}"
    assert (made["name"], made["state"], made["target"]) == ("Ops", "new", "http://127.0.0.1:9/…")
    assert sorted(made["secrets"]) == ["headers", "url"]
    assert "url" not in made["options"]
    assert "secret" not in repr(await owner.read("/channels")).replace("secrets", "").replace("signing_secret", "")

    changed = await owner.done("PATCH", path, {"name": "Night", "per_minute": 5, "options": {"method": "PUT"}})
    assert (changed["name"], changed["per_minute"], changed["options"]["method"]) == ("Night", 5, "PUT")
    assert sorted(changed["secrets"]) == ["headers", "url"]  # what was not sent is kept
    [(stored,)] = await fetch(pool, "select options::text from channels")
    assert "very-secret" not in stored

    quiet = {"quiet_from": "22:00", "quiet_to": "07:00", "quiet_zone": "Europe/Berlin", "quiet_days": [1, 2]}
    changed = await owner.done("PATCH", path, quiet)
    assert (changed["quiet_from"], changed["quiet_days"]) == ("22:00", [1, 2])
    assert (await owner.done("PATCH", path, dict.fromkeys(quiet)))["quiet_from"] == ""

    assert (await owner.done("POST", f"{path}/off"))["state"] == "off"
    assert (await owner.done("POST", f"{path}/on"))["state"] == "new"
    await owner.done("DELETE", path)
    assert (await owner.sent("GET", path)).status_code == 404
    actions = [
        row[0] for row in await fetch(pool, "select action from audit where object_kind = 'channel' order by id")
    ]
    assert actions == [f"channel.{act}" for act in ("create", "edit", "edit", "edit", "off", "on", "delete")]


async def test_a_saved_secret_goes_nowhere_else(owner: Program) -> None:
    made = await owner.done("POST", "/channels", HOOK)
    moved: dict[str, dict[str, str | None]] = {"options": {"url": "http://127.0.0.2:9/hook"}}
    answer = await owner.sent("PATCH", f"/channels/{made['id']}", moved)
    assert answer.status_code == 422
    assert "must be typed again" in answer.json()["errors"]["options.headers"]
    moved["options"]["headers"] = None
    assert (await owner.done("PATCH", f"/channels/{made['id']}", moved))["secrets"] == ["url"]


async def test_a_test_message_says_what_was_answered(owner: Program) -> None:
    async with receiver() as server:
        options = {"url": server.url}
        sent = await owner.done("POST", "/channels/try", {"kind": "webhook", "options": options})
        assert (sent["outcome"], len(server.came)) == ("delivered", 1)
        made = await owner.done("POST", "/channels", HOOK | {"options": options})
        sent = await owner.done("POST", f"/channels/{made['id']}/test")
        assert (sent["outcome"], len(server.came)) == ("delivered", 2)
        await _tried_with_what_is_saved(owner, server, made["id"])


async def _tried_with_what_is_saved(owner: Program, server: Receiver, channel: int) -> None:
    given = {"kind": "webhook", "channel": channel, "options": {"method": "PUT"}}
    assert (await owner.done("POST", "/channels/try", given))["outcome"] == "delivered"
    assert len(server.came) == 3


async def test_every_mistake_of_a_channel_is_named_at_once(owner: Program) -> None:
    body = {"name": "", "kind": "webhook", "per_minute": 0, "options": {"url": "nowhere", "colour": 1}}
    answer = await owner.sent("POST", "/channels", body)
    assert answer.status_code == 422
    assert {"name", "per_minute", "options.colour"} <= answer.json()["errors"].keys()
    answer = await owner.sent("POST", "/channels", {"kind": "pigeon", "name": "x"})
    assert list(answer.json()["errors"]) == ["kind"]
    answer = await owner.sent("POST", "/channels", HOOK | {"color": 1, "quiet_days": [9]})
    assert set(answer.json()["errors"]) == {"color", "quiet_days"}


async def test_groups_hold_channels(owner: Program) -> None:
    one = (await owner.done("POST", "/channels", HOOK))["id"]
    made = await owner.done("POST", "/channel-groups", {"name": "All", "channels": [one]})
    path = f"/channel-groups/{made['id']}"
    assert await owner.read(path) == {"id": made["id"], "name": "All", "channels": [one]}
    answer = await owner.sent("POST", "/channel-groups", {"name": "More", "channels": [99]})
    assert answer.json()["errors"] == {"channels": "must exist: there is no channel 99"}
    assert (await owner.sent("POST", "/channel-groups", {"name": "all", "channels": []})).status_code in (201, 422)
    tag = (await owner.sent("GET", path)).headers["etag"]
    await owner.done("PUT", path, {"name": "None", "channels": []}, If_Match=tag)
    assert (await owner.sent("PUT", path, {"name": "Late"}, If_Match=tag)).status_code == 412
    await owner.done("DELETE", path)
    assert (await owner.sent("GET", path)).status_code == 404
