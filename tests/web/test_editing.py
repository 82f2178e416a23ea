from __future__ import annotations

import asyncio
import re

import pytest

from pinguin.broker import Broker
from pinguin.db import Pool
from tests.factory import add_monitor, fetch
from tests.web.conftest import Client
from tests.web.hearing import listening
from tests.web.monitor_forms import OWN, TCP, base, opened, stored
from tests.web.pages import beside

HTTP = {
    **OWN, "type": "http", "options.url": "https://shop.test/", "options.method": "GET",
    "options.accepted_statuses": "200-299", "options.slow_ms": "0", "options.certificate_days": "14",
    "options.max_redirects": "5", "options.max_body_bytes": "5000000", "options.ip_version": "any",
    "options.verify_tls": "on",
}  # fmt: skip
SECRETS = {"url": "https://shop.test/", "username": "u", "password": "hunter2", "headers": {"X-Key": "hush"}}


@pytest.mark.parametrize("kind", ["http", "tcp", "ping", "dns"])
async def test_the_form_shows_the_options_of_the_type(client: Client, kind: str) -> None:
    page = (await client.get(f"/monitors/new?type={kind}")).text
    assert f'<input type="hidden" name="type" value="{kind}">' in page
    assert 'aria-current="true"' in page
    assert 'name="options.' in page


