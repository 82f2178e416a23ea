"""Handling incidents, with the recorder at work: every result here goes through record()."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pinguin.cause import guess
from pinguin.db import Pool, connection
from pinguin.errors import Conflict, NotFound
from pinguin.model import Result, Status
from pinguin.store import causes, incidents
from pinguin.store.incidents import Filter
from pinguin.store.recording import record
from tests.factory import EPOCH, add_monitor, fetch, result

DOWN, UP = Status.DOWN, Status.UP


async def recorded(pool: Pool, *results: Result) -> None:
    async with pool.connection() as conn, conn.transaction():
        await record(conn, results)


def lately(monitor_id: int, seconds: float, status: Status = DOWN) -> Result:
    """The result of a slot that many seconds from now."""
    each = result(monitor_id, status=status)
    each.scheduled_at = each.started_at = datetime.now(UTC) + timedelta(seconds=seconds)
    return each


async def add_channel(pool: Pool, name: str = "pager") -> int:
    ((channel,),) = await fetch(
        pool,
        "insert into channels (name, kind, options, is_default) values (%s, 'webhook', '{}', true) returning id",
        name,
    )
    return int(channel)


async def broken(pool: Pool, name: str = "shop", threshold: int = 2, **values: object) -> tuple[int, int]:
    """A monitor that is down since two minutes; its id, and the incident's."""
    monitor = await add_monitor(
        pool, datetime.now(UTC) - timedelta(hours=1), name=name, failure_threshold=threshold, **values
    )
    await recorded(pool, *(lately(monitor, 60.0 * n - 60 * threshold - 5) for n in range(threshold)))
    ((incident,),) = await fetch(pool, "select id from incidents where monitor_id = %s and ended_at is null", monitor)
    return monitor, incident


async def resolved(pool: Pool, incident: int) -> int | None:
    async with connection(pool) as conn:
        return await incidents.resolve(conn, incident, "ada", "the cable is back")


async def test_resolving_by_hand_closes_it_and_begins_anew(pool: Pool) -> None:
    monitor, incident = await broken(pool)
    assert await resolved(pool, incident) == monitor
    ((ended, closed_by, by),) = await fetch(pool, "select ended_at, closed_by, resolved_by from incidents")
    assert (closed_by, by) == ("hand", "ada")
    states = "select status, since, failures, successes, unknowns, streak_since, incident_id from monitor_states"
    assert await fetch(pool, states) == [("pending", ended, 0, 0, 0, None, None)]
    transition = "select at, from_status, to_status, incident_id from transitions order by id desc limit 1"
    assert await fetch(pool, transition) == [(ended, "down", "pending", incident)]
    told = "select kind, who, text from incident_events order by id desc limit 1"
    assert await fetch(pool, told) == [("resolved", "ada", "the cable is back")]
    assert await resolved(pool, incident) is None
    assert await fetch(pool, "select count(*) from transitions where to_status = 'pending' and id > 1") == [(1,)]


async def test_after_that_it_takes_the_whole_threshold_to_be_down_again(pool: Pool) -> None:
    monitor, incident = await broken(pool, threshold=3)
    await resolved(pool, incident)
    for seconds in (60, 120):
        await recorded(pool, lately(monitor, seconds))
        assert await fetch(pool, "select status, incident_id from monitor_states") == [("pending", None)]
    await recorded(pool, lately(monitor, 180))
    assert await fetch(pool, "select count(*) from incidents where ended_at is null") == [(1,)]
    ((before, after),) = await fetch(pool, "select min(ended_at), max(started_at) from incidents")
    assert after > before


async def test_a_good_result_after_that_is_just_up(pool: Pool) -> None:
    monitor, incident = await broken(pool)
    await resolved(pool, incident)
    await recorded(pool, lately(monitor, 60, UP))
    assert await fetch(pool, "select status, incident_id from monitor_states") == [("up", None)]
    assert await fetch(pool, "select count(*), count(ended_at) from incidents") == [(1, 1)]


@pytest.mark.parametrize("status", [DOWN, UP, Status.UNKNOWN])
async def test_a_result_in_flight_while_it_is_resolved_does_no_harm(pool: Pool, status: Status) -> None:
    """TRAP 8. Its check was under way: it saw what somebody has just declared over."""
    monitor, incident = await broken(pool, threshold=1)
    late = lately(monitor, -1, status)
    await resolved(pool, incident)
    await recorded(pool, late)
    assert await fetch(pool, "select status, failures, incident_id from monitor_states") == [("pending", 0, None)]
    assert await fetch(pool, "select count(*) from incidents") == [(1,)]
    assert await fetch(pool, "select count(*) from results where scheduled_at = %s", late.scheduled_at) == [(1,)]


