"""Secrets of monitors: sealed where they are kept, kept where nothing is typed, and sent nowhere else."""

from __future__ import annotations

import json
from typing import Any

import pytest
from litestar import Litestar

from pinguin.db import Pool
from pinguin.people import Role
from pinguin.secrets import PREFIX, Keys
from pinguin.web.service import Web
from tests.factory import add_monitor, fetch
from tests.web.conftest import Client, person, signed_in
from tests.web.monitor_forms import opened, stored

SECRETS = {"username": "ada", "password": "hunter2hunter2", "headers": {"X-Key": "canary-header"}}
SHOP = {"url": "http://127.0.0.1:9/", **SECRETS}


def sent(**changes: str) -> dict[str, str]:
    """The form of the shop's monitor, its secrets left empty."""
    form = {
        "type": "http", "name": "shop", "interval_s": "60", "timeout_s": "5", "failure_threshold": "2",
        "recovery_threshold": "1", "regions": "local", "tags": "", "options.url": "http://127.0.0.1:9/",
        "options.username": "ada", "options.accepted_statuses": "200-299", "options.verify_tls": "on",
        "options.compression": "on",
    }  # fmt: skip
    return form | changes


async def base(pool: Pool, monitor_id: int = 1) -> dict[str, str]:
    [(version, updated_at)] = await fetch(pool, "select version, updated_at from monitors where id = %s", monitor_id)
    return {"monitor": str(monitor_id), "version": str(version), "updated_at": updated_at.isoformat()}


async def edit(client: Client, pool: Pool, **changes: str) -> Any:
    return await client.submit("/monitors/1/edit", sent(**changes) | await base(pool))


@pytest.fixture
async def shop(client: Client, pool: Pool) -> Client:
    """A monitor with a user's password and a header, made by its form."""
    new = {"options.password": "hunter2hunter2", "options.headers": "X-Key: canary-header"}
    assert (await client.submit("/monitors/new", sent(**new))).status_code == 303
    return client


async def test_secrets_are_sealed_everywhere_in_the_database(shop: Client, pool: Pool) -> None:
    assert opened(await stored(pool)).items() >= SECRETS.items()
    for table in ("monitors", "monitor_versions", "audit", "monitor_states"):
        text = json.dumps(await fetch(pool, f"select to_jsonb(t) from {table} t"), default=str)
        assert "hunter2" not in text, table
        assert "canary" not in text, table


async def test_what_did_not_change_makes_no_version(shop: Client, pool: Pool) -> None:
    before = await stored(pool)
    assert (await edit(shop, pool, name="the shop")).status_code == 303
    assert await stored(pool) == before
    assert await fetch(pool, "select name, version from monitors") == [("the shop", 1)]


async def test_one_new_secret_leaves_the_other_one_sealed_as_it_was(shop: Client, pool: Pool) -> None:
    before = await stored(pool)
    assert (await edit(shop, pool, **{"options.password": "another password"})).status_code == 303
    after = await stored(pool)
    assert after["headers"] == before["headers"]
    assert opened(after)["password"] == "another password"
    [(changes,)] = await fetch(pool, "select changes from audit where action = 'monitor.edit'")
    assert changes == {"options.password": "changed"}


async def test_a_secret_can_be_removed(shop: Client, pool: Pool) -> None:
    gone = {"options.password.remove": "on", "options.headers.remove": "on", "options.username": ""}
    assert (await edit(shop, pool, **gone)).status_code == 303
    after = await stored(pool)
    assert (after["password"], after["headers"]) == ("", {})


ELSEWHERE = [
    {"options.url": "http://127.0.0.1:10/"},
    {"options.url": "https://127.0.0.1:9/"},
    {"options.url": "http://evil.test:9/"},
    {"options.url": "http://2130706433:9/"},
    {"options.url": "http://127.0.0.1:9@evil.test/"},
    {"options.proxy": "http://evil.test:3128"},
    {"options.proxy": "socks5://evil.test:1080"},
    {"options.server_name": "evil.test"},
    {"options.verify_tls": ""},
]


@pytest.mark.parametrize("change", ELSEWHERE, ids=lambda change: " ".join(map(str, change.values())) or "unverified")
async def test_saved_secrets_go_nowhere_else(shop: Client, pool: Pool, change: dict[str, str]) -> None:
    form = sent(**change)
    if "options.verify_tls" in change:
        del form["options.verify_tls"]
    for path, more in (
        ("/monitors/1/edit", await base(pool)),
        ("/monitors/new", {"from": "1"}),
        ("/monitors/test", {"monitor": "1"}),
        ("/monitors/test", {"from": "1"}),
    ):
        answer = await shop.submit(path, form | more)
        assert answer.status_code in (200, 422)
        assert (
            "must be typed again" in answer.text
            or "has no host" in answer.text
            or "must not contain a user" in answer.text
        )
    assert await fetch(pool, "select count(*), max(version) from monitors") == [(1, 1)]
    assert not await fetch(pool, "select from audit where action = 'monitor.try'")


