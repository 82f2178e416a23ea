from __future__ import annotations

import re
from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser, expect
from psycopg.types.json import Jsonb

from pinguin.db import Pool, connection
from pinguin.store import incidents
from tests.browser import history
from tests.browser.conftest import FOUR, visiting
from tests.factory import add_incident, add_monitor, fetch
from tests.web.test_incidents import told

POLL_MS = 3_000
"""So often an open page asks; its clock is put on so that nobody waits for it, and goes on by itself as well."""
EVIDENCE = {
    "phases_ms": {"dns": 4.1, "connect": 12.8, "tls": 31, "first_byte": 180.5, "transfer": 2},
    "status_code": 502, "http_version": "1.1", "address": "203.0.113.7:443", "body_bytes": 157,
    "headers": {"server": "nginx", "content-type": "text/html", "date": "Mon, 04 May 2026 11:58:03 GMT"},
    "body_sample": "<html>\n<head><title>502 Bad Gateway</title></head>\n<body><h1>502 Bad Gateway</h1>",
    "chain": [
        {"subject": "api.example.com", "issuer": "R11, Let's Encrypt", "not_after": "2026-07-01", "days_left": 58},
        {"subject": "R11, Let's Encrypt", "issuer": "ISRG Root X1", "not_after": "2027-03-12", "days_left": 312},
    ],
}  # fmt: skip


@pytest.fixture
async def storm(pool: Pool) -> AsyncIterator[int]:
    """Monitors with a history, one of them down with all that an incident can have, and others down with it; its id."""
    await history.write(pool, days=1.2)
    ((incident,),) = await fetch(pool, "select id from incidents where ended_at is null order by id limit 1")
    async with connection(pool) as conn:
        await conn.execute("select setval(pg_get_serial_sequence('incident_events', 'id'), 1000)")
        await conn.execute("insert into channels (name, kind, options) values ('On-call phone', 'webhook', '{}')")
    given = "update incidents set evidence = %s, confirmed_at = started_at + interval '61 s' where id = %s returning 1"
    await fetch(pool, given, Jsonb(EVIDENCE), incident)
    await told(pool, incident, 1)
    for n in range(5):
        monitor = await add_monitor(pool, name=f"API worker {n + 1}", target=f"api.example.com:{8000 + n}")
        near = (
            "update incidents set started_at = (select started_at from incidents where id = %s) + %s * interval '1 s'"
        )
        await fetch(pool, f"{near} where id = %s returning 1", incident, n * 9, await add_incident(pool, monitor))
    await fetch(
        pool,
        """insert into notifications (key, channel_id, incident_id, kind, step, at, due_at, status, held)
        select 'step', id, %s, 'down', 1, now(), now() + interval '10 min', 'waiting', null
        from channels returning 1""",
        incident,
    )
    await fetch(
        pool,
        """insert into incident_events (incident_id, at, kind, who, text) values
        (%s, now() - interval '17 min', 'held', 'On-call phone', 'quiet'),
        (%s, now() - interval '16 min', 'alerted', 'On-call phone', 'down') returning 1""",
        incident,
        incident,
    )
    async with connection(pool) as conn:
        await incidents.comment(conn, incident, "ada", "The proxy answers, what is behind it does not.")
        await incidents.write_postmortem(conn, incident, "## Why\n\n* a deploy **without** its migration\n* `502`", "")
    yield incident
    async with connection(pool) as conn:
        for relation in ("results", "results_hourly", "results_daily"):
            await conn.execute(f"truncate {relation}")


async def test_an_incident_looks_right_on_every_screen(chromium: Browser, address: str, storm: int) -> None:
    """No error, nothing refused by the policy, nothing wider than the screen; pictures for people in artifacts/."""
    pages = {
        "incident": f"/incidents/{storm}",
        "incidents-open": "/incidents?state=open",
        "incidents-all": "/incidents",
    }
    async with visiting(chromium, address) as visit:
        await visit.sign_in()
        for name, path in pages.items():
            await visit.page.goto(path)
            await visit.pictures(name, FOUR)


async def test_an_open_page_goes_on_by_itself_and_keeps_what_is_typed(
    chromium: Browser, address: str, pool: Pool
) -> None:
    incident = await add_incident(pool, await add_monitor(pool, name="shop"))
    async with visiting(chromium, address) as visit:
        await visit.sign_in()
        page = visit.page
        await page.clock.install()
        await page.goto(f"/incidents/{incident}")
        await page.fill("#comment", "half a sen")
        await page.evaluate("window.mark = true")
        async with connection(pool) as conn:
            await incidents.comment(conn, incident, "bob", "I have seen this before")
        await page.clock.fast_forward(POLL_MS)
        await expect(page.locator("#timeline")).to_contain_text("I have seen this before")
        async with connection(pool) as conn:
            await incidents.acknowledge(conn, [incident], "bob", "mine")
        await page.clock.fast_forward(POLL_MS)
        await expect(page.locator("#acts")).to_contain_text("takes care of it")
        async with connection(pool) as conn:
            await incidents.resolve(conn, incident, "bob", "it was the cable")
        await page.clock.fast_forward(POLL_MS)
        await expect(page.locator("#incident-head")).to_contain_text("Was down for")
        await expect(page.locator("#acts")).to_contain_text("It is over")
        await expect(page.locator("#comment")).to_have_value("half a sen")
        assert await page.evaluate("window.mark")