async def test_recorders_and_people_who_resolve_at_once_leave_one_story(pool: Pool) -> None:
    """Locks are taken in the order of ids, the state before the incident; nobody waits in a circle."""
    pairs = [await broken(pool, f"m{n}") for n in range(6)]
    monitors = [monitor for monitor, _ in pairs]
    batches = [[lately(monitor, 60 * n + 60) for monitor in monitors] for n in range(4)]
    people = [resolved(pool, incident) for _, incident in pairs for _ in range(2)]
    jobs = [recorded(pool, *batch) for batch in batches]
    answers = await asyncio.gather(*people[:6], *jobs[:2], *people[6:], *jobs[2:])
    assert sorted(each for each in answers if each is not None) == monitors
    rows = await fetch(
        pool,
        """select s.status = 'down', s.incident_id is not null, s.incident_id is not distinct from i.id
        from monitor_states s left join incidents i on i.monitor_id = s.monitor_id and i.ended_at is null""",
    )
    assert len(rows) == 6
    assert all(down == is_open and same for down, is_open, same in rows)
    overlapping = """select count(*) from incidents a join incidents b on a.monitor_id = b.monitor_id and a.id < b.id
      where b.started_at < a.ended_at"""
    assert await fetch(pool, overlapping) == [(0,)]
    unordered = """select count(*) from transitions a join transitions b
      on a.monitor_id = b.monitor_id and a.id < b.id and a.at > b.at"""
    assert await fetch(pool, unordered) == [(0,)]


async def test_time_waiting_for_results_is_no_downtime(pool: Pool) -> None:
    monitor, incident = await broken(pool)
    await resolved(pool, incident)
    ((ended,),) = await fetch(pool, "select ended_at from incidents")
    seconds = "select status::text, seconds from status_seconds(array[%s]::bigint[], %s, %s)"
    rows = await fetch(pool, seconds, monitor, ended, ended + timedelta(minutes=5))
    assert "down" not in dict(rows)


async def held(pool: Pool, incident: int) -> list[tuple[Any, ...]]:
    sql = "select kind, step, status, held from notifications where incident_id = %s order by id"
    return await fetch(pool, sql, incident)


async def acknowledged(pool: Pool, ids: Sequence[int], note: str = "on it") -> list[int]:
    async with connection(pool) as conn:
        return await incidents.acknowledge(conn, ids, "ada", note)


async def test_an_acknowledgement_ends_reminders_and_escalation(pool: Pool) -> None:
    first, second = await add_channel(pool), await add_channel(pool, "manager")
    rules = (
        f'{{"steps": [{{"channels": [{first}]}}, {{"after_s": 900, "channels": [{second}]}}], "remind_every_s": 600}}'
    )
    _, incident = await broken(pool, alerts=rules)
    await tell(pool, incident)
    assert await held(pool, incident) == [
        ("down", 0, "sent", None), ("down", 1, "waiting", None), ("reminder", 0, "waiting", None),
    ]  # fmt: skip
    assert await acknowledged(pool, [incident]) == [incident]
    why = "acknowledged"
    assert await held(pool, incident) == [
        ("down", 0, "sent", None), ("down", 1, "cancelled", why), ("reminder", 0, "cancelled", why),
    ]  # fmt: skip
    assert await fetch(pool, "select acknowledged_by, acknowledged_at is not null from incidents") == [("ada", True)]
    story = "select who, text from incident_events where kind = 'acknowledged'"
    assert await fetch(pool, story) == [("ada", "on it")]
    assert await acknowledged(pool, [incident], "me too") == []
    assert await fetch(pool, story) == [("ada", "on it")]


async def tell(pool: Pool, incident: int) -> None:
    """As a sender does: gather what is due, and mark it delivered."""
    due = "update notifications set due_at = now() - interval '5 seconds' where step = 0 returning 1"
    await fetch(pool, due)
    ((message,),) = await fetch(pool, "select gather_message('test', interval '1 minute')")
    assert message is not None
    assert await fetch(pool, "select mark_delivered(%s, 'test', 'ok', 1, 'down')", message) == [(True,)]


async def test_taken_back_everything_goes_on(pool: Pool) -> None:
    first, second = await add_channel(pool), await add_channel(pool, "manager")
    rules = (
        f'{{"steps": [{{"channels": [{first}]}}, {{"after_s": 900, "channels": [{second}]}}], "remind_every_s": 600}}'
    )
    _, incident = await broken(pool, alerts=rules)
    await tell(pool, incident)
    ((due,),) = await fetch(pool, "select due_at from notifications where step = 1")
    async with connection(pool) as conn:
        assert not await incidents.take_back(conn, incident, "bob", "")
        for _ in range(2):
            assert await incidents.acknowledge(conn, [incident], "ada", "")
            assert await incidents.take_back(conn, incident, "bob", "she is ill")
    waiting = "select kind, step, channel_id, due_at from notifications where status = 'waiting' order by id"
    (step, reminder) = await fetch(pool, waiting)
    assert step == ("down", 1, second, due)
    assert reminder[:3] == ("reminder", 0, first)
    assert timedelta(seconds=590) < reminder[3] - datetime.now(UTC) < timedelta(seconds=610)
    assert await fetch(pool, "select acknowledged_at, acknowledged_by from incidents") == [(None, None)]
    story = "select kind from incident_events where who in ('ada', 'bob') order by id"
    assert [kind for (kind,) in await fetch(pool, story)] == ["acknowledged", "unacknowledged"] * 2