async def test_typed_again_they_go(shop: Client, pool: Pool) -> None:
    new = {"options.url": "http://127.0.0.1:10/", "options.password": "for the new one", "options.headers.remove": "on"}
    assert (await edit(shop, pool, **new)).status_code == 303
    assert opened(await stored(pool))["password"] == "for the new one"


async def test_another_path_of_the_same_server_is_no_other_place(shop: Client, pool: Pool) -> None:
    assert (await edit(shop, pool, **{"options.url": "http://127.0.0.1:9/health"})).status_code == 303
    assert opened(await stored(pool)).items() >= SECRETS.items()


async def test_the_host_header_is_a_place_too(client: Client, pool: Pool) -> None:
    """Behind one address there may be another's server: a new header is typed, and the old password would follow it."""
    await add_monitor(pool, type="http", options=SHOP)
    answer = await edit(client, pool, **{"options.headers": "Host: evil.test"})
    assert answer.status_code == 422
    assert "host evil.test" in answer.text


async def test_a_secret_in_the_clear_is_somewhere_else(client: Client, pool: Pool) -> None:
    await add_monitor(
        pool,
        type="tcp",
        options={"host": "127.0.0.1", "port": 9, "tls": "direct", "send": "${secret}", "secret": "hunter2"},
    )
    form = sent(**{"type": "tcp", "options.host": "127.0.0.1", "options.port": "9", "options.tls": "no"})
    form |= {"options.certificate_days": "14", "options.tls_minimum": "1.2", "options.send": "${secret}"}
    answer = await client.submit("/monitors/1/edit", form | await base(pool))
    assert answer.status_code == 422
    assert "new is in the clear" in answer.text


async def test_what_was_stored_in_plain_is_sealed_by_the_next_edit(client: Client, pool: Pool) -> None:
    await add_monitor(pool, type="http", options=SHOP)
    assert (await edit(client, pool, name="the shop")).status_code == 303
    after = await stored(pool)
    assert after["password"].startswith(PREFIX)
    assert opened(after).items() >= SECRETS.items()


async def test_a_clone_has_the_secrets_and_shows_none(shop: Client, pool: Pool) -> None:
    page = (await shop.get("/monitors/new?from=1")).text
    assert "saved; type to replace it" in page
    assert "hunter2" not in page
    assert PREFIX not in page
    assert (await shop.submit("/monitors/new", sent(name="copy") | {"from": "1"})).status_code == 303
    assert opened(await stored(pool, 2)).items() >= SECRETS.items()


async def test_a_sealed_text_from_elsewhere_is_refused(shop: Client, pool: Pool) -> None:
    """Else whoever saw a backup could have it opened and sent to a server of theirs."""
    seal = (await stored(pool))["password"]
    for field in ({"options.password": seal}, {"options.headers": f"X: {seal}"}, {"options.bearer_token": seal}):
        answer = await shop.submit("/monitors/new", sent(**{"options.url": "http://evil.test/"} | field))
        assert answer.status_code == 422
        assert "must not have sealed:v1:" in answer.text
    assert len(await fetch(pool, "select from monitors")) == 1


async def test_under_another_key_nothing_opens_and_the_form_says_so(
    shop: Client, app: Litestar, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    web: Web = app.state.web
    monkeypatch.setattr(web, "keys", Keys("another key, made up today"))
    answer = await edit(shop, pool, name="the shop")
    assert answer.status_code == 422
    assert "was saved under another key and does not open" in answer.text
    typed = {"options.password": "typed again", "options.headers.remove": "on"}
    assert (await edit(shop, pool, **typed)).status_code == 303


async def test_without_a_key_no_new_secret_is_taken_and_the_rest_can_be_edited(
    client: Client, app: Litestar, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    await add_monitor(pool, type="http", options=SHOP)
    web: Web = app.state.web
    monkeypatch.setattr(web, "keys", Keys())
    answer = await edit(client, pool, **{"options.password": "a new password"})
    assert answer.status_code == 422
    assert "PINGUIN_SECRET_KEY" in answer.text
    assert (await edit(client, pool, name="the shop")).status_code == 303
    assert (await stored(pool))["password"] == SECRETS["password"]


async def test_an_editor_sees_no_seal_either(shop: Client, pool: Pool) -> None:
    await signed_in(shop, pool, await person(pool, "bob", Role.EDITOR))
    for path in ("/monitors/1", "/monitors/1/edit", "/", "/monitors/new?from=1"):
        assert PREFIX not in (await shop.get(path)).text
