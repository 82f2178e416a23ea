from __future__ import annotations

import asyncio
import html
import re
from datetime import timedelta

import pytest
from litestar import Litestar

from pinguin.broker import Broker
from pinguin.db import Pool, connection
from pinguin.maintenance import Manual
from pinguin.people import Role
from pinguin.store import maintenance
from pinguin.web.board import PARTS
from pinguin.web.together import Together
from tests.factory import add_incident, add_monitor, fetch, set_status
from tests.web.conftest import Client, Statements, person, signed_in
from tests.web.streams import stream


def part(page: str, name: str) -> str:
    """The text of one part, in one line."""
    found = re.search(rf'<section id="dash-{name}".*?</section>', page, re.DOTALL)
    assert found is not None, name
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", found[0])).split())


async def add_expiry(pool: Pool, monitor: int, days: int, kind: str = "certificate") -> None:
    await fetch(
        pool,
        "insert into monitor_expiries (monitor_id, kind, expires_at, subject) "
        "values (%s, %s, now() + %s * interval '1 day', 'shop.test') returning 1",
        monitor, kind, days,
    )  # fmt: skip


async def test_the_first_visit_teaches(client: Client) -> None:
    page = (await client.get("/")).text
    assert "Nothing is watched yet" in page
    assert "Add your first monitor" in page
    assert 'href="/monitors/new?type=http"' in page


async def test_all_is_well_in_one_sentence(client: Client, pool: Pool) -> None:
    await set_status(pool, await add_monitor(pool), "up")
    page = (await client.get("/")).text
    assert "<h1>It is up</h1>" in page
    assert "Nothing is down, and nothing has been yet." in part(page, "overall")
    for name in PARTS:
        assert len(part(page, name)) > 20
    assert "Nobody is told yet" in page


async def test_what_is_down_is_told_with_reason_duration_and_links(client: Client, pool: Pool) -> None:
    shop, mail = await add_monitor(pool, name="shop"), await add_monitor(pool, name="mail <b>")
    await set_status(pool, mail, "up")
    incident = await add_incident(pool, shop, reason="timeout", message="no answer within 10 s")
    await set_status(pool, shop, "down", "timeout")
    await fetch(pool, "update monitor_states set incident_id = %s, since = now() - interval '1 h' "
                "where monitor_id = %s returning 1", incident, shop)  # fmt: skip
    page = (await client.get("/")).text
    assert "1 of 2 monitors is down" in page
    assert "no answer within the timeout" in part(page, "overall")
    down = part(page, "down")
    assert "shop" in down
    assert "it is timeout" in down
    assert re.search(r"\b1 h\b", down)
    assert f'href="/incidents/{incident}"' in page
    assert f'href="/monitors/{shop}"' in page
    assert "mail" not in down


async def test_what_somebody_takes_care_of_comes_last(client: Client, pool: Pool) -> None:
    for name in ("old", "new", "taken"):
        monitor = await add_monitor(pool, name=name)
        incident = await add_incident(pool, monitor)
        await set_status(pool, monitor, "down", "timeout")
        ago = {"old": 3, "new": 2, "taken": 1}[name]
        await fetch(pool, "update monitor_states set incident_id = %s, since = now() - %s * interval '1 h' "
                    "where monitor_id = %s returning 1", incident, ago, monitor)  # fmt: skip
        if name == "taken":
            await fetch(pool, "update incidents set acknowledged_at = now(), acknowledged_by = 'ada' where id = %s "
                        "returning 1", incident)  # fmt: skip
    down = part((await client.get("/")).text, "down")
    assert down.index("new") < down.index("old") < down.index("taken")
    assert "acknowledged by ada" in down


async def test_more_than_fits_is_counted_and_led_to(client: Client, pool: Pool) -> None:
    for number in range(12):
        await set_status(pool, await add_monitor(pool, name=f"m{number}"), "down", "refused")
    page = (await client.get("/")).text
    assert page.count('class="trouble s-down"') == 8
    assert "all 12" in part(page, "down")
    assert 'href="/monitors?status=down"' in page


async def test_slow_quiet_and_ending_things_have_their_place(client: Client, pool: Pool) -> None:
    slow, lagging = await add_monitor(pool, name="slow one"), await add_monitor(pool, name="lagging")
    silent, cert = await add_monitor(pool, name="silent"), await add_monitor(pool, name="cert")
    await set_status(pool, slow, "degraded", "slow")
    await set_status(pool, silent, "unknown", "quiet")
    for monitor in (lagging, cert):
        await set_status(pool, monitor, "up")
    await fetch(pool, "insert into slow_spells (monitor_id, percentile, window_s, above_ms, value_ms) "
                "values (%s, 95, 900, 200, 350) returning 1", lagging)  # fmt: skip
    await add_expiry(pool, cert, 5)
    await add_expiry(pool, slow, -1, "domain")
    await add_expiry(pool, lagging, 90)
    page = (await client.get("/")).text
    assert "slow one" in part(page, "slow")
    assert re.search(r"lagging p95 is 350 ms over 15 min; 200 ms is allowed", part(page, "slow"))
    assert "silent" in part(page, "quiet")
    ending = part(page, "expiring")
    assert re.search(r"slow one domain of shop.test ended .*cert certificate of shop.test (4 d 23 h|5 d)", ending)
    assert "lagging" not in ending