async def test_many_are_acknowledged_at_once_and_those_that_are_over_are_not(pool: Pool) -> None:
    ids = [(await broken(pool, f"m{n}"))[1] for n in range(3)]
    await resolved(pool, ids[1])
    racing = await asyncio.gather(acknowledged(pool, ids), acknowledged(pool, list(reversed(ids))))
    assert sorted(racing) == [[], [ids[0], ids[2]]]
    assert await acknowledged(pool, [10**6]) == []


async def test_people_and_senders_at_once_wait_for_nobody_in_a_circle(pool: Pool) -> None:
    """Afterwards nothing is left to remind of, or to escalate."""
    channels = [await add_channel(pool, f"c{n}") for n in range(2)]
    steps = ", ".join(f'{{"after_s": {n * 10}, "channels": {channels}}}' for n in range(3))
    ids = [(await broken(pool, f"m{n}", alerts=f'{{"steps": [{steps}], "remind_every_s": 60}}'))[1] for n in range(6)]
    due = "update notifications set due_at = now() - interval '5 seconds' where status = 'waiting' returning 1"
    await fetch(pool, due)

    async def send() -> None:
        ((message,),) = await fetch(pool, "select gather_message('test', interval '1 minute')")
        if message is not None:
            await fetch(pool, "select mark_delivered(%s, 'test', 'ok', 1, 'down')", message)

    people = [acknowledged(pool, some) for some in (ids[:4], ids[2:], list(reversed(ids)))]
    await asyncio.gather(send(), *people, send(), send())
    for _ in channels:
        await fetch(pool, due)
        await send()
    left = "select kind, step from notifications where status in ('waiting', 'taken')"
    assert await fetch(pool, left) == []
    assert await fetch(pool, "select count(*) from incident_events where kind = 'acknowledged'") == [(6,)]


async def test_an_acknowledged_outage_that_recovers_is_closed_as_ever(pool: Pool) -> None:
    monitor, incident = await broken(pool)
    await acknowledged(pool, [incident])
    await recorded(pool, lately(monitor, 60, UP))
    assert await fetch(pool, "select closed_by from incidents") == [("recovery",)]
    async with connection(pool) as conn:
        assert not await incidents.take_back(conn, incident, "ada", "")
        assert not await incidents.snooze(conn, incident, "ada", datetime.now(UTC) + timedelta(hours=1))


async def test_a_snooze_holds_back_and_waking_lets_go(pool: Pool) -> None:
    await add_channel(pool)
    _, incident = await broken(pool)
    until = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1)
    async with connection(pool) as conn:
        assert not await incidents.snooze(conn, incident, "ada", None)
        assert await incidents.snooze(conn, incident, "ada", until)
    due = "update notifications set due_at = now() - interval '5 seconds' returning 1"
    await fetch(pool, due)
    assert await fetch(pool, "select gather_message('test', interval '1 minute')") == [(None,)]
    assert await held(pool, incident) == [("down", 0, "waiting", "snoozed")]
    ((text,),) = await fetch(pool, "select text from incident_events where kind = 'snoozed'")
    assert datetime.fromisoformat(text) == until
    async with connection(pool) as conn:
        assert await incidents.snooze(conn, incident, "ada", None)
    await tell(pool, incident)
    assert await held(pool, incident) == [("down", 0, "sent", None)]


async def test_a_note_is_only_written_over_the_text_that_was_edited(pool: Pool) -> None:
    _, incident = await broken(pool)
    async with connection(pool) as conn:
        await incidents.write_postmortem(conn, incident, "a cable", "")
        await incidents.write_postmortem(conn, incident, "a cable, cut", "a cable")
        with pytest.raises(Conflict):
            await incidents.write_postmortem(conn, incident, "mice", "a cable")
        with pytest.raises(NotFound):
            await incidents.write_postmortem(conn, 99, "mice", "")
        assert (await incidents.get(conn, incident)).postmortem == "a cable, cut"
        await incidents.write_postmortem(conn, incident, "", "a cable, cut")
    assert await fetch(pool, "select postmortem from incidents") == [(None,)]


async def test_what_does_not_exist_cannot_be_handled(pool: Pool) -> None:
    async with connection(pool) as conn:
        for asked in (incidents.get(conn, 7), incidents.resolve(conn, 7, "a", ""), incidents.comment(conn, 7, "a", "b"),
                      incidents.mark(conn, 7)):  # fmt: skip
            with pytest.raises(NotFound):
                await asked


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
        (around,) = await incidents.beats(conn, monitor, [(whole.started_at, 10)])
        assert [beat.status for beat in around] == ["down", "up", "up", "down"]
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
