"""Pings and silence in the database: what they change, once, and together with states, incidents and results."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from pinguin import push as rules
from pinguin.db import Pool, connection
from pinguin.push import Ping
from pinguin.store import dispatch, push, upkeep
from tests.factory import add_monitor, fetch
from tests.store.pushing import add_push, age, judge, ping, send, status, token


async def test_a_ping_is_written_and_the_monitor_is_up_at_once(pool: Pool) -> None:
    monitor_id = await add_push(pool)
    assert (await status(pool, monitor_id))[0] == "pending"

    sent = await ping(pool, monitor_id, kind="exit", exit_code=0, method="POST", body="done", user_agent="curl")

    assert (await status(pool, monitor_id))[0] == "up"
    rows = await fetch(pool, "select id, kind, exit_code, method, body, user_agent from pings")
    assert rows == [(sent.id, "exit", 0, "POST", "done", "curl")]
    [(region, state, evidence)] = await fetch(pool, "select region, status::text, evidence from results")
    assert (region, state, evidence) == ("push", "up", {"kind": "exit", "exit_code": 0})


async def test_a_ping_for_nobody_changes_nothing(pool: Pool) -> None:
    sent = Ping(id=uuid4(), token=uuid4())
    assert await send(pool, sent) == {sent.id: None}
    assert await fetch(pool, "select from pings") == []


async def test_a_failure_opens_an_incident_and_a_success_ends_it(pool: Pool) -> None:
    monitor_id = await add_push(pool)
    await ping(pool, monitor_id)
    await ping(pool, monitor_id, kind="exit", exit_code=3, body="disk full")
    assert await status(pool, monitor_id) == ("down", "failed", "the job ended with exit code 3")
    [(reason, evidence)] = await fetch(pool, "select reason, evidence from incidents where ended_at is null")
    assert reason == "failed"
    assert evidence["exit_code"] == 3
    assert evidence["body"] == "disk full"

    await ping(pool, monitor_id)
    assert (await status(pool, monitor_id))[0] == "up"
    assert await fetch(pool, "select closed_by from incidents") == [("recovery",)]


async def test_silence_is_an_outage_once_whoever_judges(pool: Pool) -> None:
    monitor_id = await add_push(pool)
    await ping(pool, monitor_id)
    assert await judge(pool) == []
    await age(pool, monitor_id, 92)  # the deadline was 90 s after the ping

    judged = await asyncio.gather(judge(pool), judge(pool), judge(pool))

    assert sorted(judged) == [[], [], [monitor_id]]
    state, reason, message = await status(pool, monitor_id)
    assert (state, reason) == ("down", "missed")
    assert "grace 30 s" in message
    assert await fetch(pool, "select count(*) from incidents") == [(1,)]
    assert await judge(pool) == []

    await ping(pool, monitor_id)
    assert (await status(pool, monitor_id))[0] == "up"
    [(evidence,)] = await fetch(pool, "select evidence from results order by scheduled_at desc limit 1")
    assert 91 < evidence["since_last_ping_s"] < 150


async def test_trap_12_a_ping_that_is_late_but_inside_its_grace_is_no_flap(pool: Pool) -> None:
    monitor_id = await add_push(pool)
    await ping(pool, monitor_id)
    await age(pool, monitor_id, 60.2)
    assert await judge(pool) == []
    await ping(pool, monitor_id)
    transitions = await fetch(pool, "select from_status::text, to_status::text from transitions order by id")
    assert transitions == [(None, "pending"), ("pending", "up")]
    assert await fetch(pool, "select from incidents") == []


async def test_a_monitor_that_is_never_pinged_is_missed_too(pool: Pool) -> None:
    monitor_id = await add_push(pool)
    await judge(pool)  # plans it
    await age(pool, monitor_id, 92)
    assert await judge(pool) == [monitor_id]
    assert (await status(pool, monitor_id))[:2] == ("down", "missed")


async def test_a_run_that_does_not_end(pool: Pool) -> None:
    monitor_id = await add_push(pool, period_s=86400, max_run_s=20)
    run = uuid4()
    await ping(pool, monitor_id, kind="start", run_id=run)
    assert (await status(pool, monitor_id))[0] == "pending"
    await age(pool, monitor_id, 22)
    assert await judge(pool) == [monitor_id]
    assert (await status(pool, monitor_id))[:2] == ("down", "too_long")
    assert await judge(pool) == []

    await ping(pool, monitor_id, run_id=run)
    assert (await status(pool, monitor_id))[0] == "up"
    [(duration,)] = await fetch(pool, "select duration_ms from pings where kind = 'success'")
    assert 22_000 < duration < 60_000


async def test_two_runs_at_a_time_are_measured_apart(pool: Pool) -> None:
    monitor_id = await add_push(pool)
    first, second = uuid4(), uuid4()
    await ping(pool, monitor_id, kind="start", run_id=first)
    await age(pool, monitor_id, 20)
    await ping(pool, monitor_id, kind="start", run_id=second)
    await age(pool, monitor_id, 5)
    await ping(pool, monitor_id, run_id=first)
    await ping(pool, monitor_id, run_id=second)
    rows = dict(await fetch(pool, "select run_id, duration_ms / 1000 from pings where duration_ms is not null"))
    assert 25 <= rows[first] < 60
    assert 5 <= rows[second] < 40
    assert rows[first] - rows[second] > 19
    assert await fetch(pool, "select runs from push_states") == [([],)]
    latencies = await fetch(pool, "select latency_ms > 4000 from results")
    assert latencies == [(True,), (True,)]


async def test_many_pings_in_one_transaction_keep_their_order(pool: Pool) -> None:
    monitor_id = await add_push(pool)
    known = await token(pool, monitor_id)
    kinds: list[rules.Kind] = ["start", "log", "success", "start", "fail", "success"]
    await send(pool, *(Ping(id=uuid4(), token=known, kind=kind) for kind in kinds))
    rows = await fetch(pool, "select kind, duration_ms is not null from pings order by at")
    assert [row[0] for row in rows] == kinds
    assert [row[1] for row in rows] == [False, False, True, False, True, False]
    assert (await status(pool, monitor_id))[0] == "up"
    assert await fetch(pool, "select count(*), count(ended_at) from incidents") == [(1, 1)]


async def test_a_ping_that_waited_is_written_once_with_its_own_time(pool: Pool) -> None:
    monitor_id = await add_push(pool)
    await ping(pool, monitor_id)
    await age(pool, monitor_id, 300)
    await fetch(pool, "delete from pings returning 1")
    at = datetime.now(UTC) - timedelta(seconds=240)
    waited = Ping(id=uuid4(), token=await token(pool, monitor_id), at=at)
    await send(pool, waited)
    await send(pool, waited)
    assert await fetch(pool, "select at, id from pings") == [(at, waited.id)]
    assert await fetch(pool, "select count(*), min(scheduled_at) from results") == [(2, at)]


async def test_a_paused_monitor_lists_its_pings_and_judges_nothing(pool: Pool) -> None:
    monitor_id = await add_push(pool)
    await ping(pool, monitor_id)
    await fetch(pool, "update monitors set enabled = false returning 1")
    await age(pool, monitor_id, 1000)
    await ping(pool, monitor_id, kind="fail")
    assert await judge(pool) == []
    assert (await status(pool, monitor_id))[0] == "paused"
    assert await fetch(pool, "select kind from pings order by at desc limit 1") == [("ignored",)]

    await fetch(pool, "update monitors set enabled = true returning 1")
    assert await judge(pool) == []
    [(wait, runs)] = await fetch(pool, "select deadline - now(), runs from push_states")
    assert timedelta(seconds=60) < wait <= timedelta(seconds=90)  # counted from the resumption
    assert runs == []


async def test_an_edit_gives_a_grace_from_then_on(pool: Pool) -> None:
    monitor_id = await add_push(pool, period_s=86400)
    await ping(pool, monitor_id)
    await age(pool, monitor_id, 7200)
    await fetch(pool, """update monitors set options = '{"period_s": 60, "grace_s": 30}' returning 1""")
    assert await judge(pool) == []
    [(wait,)] = await fetch(pool, "select deadline - now() from push_states")
    assert timedelta(seconds=20) < wait <= timedelta(seconds=30)
    await age(pool, monitor_id, 32)
    assert await judge(pool) == [monitor_id]


async def test_while_pings_cannot_be_taken_nothing_is_judged_and_then_after_a_grace(pool: Pool) -> None:
    monitor_id = await add_push(pool)
    await ping(pool, monitor_id)
    await age(pool, monitor_id, 100)
    assert await judge(pool, None) == []
    back = datetime.now(UTC)
    assert await judge(pool, back) == []
    [(look_at,)] = await fetch(pool, "select look_at from push_states")
    assert look_at == back + timedelta(seconds=30)
    assert (await status(pool, monitor_id))[0] == "up"
    await age(pool, monitor_id, 32)
    assert await judge(pool, back - timedelta(seconds=32)) == [monitor_id]


async def test_it_is_passive_everywhere(pool: Pool) -> None:
    monitor_id = await add_push(pool)
    ordinary = await add_monitor(pool, made_at=None)
    await ping(pool, monitor_id)
    await age(pool, monitor_id, 86400)
    async with connection(pool) as conn:
        assert [each.monitor_id for each in await dispatch.all_active(conn)] == [ordinary]
        assert [each.monitor_id for each in await dispatch.active(conn, [monitor_id, ordinary])] == [ordinary]
        assert [each.monitor_id for each in await dispatch.runnable_in(conn, "local")] == [ordinary]
        assert monitor_id not in await upkeep.mark_quiet(conn, datetime.now(UTC), {})
    slots = "select distinct monitor_id from expected_slots(now() - interval '1 hour', now() + interval '1 hour')"
    assert await fetch(pool, slots) == [(ordinary,)]


async def test_a_gap_never_makes_it_unknown(pool: Pool) -> None:
    monitor_id = await add_push(pool, period_s=30 * 86400)
    await ping(pool, monitor_id)
    await age(pool, monitor_id, 20 * 86400)
    await ping(pool, monitor_id)
    assert await fetch(pool, "select distinct to_status::text from transitions order by 1") == [("pending",), ("up",)]


async def test_a_monitor_that_becomes_a_push_monitor_and_back(pool: Pool) -> None:
    monitor_id = await add_monitor(pool, made_at=None)
    await fetch(pool, "update monitors set type = 'push', passive = true, options = '{}' returning 1")
    await ping(pool, monitor_id)
    assert (await status(pool, monitor_id))[0] == "up"
    await fetch(
        pool,
        """update monitors set type = 'tcp', passive = false, options = '{"host": "x", "port": 1}'
                         returning 1""",
    )
    sent = Ping(id=uuid4(), token=await token(pool, monitor_id))
    assert await send(pool, sent) == {sent.id: None}
    async with connection(pool) as conn:
        assert [each.monitor_id for each in await dispatch.all_active(conn)] == [monitor_id]


async def test_options_that_nobody_understands_hurt_no_other_monitor(pool: Pool) -> None:
    broken = await add_push(pool, period_s="soon")
    monitor_id = await add_push(pool)
    await ping(pool, broken)
    await ping(pool, monitor_id)
    await age(pool, monitor_id, 92)
    assert await judge(pool) == [monitor_id]
    assert await fetch(pool, "select kind from pings where monitor_id = %s", broken) == [("ignored",)]


async def test_a_new_address_takes_the_place_of_the_old(pool: Pool) -> None:
    monitor_id = await add_push(pool)
    old = await token(pool, monitor_id)
    async with connection(pool) as conn:
        new = await push.rotate(conn, monitor_id)
    sent = [Ping(id=uuid4(), token=old), Ping(id=uuid4(), token=new)]
    assert list((await send(pool, *sent)).values()) == [None, monitor_id]


async def test_several_processes_and_short_breaks_are_one_span_in_which_pings_can_be_taken(pool: Pool) -> None:
    async def say(able_for: float) -> None:
        async with connection(pool) as conn:
            await push.say_open(conn, timedelta(seconds=able_for), timedelta(seconds=15))

    async def since() -> float:
        return float((await fetch(pool, "select extract(epoch from now() - since) from push_watch"))[0][0])

    await say(100)
    assert 100 <= await since() < 110
    await say(3)  # another one, or one that started again at once
    assert 100 <= await since() < 110
    await fetch(pool, "update push_watch set seen_at = seen_at - interval '60 s' returning 1")
    await say(5)
    assert 5 <= await since() < 15
    await say(200)  # one that was there all the time
    assert 200 <= await since() < 215


async def test_ten_thousand_push_monitors_are_asked_about_by_index(pool: Pool) -> None:
    async with connection(pool) as conn, conn.transaction():
        await conn.execute(
            "insert into monitors (name, type, target, options, passive)"
            " select 'm' || n, 'push', 'x', '{}', true from generate_series(1, 10000) n"
        )
        await conn.execute("update push_states set version = 1, look_at = now() + interval '1 day'")
    async with connection(pool) as conn:
        await conn.execute("vacuum (analyze) push_states")
        query = push._sql["due"]
        plan = await (await conn.execute(f"explain {query}", {"margin": push.MARGIN})).fetchall()
    assert "Seq Scan on push_states" not in "\n".join(row[0] for row in plan)
