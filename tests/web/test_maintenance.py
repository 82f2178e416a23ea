"""Planning maintenance, on pages that work without JavaScript."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pinguin.broker import Broker
from pinguin.db import Pool, connection
from pinguin.maintenance import Manual
from pinguin.store import maintenance
from pinguin.store.maintenance import Draft
from tests.factory import add_monitor, add_result, fetch, set_status
from tests.web.conftest import Client, Statements
from tests.web.hearing import listening
from tests.web.hostile import HOSTILE
from tests.web.pages import beside

HTMX = {"HX-Request": "true"}
WHO = {"title": "Upgrade", "enabled": "on", "zone": "Europe/Berlin", "scope": "everything", "counts": "excluded"}
LENGTH = {"hours": "1", "minutes": "30"}
WEEKLY = {**WHO, **LENGTH, "kind": "weekly", "day.7": "on", "at": "02:30"}
ONCE = {**WHO, "kind": "once", "starts": "2099-12-24T22:00", "ends": "2099-12-25T02:00"}
MANUAL = {**WHO, **LENGTH, "kind": "manual"}
CRON = {**WHO, **LENGTH, "kind": "cron", "expression": "0 3 * * 1-5"}
MONTHLY = {**WHO, **LENGTH, "kind": "monthly", "day": "-1", "at": "23:00", "first_day": "2026-01-01"}
NTH = {**WHO, **LENGTH, "kind": "monthly_weekday", "nth": "2", "weekday": "2", "at": "04:00", "last_day": "2098-01-01"}


async def running(pool: Pool, **given: Any) -> int:
    async with connection(pool) as conn:
        draft = Draft(**{"title": "Deploy", "rule": Manual(), "everything": True, **given})
        made = await maintenance.create(conn, draft)
        await maintenance.start(conn, made, timedelta(hours=2))
    return made


async def base(client: Client, made: int) -> dict[str, str]:
    page = (await client.get(f"/maintenance/{made}/edit")).text
    return dict(re.findall(r'<input type="hidden" name="(updated_at|maintenance)" value="([^"]+)"', page))


async def test_an_empty_page_teaches(client: Client) -> None:
    page = (await client.get("/maintenance")).text
    assert "No maintenance is planned" in page
    assert '<a href="/maintenance" aria-current="page">Maintenance</a>' in page


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        (WEEKLY, "every Sunday at 02:30"),
        (ONCE, "once"),
        (CRON, "cron 0 3 * * 1-5"),
        (MONTHLY, "on the last day of every month at 23:00, from 2026-01-01"),
        (NTH, "on the second Tuesday of every month at 04:00, until 2098-01-01"),
        (MANUAL, "by hand"),
    ],
)
async def test_every_kind_is_planned_listed_and_edited(
    client: Client, pool: Pool, broker: Broker, fields: dict[str, str], words: str
) -> None:
    async with listening(broker) as heard:
        answer = await client.submit("/maintenance/new", fields)
    assert (answer.status_code, answer.headers["location"]) == (303, "/maintenance?notice=saved")
    assert [kind for kind, _ in heard] == ["changed"]
    page = (await client.get("/maintenance")).text
    assert f"{words} · Europe/Berlin · all monitors" in page
    form = (await client.get("/maintenance/1/edit")).text
    for name, value in fields.items():
        if fields is not MANUAL and name in (
            "starts",
            "ends",
            "at",
            "hours",
            "minutes",
            "expression",
            "first_day",
            "last_day",
            "title",
            "zone",
        ):
            assert f'name="{name}" value="{value}"' in form, name
    before = await fetch(pool, "select rule, zone, counts, everything from maintenances")
    windows = await fetch(pool, "select * from maintenance_windows")
    saved = await client.submit("/maintenance/1/edit", fields | {"title": "Another"} | await base(client, 1))
    assert saved.status_code == 303
    assert await fetch(pool, "select rule, zone, counts, everything from maintenances") == before
    assert await fetch(pool, "select * from maintenance_windows") == windows


FIVE = "five fields: minute, hour, day of the month, month, day of the week"
NO_ZONE = "is no time zone; write one like Europe/Berlin, or UTC"
FOR_BOTH = "wall-clock times without a zone; the rule's zone holds for both"
ENDLESS = "makes the windows run into each other without end; make them shorter, or rarer"
WRONG = [
    (WEEKLY, "title", "", "title", "Title is required"),
    (WEEKLY, "title", "a\x00b", "title", "Title must not contain control characters"),
    (WEEKLY, "zone", "Mars/Olympus", "zone", f"Time zone 'Mars/Olympus' {NO_ZONE}"),
    (WEEKLY, "zone", "../../etc/passwd", "zone", f"Time zone '../../etc/passwd' {NO_ZONE}"),
    (WEEKLY, "at", "", "at", "At is required"),
    (WEEKLY, "at", "noon", "at", "At must be written like 02:30"),
    (WEEKLY, "hours", "0.5", "hours", "Lasts must be a whole number"),
    (WEEKLY, "hours", "-1", "hours", "Lasts must be from 1 minute to 14 days"),
    (WEEKLY, "hours", "337", "hours", "Lasts must be from 1 minute to 14 days"),
    (WEEKLY, "hours", "9" * 400, "hours", "Lasts must be a whole number"),
    (WEEKLY, "last_day", "2020-01-01", "last-day", "Until leaves no window to come"),
    (WEEKLY, "first_day", "tomorrow", "first-day", "From must be written like 2026-12-24"),
    (ONCE, "ends", "2099-12-24T21:00", "ends", "Ends must be later than the start"),
    (ONCE, "ends", "9999-12-31T23:59", "ends", "Ends must be in the years 2000 to 2100"),
    (ONCE, "starts", "2020-01-01T00:00+02:00", "ends", f"Ends must be {FOR_BOTH}"),
    (CRON, "expression", "* * * * *", "expression", "Expression starts too often: more than 48 times a day"),
    (CRON, "expression", "often", "expression", f"Expression must be {FIVE}"),
    (CRON, "hours", "300", "hours", f"Lasts {ENDLESS}"),
    (MONTHLY, "day", "32", "day", "Day of the month must be 1 to 31, or the last day"),
    (NTH, "nth", "5", "nth", "Which must be the first, second, third, fourth, last"),
]  # fmt: skip


@pytest.mark.parametrize(("fields", "name", "value", "field", "words"), WRONG)
async def test_an_error_stands_beside_its_field_and_nothing_is_lost(
    client: Client, pool: Pool, fields: dict[str, str], name: str, value: str, field: str, words: str
) -> None:
    answer = await client.submit("/maintenance/new", fields | {name: value, "description": "kept"})
    assert answer.status_code == 422
    assert beside(answer.text, field) == words
    assert "kept</textarea>" in answer.text
    assert await fetch(pool, "select from maintenances") == []


async def test_days_and_monitors_are_asked_for(client: Client) -> None:
    sent = {name: value for name, value in WEEKLY.items() if name != "day.7"}
    page = (await client.submit("/maintenance/new", sent | {"scope": "some"})).text
    assert "Days must be at least one day of the week" in page
    assert "Monitors must be all, or some: choose a tag or a monitor" in page


async def test_it_is_planned_for_monitors_and_tags(client: Client, pool: Pool) -> None:
    shop, mail = await add_monitor(pool, name="shop"), await add_monitor(pool, name="mail", tags=["post"])
    fields = WEEKLY | {"scope": "some", f"monitor.{shop}": "on", "tags": "post\nweb\npost"}
    assert (await client.submit("/maintenance/new", fields)).status_code == 303
    assert await fetch(pool, "select monitor_ids, tags from maintenances") == [([shop], ["post", "web"])]
    page = (await client.get("/maintenance/1/edit")).text
    assert re.search(rf'name="monitor.{shop}" checked', page)
    assert f'name="monitor.{mail}">' in page
    assert "2 monitors" in (await client.get("/maintenance")).text
    answer = await client.submit("/maintenance/new", fields | {"monitor.99": "on"})
    assert "must exist: there is no monitor 99" in answer.text


async def test_thousands_of_monitors_are_searched_not_listed(client: Client, pool: Pool) -> None:
    await fetch(
        pool,
        "insert into monitors (name, type, target, options) select 'm' || i, 'tcp', 'x', '{}'"
        " from generate_series(1, 3000) i returning 1",
    )
    page = (await client.get("/maintenance/new?kind=weekly")).text
    assert page.count('name="monitor.') == 20
    headers = HTMX | {"X-CSRF-Token": await client.token()}
    sent = WEEKLY | {"find": "m2999", "monitor.7": "on"}
    found = (await client.post("/maintenance/pick", data=sent, headers=headers)).text
    assert re.findall(r'name="monitor.(\d+)"( checked)?', found) == [("7", " checked"), ("2999", "")]
    plain = (await client.submit("/maintenance/pick", sent)).text
    assert re.findall(r'name="monitor.(\d+)"( checked)?', plain) == [("7", " checked"), ("2999", "")]
    assert 'value="Upgrade"' in plain
    many = {f"monitor.{number}": "on" for number in range(1, 450)}
    answer = await client.submit("/maintenance/new", WEEKLY | many | {"scope": "some"})
    assert "must be at most 400 of them; give them a tag and choose that" in answer.text
    assert (await client.submit("/maintenance/new", {f"monitor.{n}": "on" for n in range(1000)})).status_code == 400


async def test_the_preview_shows_the_next_five_windows_in_the_rules_zone(client: Client) -> None:
    headers = HTMX | {"X-CSRF-Token": await client.token()}
    page = (await client.post("/maintenance/preview", data=WEEKLY, headers=headers)).text
    assert page.count("<li>") == 5
    assert len(re.findall(r"Sun \d+ \w{3} \d{4} 02:30 – 04:00 CES?T", page)) >= 4
    assert "1 h 30 min" in page
    wrong = (await client.post("/maintenance/preview", data=WEEKLY | {"at": "", "zone": "x"}, headers=headers)).text
    assert "At is required" in wrong
    whole = (await client.submit("/maintenance/preview", WEEKLY)).text
    assert "<title>Plan maintenance" in whole
    assert whole.count('<ol class="windows">') == 1


async def test_it_is_started_extended_and_ended(client: Client, pool: Pool, broker: Broker) -> None:
    await client.submit("/maintenance/new", MANUAL)
    for action, notice in (
        ("end", "over"), ("extend", "over"), ("start", "started"), ("start", "runs"), ("extend", "extended"),
    ):  # fmt: skip
        answer = await client.submit(f"/maintenance/1/{action}", {"hours": "2"})
        assert answer.headers["location"] == f"/maintenance?notice={notice}"
    assert await fetch(pool, "select ends_at - starts_at from maintenance_windows") == [(timedelta(hours=3),)]
    page = (await client.get("/maintenance")).text
    assert 'action="/maintenance/1/end"' in page
    assert re.search("(2 h 5[89] min|3 h) from now", page)
    async with listening(broker) as heard:
        await client.submit("/maintenance/1/end")
    assert [kind for kind, _ in heard] == ["changed"]
    assert 'id="past"' in (await client.get("/maintenance?notice=ended")).text
    for hours in ("", "0", "x", "10000", "-5", "9" * 999):
        answer = await client.submit("/maintenance/1/start", {"hours": hours})
        assert answer.headers["location"] in ("/maintenance?notice=length", "/maintenance?notice=runs")
    assert len(await fetch(pool, "select from maintenance_windows")) == 1


async def test_it_begins_as_it_is_made(client: Client, pool: Pool) -> None:
    await client.submit("/maintenance/new", MANUAL | {"now": "on"})
    assert await fetch(pool, "select ends_at - starts_at from maintenance_windows") == [(timedelta(minutes=90),)]
    answer = await client.submit("/maintenance/new", MANUAL | {"now": "on", "hours": "0", "minutes": "0"})
    assert beside(answer.text, "hours") == "Lasts must be from 1 minute to 14 days"
    assert len(await fetch(pool, "select from maintenances")) == 1


async def test_two_edits_are_a_conflict_that_is_shown(client: Client, pool: Pool) -> None:
    await client.submit("/maintenance/new", WEEKLY)
    stale = await base(client, 1)
    await client.submit("/maintenance/1/edit", WEEKLY | stale | {"title": "First"})
    answer = await client.submit("/maintenance/1/edit", WEEKLY | stale | {"title": "Second"})
    assert answer.status_code == 409
    assert "Somebody changed this maintenance" in answer.text
    newest = dict(re.findall(r'name="(updated_at)" value="([^"]+)"', answer.text))
    assert (await client.submit("/maintenance/1/edit", WEEKLY | newest | {"title": "Second"})).status_code == 303
    assert await fetch(pool, "select title from maintenances") == [("Second",)]


async def test_it_is_deleted_after_a_question(client: Client, pool: Pool) -> None:
    made = await running(pool)
    assert "It runs now, and ends at once" in (await client.get(f"/maintenance/{made}/delete")).text
    assert (await client.submit(f"/maintenance/{made}/delete")).status_code == 303
    page = (await client.get("/maintenance")).text
    assert "deleted</span>" in page
    for path in (f"/maintenance/{made}/edit", f"/maintenance/{made}/delete", "/maintenance/999999999999999999999/edit"):
        assert (await client.get(path)).status_code == 404
    assert (await client.submit(f"/maintenance/{made}/end")).status_code == 404


async def test_a_monitor_in_maintenance_says_what_it_would_be(client: Client, pool: Pool) -> None:
    shop, mail = await add_monitor(pool, name="shop"), await add_monitor(pool, name="mail")
    await set_status(pool, shop, "down", "refused")
    await set_status(pool, mail, "up")
    await add_result(pool, shop, "down", reason="refused", message="it is refused", latency_ms=None)
    await running(pool, everything=False, monitor_ids=[shop])
    page = (await client.get("/monitors")).text
    assert '<h1 id="headline">It is up</h1>' in page
    row = page[page.index(f'id="m{shop}"') :]
    assert "s-maintenance" in row[:80]
    assert "<b>maintenance</b><span>would be down</span>" in row
    assert re.search(r'<a href="[^"]*status=maintenance"[^>]*>.*<b>1</b> maintenance', page)
    assert not re.search(r'<a href="[^"]*status=down"', page)
    own = (await client.get(f"/monitors/{shop}")).text
    assert "Maintenance <span>until" in own
    assert '<a href="/maintenance">Deploy</a>; would be down, for' in own
    assert "shade s-maintenance" in own
    news = (await client.get(f"/live/list/rows?ids={shop}")).text
    assert "would be down" in news
    await fetch(pool, "update maintenance_windows set ends_at = now() returning 1")
    assert "1 of 2 monitors is down" in (await client.get("/monitors")).text


async def test_the_pages_cost_a_fixed_number_of_queries(client: Client, pool: Pool, statements: Statements) -> None:
    """TRAP 21"""
    counted = []
    for times in (1, 4):
        for _ in range(times):
            await running(pool)
        statements.count = 0
        await client.get("/maintenance")
        counted.append(statements.count)
    assert counted[0] == counted[1] <= 6


@pytest.mark.parametrize("text", HOSTILE)
async def test_hostile_words_stay_words(client: Client, pool: Pool, text: str) -> None:
    sent = {**WEEKLY, "title": text, "description": text, "zone": text, "tags": text, "at": text, "find": text}
    answer = await client.submit("/maintenance/new", sent)
    assert answer.status_code == 422
    assert "<script>alert" not in answer.text
    assert "<img src=x" not in answer.text
    for kind in (text, "", "weekly"):
        answer = await client.submit("/maintenance/preview", sent | {"kind": kind})
        assert answer.status_code == (200 if kind == "weekly" else 400)
    query = {"kind": text, "before": text, "zone": text, "monitor": text}
    assert (await client.get("/maintenance/new", params=query)).status_code == 400
    assert (await client.get("/maintenance/new", params=query | {"kind": "weekly"})).status_code == 200
    assert (await client.get("/maintenance", params=query)).status_code == 400


async def test_only_who_is_signed_in_plans(visitor: Client, pool: Pool) -> None:
    for method, path in (("GET", "/maintenance"), ("POST", "/maintenance/new"), ("POST", "/maintenance/1/end")):
        answer = await visitor.request(method, path, data={"title": "x"} if method == "POST" else None)
        assert answer.status_code == 303
        assert answer.headers["location"].startswith("/setup")


async def test_a_form_without_its_token_is_refused(client: Client, pool: Pool) -> None:
    made = await running(pool)
    for path in ("new", "preview", "pick", f"{made}/edit", f"{made}/end", f"{made}/extend", f"{made}/delete"):
        assert (await client.post(f"/maintenance/{path}", data=WEEKLY)).status_code == 403
    assert (await fetch(pool, "select ends_at > %s from maintenance_windows", datetime.now(UTC))) == [(True,)]


async def test_past_windows_come_page_by_page(client: Client, pool: Pool) -> None:
    made = await running(pool)
    await fetch(
        pool,
        "insert into maintenance_windows (maintenance_id, starts_at, ends_at, counts, everything, tags, monitor_ids)"
        " select %s, now() - i * interval '1 day', now() - i * interval '1 day' + interval '1 hour', 'excluded', true,"
        " '{}', '{}' from generate_series(1, 40) i returning 1",
        made,
    )
    page = (await client.get("/maintenance")).text
    older = re.search(r'rel="next" href="([^"#]+)', page)
    assert older is not None
    rest = (await client.get(older[1].replace("&amp;", "&"))).text
    assert (page.count("<td>"), rest.count("<td>")) == (90, 30)
    assert (await client.get("/maintenance?before=2026-01-01T00:00:00_1")).status_code == 400
