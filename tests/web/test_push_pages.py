"""What people see of a push monitor, and do with it."""

from __future__ import annotations

import re
from uuid import uuid4

from pinguin.db import Pool
from pinguin.people import Role
from tests.factory import fetch
from tests.store.pushing import add_push, age, judge, ping, token
from tests.web.conftest import Client, person, signed_in
from tests.web.monitor_forms import base

FORM = {"type": "push", "name": "Backup", "options.schedule": "cron", "options.expression": "0 3 * * *",
        "options.zone": "Europe/Berlin", "options.grace_s": "1800", "failure_threshold": "1",
        "recovery_threshold": "1"}  # fmt: skip


async def test_one_is_added_with_the_form_and_has_an_address(client: Client, pool: Pool) -> None:
    shown = await client.get("/monitors/new?type=push&name=Typed%20before")
    assert 'name="options.expression"' in shown.text
    assert "Typed before" in shown.text
    assert 'name="interval_s"' not in shown.text
    assert 'name="regions"' not in shown.text
    assert "Test now" not in shown.text
    answer = await client.submit("/monitors/new", FORM)
    assert answer.status_code == 303
    [(passive, target, interval_s, threshold)] = await fetch(
        pool, "select passive, target, interval_s, failure_threshold from monitors"
    )
    assert (passive, target, interval_s, threshold) == (True, "0 3 * * * Europe/Berlin, grace 30 min", 86400, 1)
    page = (await client.get("/monitors/1")).text
    assert f"http://pinguin.test/ping/{await token(pool, 1)}" in page
    assert "Waiting for the first ping." in page
    assert "Check now" not in page
    assert "0 3 * * *  /usr/local/bin/backup &amp;&amp; curl" in page


async def test_wrong_options_are_said_beside_their_fields(client: Client, pool: Pool) -> None:
    answer = await client.submit("/monitors/new", FORM | {"options.expression": "61 * * * *", "options.zone": "Mars"})
    assert answer.status_code == 422
    assert "Cron expression is not a cron expression" in answer.text
    assert "Time zone" in answer.text
    assert await fetch(pool, "select from monitors") == []


async def test_an_edit_keeps_the_address_and_another_type_loses_it(client: Client, pool: Pool) -> None:
    monitor_id = await add_push(pool)
    known = await token(pool, monitor_id)
    await client.submit(f"/monitors/{monitor_id}/edit", FORM | await base(client, monitor_id))
    assert await token(pool, monitor_id) == known
    assert (await client.get(f"/{known}")).text == "OK"


async def test_pings_are_listed_with_what_they_sent_and_nothing_of_it_is_markup(client: Client, pool: Pool) -> None:
    monitor_id = await add_push(pool)
    run = uuid4()
    await ping(pool, monitor_id, kind="start", run_id=run)
    await ping(pool, monitor_id, kind="exit", exit_code=3, run_id=run, body="<script>alert(1)</script>" + "x" * 600)
    page = (await client.get(f"/monitors/{monitor_id}")).text
    assert "&lt;script&gt;alert(1)" in page
    assert "<script>alert" not in page
    assert "<b>ended</b> 3" in page
    assert f'<code title="{run}">' in page
    link = re.search(rf'href="(/monitors/{monitor_id}/pings/body[^"]+)"', page)
    assert link is not None
    whole = await client.get(link[1].replace("&amp;", "&"))
    assert whole.headers["Content-Type"].startswith("text/plain")
    assert whole.text == "<script>alert(1)</script>" + "x" * 600


async def test_older_pings_page_by_page(client: Client, pool: Pool) -> None:
    monitor_id = await add_push(pool)
    for n in range(25):
        await ping(pool, monitor_id, kind="log", body=f"nr {n};")
    page = (await client.get(f"/monitors/{monitor_id}")).text
    assert re.findall(r"nr (\d+);", page) == [str(n) for n in range(24, 4, -1)]
    older = re.search(r'rel="next" href="([^"]+/pings[^"]+)"', page)
    assert older is not None
    assert re.findall(r"nr (\d+);", (await client.get(older[1])).text) == ["4", "3", "2", "1", "0"]


async def test_late_and_running_are_shown_and_are_no_alert(client: Client, pool: Pool) -> None:
    monitor_id = await add_push(pool, max_run_s=600)
    await ping(pool, monitor_id)
    await age(pool, monitor_id, 65)
    page = (await client.get(f"/monitors/{monitor_id}")).text
    assert re.search(r'<span class="badge [^>]*>.*?late</span>', page)
    await ping(pool, monitor_id, kind="start")
    assert "<dt>runs</dt>" in (await client.get(f"/monitors/{monitor_id}")).text
    assert await judge(pool) == []


async def test_news_of_an_open_page_bring_the_pings(client: Client, pool: Pool) -> None:
    monitor_id = await add_push(pool)
    await ping(pool, monitor_id, kind="log", body="fresh news")
    news = (await client.get(f"/live/monitors/{monitor_id}/rows")).text
    assert "fresh news" in news
    assert 'id="push-waits"' in news


async def test_a_new_address(client: Client, pool: Pool) -> None:
    monitor_id = await add_push(pool)
    old = await token(pool, monitor_id)
    answer = await client.submit(f"/monitors/{monitor_id}/address")
    assert answer.status_code == 303
    new = await token(pool, monitor_id)
    assert new != old
    assert (await client.get(f"/{old}")).status_code == 404
    assert (await client.get(f"/{new}")).status_code == 200
    assert (
        await client.post(f"/monitors/{monitor_id}/address", data={"a": "b"})
    ).status_code == 403  # without the form's token


async def test_there_is_nothing_to_check_or_to_try(client: Client, pool: Pool) -> None:
    monitor_id = await add_push(pool)
    assert (await client.submit(f"/monitors/{monitor_id}/check")).status_code == 400
    answer = await client.submit("/monitors/test", FORM, headers={"HX-Request": "true"})
    assert "nothing to try" in answer.text


async def test_the_list_shows_it_without_gaps(client: Client, pool: Pool) -> None:
    monitor_id = await add_push(pool)
    await ping(pool, monitor_id)
    page = (await client.get("/monitors")).text
    assert f'id="m{monitor_id}"' in page
    assert "no result since" not in page


async def test_addresses_that_are_none(client: Client, pool: Pool) -> None:
    ordinary = await add_push(pool)
    await fetch(pool, "update monitors set type = 'tcp', passive = false returning 1")
    assert (await client.submit(f"/monitors/{ordinary}/address")).status_code == 404
    for path in ("/monitors/99/pings", "/monitors/99/pings/body?at=2026-01-01T00:00:00Z"):
        assert (await client.get(path)).status_code == 404
    for at in ("", "x", "0001-01-01T00:00:00Z"):
        assert (await client.get(f"/monitors/{ordinary}/pings/body?at={at}")).status_code == 400


async def test_who_may_only_look_does_not_see_the_address(visitor: Client, pool: Pool) -> None:
    monitor_id = await add_push(pool)
    await person(pool, "ada", Role.OWNER)
    await signed_in(visitor, pool, await person(pool, "vera", Role.VIEWER))
    page = (await visitor.get(f"/monitors/{monitor_id}")).text
    assert "What it waits for" in page
    assert str(await token(pool, monitor_id)) not in page
    assert (await visitor.submit(f"/monitors/{monitor_id}/address")).status_code == 403