async def test_a_monitor_is_added_and_said_to_be_new(client: Client, pool: Pool, broker: Broker) -> None:
    async with listening(broker) as heard:
        answer = await client.submit("/monitors/new", {**TCP, "tags": "a\nb"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/monitors/1")
    assert heard == [("changed", [1])]
    found = await fetch(pool, "select name, type, target, tags, options->>'port', version from monitors")
    assert found == [("shop", "tcp", "127.0.0.1:9", ["a", "b"], "9", 1)]


WRONG = [
    ("name", "", "name", "Name is required"),
    ("name", "x" * 201, "name", "Name must have at most 200 characters"),
    ("name", "a\x00b", "name", "Name must not contain control characters"),
    ("interval_s", "0", "interval-s", "Every must be at least 1"),
    ("interval_s", "86401", "interval-s", "Every must be at most 86400"),
    ("interval_s", "soon", "interval-s", "Every must be a whole number"),
    ("timeout_s", "0", "timeout-s", "Timeout must be more than 0"),
    (
        "timeout_s",
        "61",
        "timeout-s",
        "Timeout must be at most 59.5 s: half a second less than the 60 s from check to check",
    ),
    ("failure_threshold", "0", "failure-threshold", "Down after must be at least 1"),
    ("recovery_threshold", "101", "recovery-threshold", "Up again after must be at most 100"),
    ("regions", "Not A Region", "regions", "Regions 'Not A Region' must be lower-case letters, digits and hyphens"),
    ("tags", "x" * 51, "tags", f"Tags '{'x' * 40}' is longer than 50 characters"),
    ("options.host", "", "options-host", "Host is required"),
    ("options.port", "0", "options-port", "Port must be at least 1"),
    ("options.port", "99999", "options-port", "Port must be at most 65535"),
]


async def test_each_mistake_stands_beside_its_field_and_keeps_the_rest(client: Client, pool: Pool) -> None:
    token = await client.token()
    for name, value, field, words in WRONG:
        answer = await client.post("/monitors/new", data={**TCP, "tags": "kept", name: value, "_csrf": token})
        assert answer.status_code == 422, (name, value)
        assert beside(answer.text, field) == words
        if name != "tags":
            assert "kept" in answer.text
    assert await fetch(pool, "select 1 from monitors") == []


async def test_hostile_input_is_shown_again_as_it_was(client: Client) -> None:
    hostile = '"><script>alert(1)</script></textarea>'
    answer = await client.submit("/monitors/new", {**TCP, "name": hostile, "tags": hostile, "interval_s": hostile})
    assert answer.status_code == 422
    assert "<script>alert" not in answer.text
    assert answer.text.count("&lt;script&gt;alert(1)&lt;/script&gt;") >= 3


async def test_a_type_that_is_none_says_so(client: Client) -> None:
    assert (await client.get("/monitors/new?type=<b>")).status_code == 400
    assert (await client.submit("/monitors/new", {**TCP, "type": "nonsense"})).status_code == 400


async def test_an_edit_is_saved_and_makes_a_version(client: Client, pool: Pool, broker: Broker) -> None:
    monitor = await add_monitor(pool)
    async with listening(broker) as heard:
        changed = {**TCP, **await base(client, monitor), "options.port": "10"}
        answer = await client.submit(f"/monitors/{monitor}/edit", changed)
    assert answer.headers["location"] == f"/monitors/{monitor}?notice=saved"
    assert heard == [("changed", [monitor])]
    assert await fetch(pool, "select version, target from monitors") == [(2, "127.0.0.1:10")]


@pytest.mark.parametrize("theirs", ["interval_s = 30", "name = 'theirs'", "enabled = false"])
async def test_a_stale_edit_is_a_conflict_that_can_be_settled(client: Client, pool: Pool, theirs: str) -> None:
    monitor = await add_monitor(pool)
    stale = await base(client, monitor)
    async with pool.connection() as conn:
        await conn.execute(f"update monitors set {theirs}")
    answer = await client.submit(f"/monitors/{monitor}/edit", {**TCP, **stale, "name": "mine"})
    assert answer.status_code == 409
    assert "Somebody changed this monitor after you opened it" in answer.text
    assert 'value="mine"' in answer.text
    assert await fetch(pool, "select name from monitors where name = 'mine'") == []
    now = dict(re.findall(r'name="(version|updated_at)" value="([^"]+)"', answer.text))
    answer = await client.submit(f"/monitors/{monitor}/edit", {**TCP, **now, "name": "mine"})
    assert answer.status_code == 303
    assert await fetch(pool, "select name from monitors") == [("mine",)]


@pytest.mark.parametrize("junk", [{"version": ""}, {"version": "x"}, {"updated_at": "now"}, {"version": "9" * 30}])
async def test_an_edit_that_is_based_on_nothing_is_a_conflict(client: Client, pool: Pool, junk: dict[str, str]) -> None:
    monitor = await add_monitor(pool)
    sent = {**TCP, **await base(client, monitor), **junk}
    assert (await client.submit(f"/monitors/{monitor}/edit", sent)).status_code == 409


async def test_a_mistake_in_an_edit_does_not_hide_a_conflict(client: Client, pool: Pool) -> None:
    monitor = await add_monitor(pool)
    stale = await base(client, monitor)
    async with pool.connection() as conn:
        await conn.execute("update monitors set interval_s = 30")
    answer = await client.submit(f"/monitors/{monitor}/edit", {**TCP, **stale, "name": ""})
    shown = dict(re.findall(r'name="(version|updated_at)" value="([^"]+)"', answer.text))
    assert shown["version"] == stale["version"]


async def test_secrets_are_never_shown_and_kept_unless_typed_or_removed(client: Client, pool: Pool) -> None:
    monitor = await add_monitor(pool, type="http", target="https://shop.test/", options=SECRETS)
    page = (await client.get(f"/monitors/{monitor}/edit")).text + (await client.get(f"/monitors/{monitor}")).text
    assert "hunter2" not in page
    assert "hush" not in page
    assert "saved; type to replace it" in page
    sent = {**HTTP, "options.username": "u"}
    for more, expected in (
        ({}, ("hunter2", "hush")),
        ({"options.password": "new"}, ("new", "hush")),
        ({"options.headers.remove": "on", "options.password.remove": "on"}, ("", None)),
    ):
        answer = await client.submit(f"/monitors/{monitor}/edit", {**sent, **await base(client, monitor), **more})
        assert answer.status_code == 303
        kept = opened(await stored(pool, monitor))
        assert (kept["password"], kept["headers"].get("X-Key")) == expected


async def test_a_secret_that_was_typed_is_not_shown_again_beside_a_mistake(client: Client) -> None:
    answer = await client.submit("/monitors/new", {**HTTP, "name": "", "options.password": "hunter2"})
    assert answer.status_code == 422
    assert "hunter2" not in answer.text


async def test_a_clone_begins_as_its_source_with_its_secrets(client: Client, pool: Pool) -> None:
    monitor = await add_monitor(pool, type="http", target="https://shop.test/", options=SECRETS, tags=["a"])
    page = (await client.get(f"/monitors/new?from={monitor}")).text
    assert 'value="shop (copy)"' in page
    assert "hunter2" not in page
    answer = await client.submit("/monitors/new", {**HTTP, "from": str(monitor), "options.username": "u"})
    assert answer.headers["location"] == "/monitors/2"
    assert opened(await stored(pool, 2))["password"] == "hunter2"


@pytest.mark.parametrize("source", ["999", "x", "-1", "9" * 40])
async def test_a_clone_of_nothing_is_not_found(client: Client, source: str) -> None:
    assert (await client.get(f"/monitors/new?from={source}")).status_code == 404


async def test_a_check_can_be_tried_before_it_is_saved(client: Client, pool: Pool) -> None:
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        for headers, whole in (({"HX-Request": "true"}, False), ({}, True)):
            answer = await client.submit("/monitors/test", {**TCP, "options.port": str(port)}, headers=headers)
            assert answer.status_code == 200
            assert "Up" in answer.text
            assert "connect" in answer.text
            assert ("<html" in answer.text) == whole
    answer = await client.submit("/monitors/test", {**TCP, "name": "", "options.port": str(port)})
    assert "Down" in answer.text
    assert "refused" in answer.text
    assert await fetch(pool, "select 1 from monitors") == []


async def test_a_try_with_mistakes_names_them(client: Client) -> None:
    answer = await client.submit("/monitors/test", {**TCP, "options.port": "x"}, headers={"HX-Request": "true"})
    assert "The test did not run" in answer.text
    assert "Port must be a whole number" in answer.text
    answer = await client.submit("/monitors/test", {**TCP, "options.port": "x"})
    assert beside(answer.text, "options-port") == "Port must be a whole number"


async def test_another_type_keeps_what_was_typed_without_a_script(client: Client, pool: Pool) -> None:
    """Posted, for a form may hold secrets, and addresses are kept in logs and histories."""
    page = (await client.get("/monitors/new")).text
    assert 'name="type" value="tcp" formaction="/monitors/type"' in page
    sent = {"type": "tcp", "name": 'A "name"', "interval_s": "45", "tags": "a\nb", "options.password": "hidden words"}
    answer = await client.submit("/monitors/type", sent)
    assert answer.status_code == 200
    assert 'id="f-options-port"' in answer.text
    assert 'value="A &#34;name&#34;"' in answer.text
    assert 'value="45"' in answer.text
    assert 'value="10"' in answer.text  # the timeout that it has by default
    assert "hidden words" not in answer.text
    monitor = await add_monitor(pool, name="shop")
    answer = await client.submit(
        "/monitors/type", {"type": "dns", "monitor": str(monitor), "name": "new", "version": "1"}
    )
    assert f'action="/monitors/{monitor}/edit"' in answer.text
    assert "Edit shop" in answer.text
    for bad in ({"type": "nonsense"}, {"type": "tcp", "monitor": "x"}, {"type": "tcp", "from": "9" * 30}):
        assert (await client.submit("/monitors/type", bad)).status_code in (400, 404)
    assert await fetch(pool, "select count(*) from monitors") == [(1,)]
