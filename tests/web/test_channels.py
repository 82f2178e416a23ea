"""Adding and editing channels: forms, secrets, mistakes, conflicts."""

from __future__ import annotations

import re
from typing import Any

import pytest
from litestar import Litestar

from pinguin.alerts.channels import channel_type
from pinguin.alerts.contract import PLACE
from pinguin.db import Pool
from pinguin.secrets import PREFIX, Keys
from pinguin.web.service import Web
from tests.factory import add_monitor, fetch
from tests.store.telling import add_channel
from tests.web.channel_forms import EMAIL, WEBHOOK, base
from tests.web.conftest import SECRET_KEY, Client
from tests.web.pages import beside


async def stored(pool: Pool, *columns: str) -> tuple[Any, ...]:
    return (await fetch(pool, f"select {', '.join(columns)} from channels order by id desc limit 1"))[0]


async def options(pool: Pool) -> dict[str, Any]:
    kind, sealed = await stored(pool, "kind", "options")
    return Keys(SECRET_KEY).unseal_fields(sealed, channel_type(kind).options, PLACE)


async def test_without_channels_the_pages_say_that_nobody_is_told(client: Client, pool: Pool) -> None:
    page = (await client.get("/channels")).text
    assert "Nobody is told yet" in page
    assert "services that Apprise speaks to" in page  # links of a docstring are words here
    for kind in ("webhook", "email", "script", "apprise"):
        assert f'href="/channels/new?kind={kind}"' in page
    assert "nobody is told yet" in (await client.get("/monitors")).text
    await add_monitor(pool)
    assert "Nobody is told yet." in (await client.get("/monitors")).text
    channel = await add_channel(pool)
    assert "is told yet" not in (await client.get("/monitors")).text
    await client.submit(f"/channels/{channel}/off")
    assert "Nobody is told yet." in (await client.get("/monitors")).text


@pytest.mark.parametrize("kind", ["webhook", "email", "script", "apprise"])
async def test_the_form_shows_the_options_of_the_kind(client: Client, kind: str) -> None:
    page = (await client.get(f"/channels/new?kind={kind}")).text
    assert f'<input type="hidden" name="kind" value="{kind}">' in page
    assert 'name="options.' in page
    assert "item.monitor_id" in page
    assert 'name="is_default" value="on" checked' in page  # the first one is


async def test_a_channel_is_added_with_its_secrets_sealed(client: Client, pool: Pool) -> None:
    answer = await client.submit("/channels/new", EMAIL)
    assert (answer.status_code, answer.headers["location"]) == (303, "/channels?notice=saved")
    name, kind, default, zone = await stored(pool, "name", "kind", "is_default", "quiet_zone")
    assert (name, kind, default, zone) == ("ops", "email", True, None)
    assert "hunter2" not in str(await fetch(pool, "select options::text from channels"))
    assert (await options(pool))["password"] == "hunter2"
    pages = [(await client.get(path)).text for path in ("/channels", "/channels/1/edit", "/channels/1/messages")]
    for page in pages:
        assert "ops" in page
        assert "hunter2" not in page
        assert PREFIX not in page
    assert "ops@shop.test" in pages[0]
    assert "not used yet" in pages[0]
    assert "saved; type to replace it" in pages[1]


async def test_a_secret_is_kept_replaced_or_removed(client: Client, pool: Pool) -> None:
    await client.submit("/channels/new", EMAIL)
    (before,) = await stored(pool, "options")
    sent = {**EMAIL, "options.password": ""}
    for more, expected in (
        ({}, "hunter2"), ({"options.password": "new one"}, "new one"),
        ({"options.password.remove": "on", "options.username": ""}, ""),
    ):  # fmt: skip
        answer = await client.submit("/channels/1/edit", {**sent, **await base(client, 1), **more})
        assert answer.status_code == 303
        assert (await options(pool))["password"] == expected
        if not more:
            assert await stored(pool, "options") == (before,)


@pytest.mark.parametrize(
    ("kind", "changed"),
    [
        (EMAIL, {"options.host": "evil.test"}),
        (EMAIL, {"options.port": "2525"}),
        (EMAIL, {"options.security": "none"}),
        (EMAIL, {"options.verify_tls": ""}),
        (WEBHOOK, {"options.url": "https://evil.test/hook"}),
    ],
)
async def test_saved_secrets_go_nowhere_else(
    client: Client, pool: Pool, kind: dict[str, str], changed: dict[str, str]
) -> None:
    """Else whoever may edit could have the password of the mail server sent to a server of their own."""
    await client.submit("/channels/new", {**kind, "options.signing_secret": "hush hush hush"})
    (before,) = await stored(pool, "options")
    kept = {**kind, "options.url": "", "options.password": "", **await base(client, 1), **changed}
    kept = {name: value for name, value in kept.items() if value or name != "options.verify_tls"}
    for path in ("/channels/1/edit", "/channels/test"):
        assert "must be typed again, or removed" in (await client.submit(path, kept)).text
    assert await stored(pool, "options") == (before,)


async def test_what_a_kept_secret_reads_as_is_not_sealed_text(client: Client, pool: Pool) -> None:
    """A URL that is secret has to be a good one when it is kept, too."""
    await client.submit("/channels/new", WEBHOOK)
    answer = await client.submit("/channels/1/edit", {**WEBHOOK, **await base(client, 1), "options.url": ""})
    assert answer.status_code == 303
    assert (await options(pool))["url"] == "https://chat.test/hook?key=hunter2"
    answer = await client.submit("/channels/new", {**EMAIL, "name": "x", "options.password": f"{PREFIX}abc"})
    assert beside(answer.text, "options-password").startswith(f"Password must not have {PREFIX}")