async def test_somebody_takes_care_from_the_list(chromium: Browser, address: str, pool: Pool) -> None:
    for n in range(3):
        await add_incident(pool, await add_monitor(pool, name=f"m{n}"))
    async with visiting(chromium, address, timezone_id="Asia/Tokyo") as visit:
        await visit.sign_in()
        page = visit.page
        await page.goto("/incidents")
        await page.get_by_label("All of this page").check()
        await expect(page.locator(".pick input:checked")).to_have_count(3)
        await page.get_by_label("Tick m1").uncheck()
        await page.fill("#bulk-note", "storm")
        await page.get_by_role("button", name="Acknowledge the ticked").click()
        await expect(page.locator("#notice")).to_contain_text("Acknowledged 2 incidents")
        await page.get_by_role("link", name="2 acknowledged").click()
        await expect(page.locator("#results .incident")).to_have_count(2)
        await expect(page).to_have_url(re.compile("state=acknowledged"))
        await page.get_by_role("link", name="m2").click()
        await expect(page.locator("#acts")).to_contain_text("takes care of it")
        await page.get_by_text("Time and zone").click()
        await expect(page.locator("#snooze-zone")).to_have_value("Asia/Tokyo")
        await page.select_option("#snooze-for", "morning")
        await page.get_by_role("button", name="Snooze").click()
        await expect(page.locator("#acts")).to_contain_text("09:00:00 GMT+9")


async def test_all_of_it_works_without_javascript(chromium: Browser, address: str, pool: Pool) -> None:
    incident = await add_incident(pool, await add_monitor(pool, name="shop"))
    async with visiting(chromium, address, java_script_enabled=False) as visit:
        await visit.sign_in()
        page = visit.page
        await page.goto("/incidents")
        await page.get_by_label("Tick shop").check()
        await page.get_by_role("button", name="Acknowledge the ticked").click()
        await expect(page.locator("#notice")).to_contain_text("Acknowledged 1 incident.")
        await page.fill("#q", "shop")
        await page.get_by_role("button", name="Filter").click()
        await page.get_by_role("link", name="shop").click()
        await page.get_by_role("button", name="Take back").click()
        await page.fill("#ack-note", "I look")
        await page.get_by_role("button", name="Acknowledge").click()
        await expect(page.locator("#timeline")).to_contain_text("I look")
        await page.get_by_role("button", name="Snooze").click()
        await page.get_by_role("button", name="Wake").click()
        await page.fill("#comment", "a comment")
        await page.get_by_role("button", name="Comment").click()
        await page.get_by_text("Resolve by hand").click()
        await page.fill("#resolve-why", "it is back")
        await page.get_by_role("button", name="Resolve it").click()
        await expect(page.locator("#incident-head")).to_contain_text("resolved by ada")
        await page.locator("#post-mortem summary").click()
        await page.fill("#postmortem", "# Mice\n\n![cat](https://cats.example/a.png)")
        await page.get_by_role("button", name="Save").click()
        await expect(page.locator("#post-mortem h3")).to_have_text("Mice")
        await expect(page.locator("#post-mortem img")).to_have_count(0)
    story = await fetch(
        pool, "select kind from incident_events where incident_id = %s and who = 'ada' order by id", incident
    )
    assert [kind for (kind,) in story] == [
        "acknowledged", "unacknowledged", "acknowledged", "snoozed", "snoozed", "commented", "resolved",
    ]  # fmt: skip


async def test_a_viewer_looks_and_does_nothing(chromium: Browser, address: str, pool: Pool) -> None:
    incident = await add_incident(pool, await add_monitor(pool, name="shop"))
    await fetch(pool, "update users set role = 'viewer' returning 1")
    async with visiting(chromium, address) as visit:
        await visit.sign_in()
        await visit.page.goto("/incidents")
        await expect(visit.page.locator(".pick")).to_have_count(0)
        await visit.page.goto(f"/incidents/{incident}")
        await expect(visit.page.locator("main form")).to_have_count(0)
        await expect(visit.page.locator("#acts")).to_contain_text("You may look")
