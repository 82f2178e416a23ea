"""Incidents as they are listed and told, and what failed together with them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from pinguin.cause import guess
from pinguin.db import Pool, connection
from pinguin.store import causes, incidents
from pinguin.store.incidents import Filter
from tests.factory import EPOCH, add_monitor, fetch, result
from tests.store.outages import DOWN, UP, acknowledged, broken, lately, recorded
from tests.store.telling import add_channel


async def test_the_list_is_narrowed_in_every_way(pool: Pool) -> None:
    shop = await add_monitor(pool, name="Shop 100%", target="https://shop.test/", tags=["web"], failure_threshold=1)
    mail = await add_monitor(pool, name="mail", target="mail.test:25", tags=["post", "web"], failure_threshold=1)
    await recorded(
        pool, result(shop, 0, DOWN), result(shop, 60), result(shop, 120, DOWN, reason="dns", message="no name")
    )
    await recorded(pool, result(mail, 60, DOWN, region="eu"))
    second, first, third = [row[0] for row in await fetch(pool, "select id from incidents order by started_at desc")]
    await acknowledged(pool, [first])
    wanted = {
        "all": (Filter(), [second, first, third]),
        "open": (Filter(state="open"), [second, first]),
        "acknowledged": (Filter(state="acknowledged"), [first]),
        "ended": (Filter(state="ended"), [third]),
        "monitor": (Filter(monitor=shop), [second, third]),
        "tag": (Filter(tag="post"), [first]),
        "reason": (Filter(reason="dns"), [second]),
        "region": (Filter(region="eu"), [first]),
        "since": (Filter(since=EPOCH + timedelta(seconds=60)), [second, first]),
        "until": (Filter(until=EPOCH + timedelta(seconds=60)), [third]),
        "name": (Filter(search="100%"), [second, third]),
        "target": (Filter(search="MAIL.test"), [first]),
        "message": (Filter(search="No Name"), [second]),
        "several": (Filter(state="open", tag="web", search="shop"), [second]),
        "nothing": (Filter(search="_"), []),
    }
    async with connection(pool) as conn:
        for name, (asked, found) in wanted.items():
            assert [each.id for each in await incidents.listed(conn, asked)] == found, name
        assert await incidents.counts(conn) == (2, 1)


async def test_pages_of_the_list_lose_and_double_nothing(pool: Pool) -> None:
    monitor = await add_monitor(pool)
    await fetch(
        pool,
        """insert into incidents (monitor_id, started_at, confirmed_at, ended_at, reason, message, region)
        select %s, now() - (n / 3) * interval '1 minute', now(), now(), 'dns', '', 'local'
        from generate_series(1, 100) n returning 1""",
        monitor,
    )
    seen: list[int] = []
    before = None
    async with connection(pool) as conn:
        while found := await incidents.listed(conn, Filter(), before=before, most=7):
            seen += [each.id for each in found]
            before = found[-1].started_at, found[-1].id
    assert len(seen) == len(set(seen)) == 100


async def test_an_incident_is_told_with_its_past(pool: Pool) -> None:
    monitor = await add_monitor(pool, failure_threshold=1, regions=["eu", "us"])
    await recorded(pool, result(monitor, 0, DOWN, region="eu"), result(monitor, 300, region="eu"))
    await recorded(pool, result(monitor, 900, region="us"), result(monitor, 901, DOWN, region="eu"))
    (first, second) = [row[0] for row in await fetch(pool, "select id from incidents order by id")]
    async with connection(pool) as conn:
        whole = await incidents.get(conn, second)
        assert (whole.previous_id, whole.previous_at, whole.previous_s) == (first, EPOCH, 300)
        assert (whole.lately, whole.lately_s, whole.state) == (1, 300, "open")
        earlier = await incidents.get(conn, first)
        assert (earlier.previous_id, earlier.lately, earlier.state) == (None, 0, "ended")
        assert [(vote.region, vote.status) for vote in await incidents.votes(conn, whole)] == [("eu", "down")]
        around, later = await incidents.beats(
            conn, whole, ((whole.started_at, 10), (whole.started_at + timedelta(minutes=1), 30))
        )
        assert [beat.status for beat in around] == ["down", "up", "up", "down"]
        assert [beat.status for beat in later] == ["down", "up", "up", "down"]
        before, _ = await incidents.beats(conn, whole, ((whole.started_at, 1), (whole.started_at, 1)))
        assert [beat.status for beat in before] == ["down", "up"]
        assert [event.kind for event in await incidents.events(conn, first)] == ["failed", "confirmed", "recovered"]


async def test_a_long_timeline_keeps_its_beginning_and_its_end(pool: Pool) -> None:
    _, incident = await broken(pool)
    await fetch(
        pool,
        """insert into incident_events (incident_id, at, kind, who, text)
        select %s, now() + n * interval '1 second', 'commented', 'ada', n::text
        from generate_series(1, 500) n returning 1""",
        incident,
    )
    async with connection(pool) as conn:
        events = await incidents.events(conn, incident)
    assert [event.kind for event in events[:2]] == ["failed", "confirmed"]
    assert (events[-1].text, len(events), events[0].entries) == ("500", 300, 502)


async def test_the_mark_changes_with_everything_that_a_page_shows(pool: Pool) -> None:
    await add_channel(pool)
    monitor, incident = await broken(pool)
    marks = []
    async with connection(pool) as conn:

        async def marked() -> None:
            marks.append(await incidents.mark(conn, incident))

        await marked()
        await incidents.comment(conn, incident, "ada", "hm")
        await marked()
        await conn.execute("update notifications set held = 'quiet'")
        await marked()
        await incidents.acknowledge(conn, [incident], "ada", "")
        await marked()
        await incidents.snooze(conn, incident, "ada", datetime.now(UTC) + timedelta(hours=1))
        await marked()
    await recorded(pool, lately(monitor, 60))
    async with connection(pool) as conn:
        await marked()
        await incidents.resolve(conn, incident, "ada", "")
        await marked()
        await marked()
    assert len(set(marks)) == 7
    assert marks[-1] == marks[-2]
    actions = [first for first, _ in marks]
    assert actions[0] == actions[1] == actions[2]
    assert len(set(actions[2:])) == 4


async def test_the_others_of_the_same_minutes_are_found(pool: Pool) -> None:
    ids = [await add_monitor(pool, name=f"m{n}", failure_threshold=1) for n in range(4)]
    for monitor, second in zip(ids, (0, 299, 301, -20), strict=True):
        await recorded(pool, result(monitor, 1000 + second, DOWN))
    async with connection(pool) as conn:
        ((incident,),) = await fetch(pool, "select id from incidents where monitor_id = %s", ids[0])
        others = await incidents.together(conn, incident)
        assert [each.monitor_id for each in others] == [ids[3], ids[1]]
        assert others[0].in_all == 2
        assert len(await incidents.together(conn, incident, 1)) == 1


TARGETS = {
    "https://db1.example/a?b#c": "db1.example",
    "https://me@DB1.example:8443/": "db1.example",
    "tcp://db1.example:5432": "db1.example",
    "db1.example:5432": "db1.example",
    "db1.example": "db1.example",
    "db1.example AAAA": "db1.example",
    "[2001:db8::1]:443": "[2001:db8::1]",
    "2001:db8::1": "2001:db8::1",
    "cafe:80": "cafe",
}


@pytest.mark.parametrize("target", TARGETS)
async def test_hosts_are_read_from_every_kind_of_target(pool: Pool, target: str) -> None:
    ids = [(await broken(pool, f"m{n}", target=target))[1] for n in range(2)]
    await add_monitor(pool, name="well", target=target)
    async with connection(pool) as conn:
        facts = await causes.facts(conn, ids)
    assert [(each.value, each.of) for each in facts.shared if each.kind == "host"] == [(TARGETS[target], 3)]


async def test_a_schedule_in_words_names_no_host(pool: Pool) -> None:
    ids = [
        (await broken(pool, f"job {n}", type="push", passive=True, target="every 1 d, grace 1 h"))[1] for n in range(2)
    ]
    async with connection(pool) as conn:
        facts = await causes.facts(conn, ids)
    assert [each for each in facts.shared if each.kind == "host"] == []


async def test_a_guess_from_the_database_names_what_they_share(pool: Pool) -> None:
    for n in range(40):
        await add_monitor(pool, name=f"well {n}", target=f"other{n}.test:80", tags=["web"])
    pairs = [await broken(pool, f"on db1 {n}", target=f"db1.test:{n + 1}", tags=["web"]) for n in range(3)]
    async with connection(pool) as conn:
        found = guess(await causes.facts(conn, [incident for _, incident in pairs]))
        alone = await causes.facts(conn, [pairs[0][1]])
    assert found is not None
    assert found.words.startswith("3 of 3 monitors on host db1.test failed ")
    assert found.words.endswith("; no other host did")
    assert found.monitor_ids == {monitor for monitor, _ in pairs}
    assert guess(alone) is None


async def test_traits_come_from_what_checks_saw_before_it_and_from_dependencies(pool: Pool) -> None:
    evidence = {"address": "[2001:db8::7]:443", "resolver": "9.9.9.9", "certificate": {"issuer": "Acme CA"}}
    ids, router = [], await add_monitor(pool, name="router")
    for n in range(2):
        monitor = await add_monitor(
            pool,
            datetime.now(UTC) - timedelta(hours=1),
            name=f"m{n}",
            target=f"h{n}:443",
            failure_threshold=1,
            tags=["x"],
        )
        await fetch(pool, "insert into monitor_dependencies values (%s, %s) returning 1", monitor, router)
        good = lately(monitor, -120, UP)
        good.evidence = evidence
        await recorded(pool, good, lately(monitor, -30))
        ids += await fetch(pool, "select max(id) from incidents")
    async with connection(pool) as conn:
        facts = await causes.facts(conn, [row[0] for row in ids])
    found = {(each.kind, each.value): each.of for each in facts.shared}
    assert found == {
        ("tag", "x"): 2, ("region", "local"): 3, ("address", "2001:db8::7"): 2, ("resolver", "9.9.9.9"): 2,
        ("issuer", "Acme CA"): 2, ("dependency", "router"): 3,
    }  # fmt: skip
    assert facts.monitors == 3