WRONG = [
    ("name", "", "name", "Name is required"),
    ("name", "x" * 101, "name", "Name must have at most 100 characters"),
    ("name", "a\x00b", "name", "Name must not contain control characters"),
    ("per_minute", "0", "per-minute", "At most must be at least 1"),
    ("per_minute", "often", "per-minute", "At most must be a whole number"),
    ("quiet_from", "25:00", "quiet-from", "Quiet from must be a time such as 22:00"),
    ("quiet_from", "22:00", "quiet-zone", "In the time zone is needed for quiet hours"),
    ("quiet_zone", "Atlantis", "quiet-zone", "In the time zone 'Atlantis' is no time zone; use one like Europe/Berlin"),
    ("subject_template", "{{ nothing }}", "subject-template", "Subject line 1: there is no 'nothing'"),
    ("subject_template", "{% if %}", "subject-template", "Subject line 1: "),
    ("body_template", "a\n{{ item.monitor.__class__ }}", "body-template", "Text line 2: "),
    ("body_template", "{{ 9 ** 9999999 }}", "body-template", "Text line 1: "),
    ("options.host", "", "options-host", "Server is required"),
    ("options.to", "nobody", "options-to", "To "),
    ("options.port", "99999", "options-port", "Port must be at most 65535"),
]


async def test_each_mistake_stands_beside_its_field_and_keeps_the_rest(client: Client, pool: Pool) -> None:
    for name, value, field, words in WRONG:
        answer = await client.submit("/channels/new", {**EMAIL, "options.username": "kept", name: value})
        assert answer.status_code == 422, (name, value)
        assert beside(answer.text, field).startswith(words), (name, beside(answer.text, field))
        assert 'value="kept"' in answer.text
        assert "hunter2" not in answer.text
    assert await fetch(pool, "select 1 from channels") == []


async def test_quiet_hours_are_whole_and_leave_a_time(client: Client, pool: Pool) -> None:
    quiet = {**WEBHOOK, "quiet_from": "22:00", "quiet_to": "06:00", "quiet_zone": "Europe/Berlin"}
    days = {name: value for name, value in quiet.items() if not name.startswith("quiet_days")}
    answer = await client.submit("/channels/new", days)
    assert "Days must be one day at least" in answer.text
    answer = await client.submit("/channels/new", {**quiet, "quiet_to": "22:00"})
    assert "must leave a day out" in answer.text
    assert (await client.submit("/channels/new", {**days, "quiet_days.6": "on"})).status_code == 303
    assert await stored(pool, "quiet_from::text", "quiet_zone", "quiet_days") == ("22:00:00", "Europe/Berlin", [6])
    page = (await client.get("/channels/1/edit")).text
    assert 'value="22:00"' in page
    assert 'name="quiet_days.6" value="on" checked' in page
    assert 'name="quiet_days.5" value="on">' in page


async def test_a_name_that_is_taken_is_told_beside_it(client: Client, pool: Pool) -> None:
    await add_channel(pool, name="OPS")
    answer = await client.submit("/channels/new", WEBHOOK)
    assert beside(answer.text, "name") == "Name is taken: another channel is called so"


async def test_a_stale_edit_is_a_conflict_that_can_be_settled(client: Client, pool: Pool) -> None:
    await client.submit("/channels/new", WEBHOOK)
    stale = await base(client, 1)
    await client.submit("/channels/1/edit", {**WEBHOOK, **stale, "name": "theirs"})
    answer = await client.submit("/channels/1/edit", {**WEBHOOK, **stale, "name": "mine"})
    assert answer.status_code == 409
    assert "Somebody changed this channel after you opened it" in answer.text
    assert 'value="mine"' in answer.text
    assert await stored(pool, "name") == ("theirs",)
    now = dict(re.findall(r'name="(updated_at)" value="([^"]+)"', answer.text))
    assert (await client.submit("/channels/1/edit", {**WEBHOOK, **now, "name": "mine"})).status_code == 303
    assert await stored(pool, "name") == ("mine",)


@pytest.mark.parametrize("junk", ["", "now", "9" * 50])
async def test_an_edit_that_is_based_on_nothing_is_a_conflict(client: Client, pool: Pool, junk: str) -> None:
    await client.submit("/channels/new", WEBHOOK)
    assert (await client.submit("/channels/1/edit", {**WEBHOOK, "updated_at": junk})).status_code == 409


async def test_secrets_that_do_not_open_have_to_be_entered_again(client: Client, pool: Pool, app: Litestar) -> None:
    await client.submit("/channels/new", EMAIL)
    web: Web = app.state.web
    mine, web.keys = web.keys, Keys("another key, not that one")
    try:
        page = (await client.get("/channels/1/edit")).text
        assert "does not open with this key" in page
        assert 'value="smtp.test"' in page
        assert (await client.get("/channels")).status_code == 200
        sent = {**EMAIL, **await base(client, 1), "options.password": "again"}
        assert (await client.submit("/channels/1/edit", sent)).status_code == 303
        assert "does not open" not in (await client.get("/channels/1/edit")).text
        web.keys = Keys()
        answer = await client.submit("/channels/new", {**EMAIL, "name": "other"})
        assert "set PINGUIN_SECRET_KEY" in beside(answer.text, "options-password")
    finally:
        web.keys = mine
