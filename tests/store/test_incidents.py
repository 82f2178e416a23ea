"""Handling incidents, with the recorder at work: every result here goes through record()."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pinguin.db import Pool, connection
from pinguin.errors import Conflict, NotFound
from pinguin.model import Status
from pinguin.store import incidents
from tests.factory import fetch
from tests.store.outages import DOWN, UP, acknowledged, broken, lately, recorded
from tests.store.telling import add_channel


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


async def test_an_acknowledgement_ends_reminders_and_escalation(pool: Pool) -> None:
    first, second = await add_channel(pool), await add_channel(pool, name="manager")
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
    first, second = await add_channel(pool), await add_channel(pool, name="manager")
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
    channels = [await add_channel(pool, name=f"c{n}") for n in range(2)]
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