async def test_maintenance_is_no_trouble_and_shown(client: Client, pool: Pool) -> None:
    monitor = await add_monitor(pool, name="shop")
    await set_status(pool, monitor, "down", "timeout")
    async with connection(pool) as conn:
        draft = maintenance.Draft(title="New disks", rule=Manual(), monitor_ids=[monitor])
        await maintenance.start(conn, await maintenance.create(conn, draft), timedelta(hours=1))
    page = (await client.get("/")).text
    assert "shop" not in part(page, "down")
    assert "Everything is in maintenance" in page
    assert re.search(r"New disks now until .* 1 monitor", part(page, "maintenance"))


async def test_the_last_outages_and_trouble_of_our_own(client: Client, pool: Pool) -> None:
    monitor = await add_monitor(pool, name="shop")
    incident = await add_incident(pool, monitor)
    await fetch(pool, "update incidents set ended_at = now() where id = %s returning 1", incident)
    await set_status(pool, monitor, "up")
    await fetch(pool, "insert into pipeline_incidents (code, region, message) "
                "values ('no_worker', 'eu', 'no worker lives') returning 1")  # fmt: skip
    page = (await client.get("/")).text
    assert "shop" in part(page, "recent")
    assert "The last outage, of shop , ended" in part(page, "overall")
    assert "Pinguin itself is not well: no worker lives (region eu)" in part(page, "overall")


async def test_it_takes_the_same_statements_however_many_monitors(
    client: Client, pool: Pool, statements: Statements
) -> None:
    counts = []
    for status in ("up", "down", "degraded", "unknown"):
        for _ in range(5):
            await set_status(pool, await add_monitor(pool), status, "quiet")
        statements.count = 0
        await client.get("/")
        counts.append(statements.count)
    assert len(set(counts)) == 1


async def test_viewers_look_and_are_led_to_no_form(visitor: Client, client: Client, pool: Pool) -> None:
    await set_status(pool, await add_monitor(pool), "up")
    await signed_in(visitor, pool, await person(pool, "cyd", Role.VIEWER))
    page = (await visitor.get("/")).text
    assert "It is up" in page
    assert "/monitors/new" not in page


async def test_only_what_changed_comes_to_an_open_dashboard(
    live: tuple[str, Litestar], pool: Pool, broker: Broker
) -> None:
    shop, mail = await add_monitor(pool, name="shop"), await add_monitor(pool, name="mail")
    for monitor in (shop, mail):
        await set_status(pool, monitor, "up")
    async with stream(live[0], "/live/dashboard?mark=another", pool) as events:
        first = await events.next("news")
        assert all(f'id="dash-{name}"' in first for name in PARTS)
        await set_status(pool, shop, "down", "timeout")
        await fetch(pool, "insert into transitions (monitor_id, at, confirmed_at, to_status) "
                    "values (%s, now(), now(), 'down') returning 1", shop)  # fmt: skip
        await broker.announce_results([shop])
        news = await events.next("news")
    assert "1 of 2 monitors is down" in news
    assert re.search(r'<section id="dash-down" class="card" [^>]*hx-swap-oob="true">', news)
    assert 'id="dash-expiring"' not in news
    assert 'id="dash-maintenance"' not in news
    assert "<html" not in news


async def test_an_open_dashboard_is_left_alone_while_nothing_changes(
    live: tuple[str, Litestar], pool: Pool, broker: Broker
) -> None:
    monitor = await add_monitor(pool, name="shop")
    await set_status(pool, monitor, "up")
    newest = await live[1].state.web.boards.newest()
    async with stream(live[0], f"/live/dashboard?mark={newest.mark}", pool) as events:
        await broker.announce_results([monitor])
        with pytest.raises(TimeoutError):
            await events.next("news", within_s=4)


async def test_where_events_do_not_come_through_the_dashboard_polls(client: Client, pool: Pool) -> None:
    await set_status(pool, await add_monitor(pool), "up")
    poll = re.search(r'hx-get="(/live/dashboard/parts)" hx-trigger="poll"', (await client.get("/")).text)
    assert poll is not None
    fragment = (await client.get(poll[1])).text
    assert all(f'id="dash-{name}"' in fragment for name in PARTS)


async def test_what_many_ask_for_at_once_is_made_once() -> None:
    made: list[frozenset[int]] = []

    async def make(keys: frozenset[int]) -> dict[int, str]:
        made.append(keys)
        await asyncio.sleep(0)
        return {key: f"{key}.{len(made)}" for key in keys if key != 9}

    together = Together(make, 0.05)
    answers = await asyncio.gather(*(together.get([number % 3, 9]) for number in range(30)))
    assert made == [frozenset({0, 1, 2, 9})]
    assert answers[4] == {1: "1.1"}
    assert await together.get([1]) == {1: "1.2"}


async def test_who_asks_while_something_is_made_gets_what_is_made_after() -> None:
    going, asked = asyncio.Event(), 0

    async def make(_: frozenset[str]) -> dict[str, int]:
        nonlocal asked
        asked += 1
        mine = asked
        await going.wait()
        return {"": mine}

    together = Together(make, 0.0)
    first = asyncio.create_task(together.get([""]))
    while not asked:
        await asyncio.sleep(0)
    second = asyncio.create_task(together.get([""]))
    await asyncio.sleep(0)
    going.set()
    assert (await first, await second) == ({"": 1}, {"": 2})


async def test_what_goes_wrong_is_told_to_all_who_asked_and_forgotten() -> None:
    wrong = [ValueError("once")]

    async def make(_: frozenset[str]) -> dict[str, int]:
        if wrong:
            raise wrong.pop()
        return {"": 1}

    together = Together(make, 0.0)
    answers = await asyncio.gather(together.get([""]), together.get([""]), return_exceptions=True)
    assert [str(each) for each in answers] == ["once", "once"]
    assert await together.get([""]) == {"": 1}
