"""Claims and marks, the rate limit, digests, and channels that change."""

from __future__ import annotations

import asyncio

import pytest

from tests.alerts_sql.outbox import Outbox
from tests.factory import fetch


async def message_of(outbox: Outbox, outcomes: str = "d") -> int:
    """A message that is being sent, about a new monitor called shop."""
    await outbox.seen(await outbox.monitor(), outcomes)
    message = await outbox.gather()
    assert message
    return message


async def test_senders_that_race_make_one_message(outbox: Outbox) -> None:
    """TRAP 6."""
    await outbox.channel()
    await outbox.seen(await outbox.monitor(), "d")
    claims = await asyncio.gather(*(outbox.gather(f"sender{n}") for n in range(8)))
    assert len([claim for claim in claims if claim]) == 1


async def test_a_claim_that_ran_out_is_taken_over_once_and_is_unsure(outbox: Outbox) -> None:
    """TRAP 6: the sender was killed between claim and mark."""
    await outbox.channel()
    message = await message_of(outbox)
    assert await outbox.reclaim("second") is None
    await outbox.later(31)
    claims = await asyncio.gather(*(outbox.reclaim(f"sender{n}") for n in range(8)))
    assert [claim for claim in claims if claim] == [message]
    assert await fetch(outbox.pool, "select status, attempts, unsure from messages") == [("sending", 2, True)]


async def test_a_mark_that_comes_too_late_changes_nothing(outbox: Outbox) -> None:
    await outbox.channel()
    message = await message_of(outbox)
    await outbox.later(31)
    assert await outbox.reclaim("second") == message
    assert not await outbox.failed(message, "sender")
    assert not await outbox.refused(message, "sender")
    assert not await outbox.delivered(message, "sender")
    assert await fetch(outbox.pool, "select status, broken_at from messages, channels") == [("sending", None)]
    assert await outbox.delivered(message, "second")
    assert not await outbox.delivered(message, "second")
    assert await fetch(outbox.pool, "select outcome from attempts") == [("delivered",)]


async def test_a_failed_try_is_tried_again_with_the_same_key(outbox: Outbox) -> None:
    """TRAP 7: the provider is away for ten minutes; what ended meanwhile is told with it."""
    await outbox.channel()
    shop = await outbox.monitor()
    await outbox.seen(shop, "d")
    message = await outbox.gather()
    assert message
    key = await fetch(outbox.pool, "select key from messages")
    for _ in range(5):
        assert await outbox.failed(message, again_s=60)
        assert await outbox.reclaim() is None
        await outbox.later(60)
        assert await outbox.gather() is None
        assert await outbox.reclaim() == message
    await outbox.seen(shop, "u")
    assert await outbox.failed(message, again_s=60)
    await outbox.later(60)
    assert await outbox.reclaim() == message
    assert await outbox.said(message) == "phone: down shop"
    assert await outbox.delivered(message)
    assert await fetch(outbox.pool, "select key from messages") == key
    assert await outbox.told() == []  # the end was in it
    outcomes = "select outcome, count(*) from attempts group by outcome order by outcome"
    assert await fetch(outbox.pool, outcomes) == [("delivered", 1), ("failed", 6)]


async def test_what_ended_while_nobody_knows_whether_the_provider_heard_is_told_after_it(outbox: Outbox) -> None:
    await outbox.channel()
    shop = await outbox.monitor()
    await outbox.seen(shop, "d")
    message = await outbox.gather()
    assert message
    assert await outbox.failed(message, unsure=True)
    await outbox.seen(shop, "u")
    assert await outbox.reclaim() == message
    assert await outbox.delivered(message)
    assert await outbox.told() == ["phone: up shop"]


async def test_a_message_is_given_up_after_a_day_and_its_end_is_not_told(outbox: Outbox) -> None:
    await outbox.channel()
    shop = await outbox.monitor()
    await outbox.seen(shop, "d")
    message = await outbox.gather()
    assert message
    await outbox.later(86_401)
    assert await outbox.reclaim() == message
    assert await outbox.failed(message)
    assert await fetch(outbox.pool, "select status, ended_at is not null from messages") == [("failed", True)]
    assert await outbox.ends() == [("down", "failed", "a day without success")]
    await outbox.seen(shop, "u")
    assert await outbox.told() == []


async def test_a_channel_that_refuses_is_broken_and_keeps_what_it_was_to_tell(outbox: Outbox) -> None:
    await outbox.channel("phone")
    await outbox.channel("mail")
    shop = await outbox.monitor()
    await outbox.seen(shop, "d")
    await outbox.run("update notifications set due_at = due_at - interval '1 second' where channel_id = 1")
    message = await outbox.gather()
    assert message
    assert await outbox.refused(message)
    assert await outbox.told() == ["mail: down shop"]
    assert await outbox.waiting() == [("down", "broken"), ("pipeline", None), ("pipeline", None)]
    await outbox.later(30)
    assert await outbox.told() == ["mail: pipeline Pinguin"]
    await outbox.seen(shop, "u")
    assert await outbox.told() == ["mail: up shop"]
    await outbox.run("update channels set name = 'new phone' where name = 'phone'")
    await outbox.run("update channels set options = '{\"url\": \"new\"}' where name = 'new phone'")
    assert sorted(await outbox.told()) == ["mail: pipeline_over Pinguin", "new phone: down shop"]
    assert await fetch(outbox.pool, "select count(*) from pipeline_incidents where ended_at is null") == [(0,)]
    assert await outbox.waiting() == []


async def test_a_mended_channel_does_not_wait_for_its_next_try(outbox: Outbox) -> None:
    await outbox.channel()
    message = await message_of(outbox)
    assert await outbox.failed(message, again_s=900)
    assert await outbox.reclaim() is None
    await outbox.run('update channels set options = \'{"url": "new"}\'')
    assert await outbox.reclaim() == message


@pytest.mark.parametrize("change", ["enabled = false", "archived_at = now()"])
async def test_a_channel_that_is_switched_off_says_nothing_more(outbox: Outbox, change: str) -> None:
    await outbox.channel()
    first, second = await outbox.monitor("first"), await outbox.monitor("second")
    await outbox.seen(first, "d")
    assert await outbox.told() == ["phone: down first"]
    await outbox.seen(second, "d")
    message = await outbox.gather()
    assert message
    await outbox.run(f"update channels set {change}")
    assert not await outbox.delivered(message)
    await outbox.seen([first, second], "u")
    assert await outbox.told() == []
    assert await outbox.waiting() == []
    await outbox.later(60)
    assert await outbox.reclaim() is None


async def test_a_channel_says_only_so_much_a_minute_and_the_rest_at_once(outbox: Outbox) -> None:
    await outbox.channel(per_minute=2)
    monitors = [await outbox.monitor(f"m{n}") for n in range(6)]
    for monitor in monitors[:2]:
        await outbox.seen(monitor, "d", every_s=1)
        message = await outbox.gather()
        assert message
        assert await outbox.delivered(message)
    for monitor in monitors[2:]:
        await outbox.seen(monitor, "d", every_s=5)
        assert await outbox.gather() is None
    await outbox.later(30)
    message = await outbox.gather()
    assert message
    assert await outbox.said(message) == "phone: down m2, down m3, down m4, down m5"


async def test_monitors_of_one_host_that_fail_one_after_the_other_are_few_messages(outbox: Outbox) -> None:
    """Sixty that are checked once a minute: a few at once, then the rest in digests; and the next outage at once."""
    await outbox.channel(per_minute=10)
    monitors = [await outbox.monitor(f"m{n}") for n in range(60)]
    said, loop = [], asyncio.get_running_loop()
    began = loop.time()
    for monitor in monitors:
        await outbox.seen(monitor, "d", every_s=1)
        if message := await outbox.gather():
            said.append(len((await outbox.said(message)).split(", ")))
            assert await outbox.delivered(message)
    assert said[:4] == [1, 1, 1, 1]
    seconds = 60 + loop.time() - began  # to the database both have gone by
    assert len(said) <= 4 + seconds / 15, "later ones wait so long for company"
    await outbox.later(60)
    assert len(await outbox.told()) == 1

    await outbox.later(60)
    shop = await outbox.monitor("shop")
    await outbox.seen(shop, "d", every_s=1)
    assert await outbox.gather()


async def test_a_clock_that_was_set_back_does_not_silence_a_channel(outbox: Outbox) -> None:
    await outbox.channel(per_minute=1)
    shop, bar = await outbox.monitor("shop"), await outbox.monitor("bar")
    await outbox.run("update channels set tokens_at = now() + interval '1 day', tokens = 1")
    await outbox.seen(shop, "d")
    assert await outbox.told() == ["phone: down shop"]
    await outbox.seen(bar, "d")
    await outbox.later(60)
    assert await outbox.told() == ["phone: down bar"]


@pytest.mark.parametrize(("number", "least_s"), [(1, 0.4), (2, 0.4), (3, 0.6), (19, 0.6), (20, 4)])
async def test_only_a_storm_waits_longer_than_a_second(outbox: Outbox, number: int, least_s: float) -> None:
    """The first of so many waited a little less, and long enough; the others have just come."""
    channel = await outbox.channel()
    for _ in range(10):
        told, waited_s = await _gathered(outbox, channel, number, least_s - 0.2)
        if waited_s < least_s:
            break  # else the machine took its time, and this one says nothing
    assert not told
    told, _ = await _gathered(outbox, channel, number, least_s)
    assert told


async def _gathered(outbox: Outbox, channel: int, number: int, waited_s: float) -> tuple[bool, float]:
    """Whether so many make a message, and how long the first had waited in the end; leaves nothing."""
    notify = """
        insert into notifications (key, channel_id, kind, at, due_at)
        select 'n' || n, %s, 'pipeline', now(), clock_timestamp() - case n when 1 then %s else 0 end * interval '1 s'
        from generate_series(1, %s) n
        """
    async with outbox.pool.connection() as conn, conn.transaction(force_rollback=True):
        await conn.execute(notify, (channel, waited_s, number))
        waited = "select extract(epoch from clock_timestamp() - min(due_at))::float from notifications"
        made = await (await conn.execute("select gather_message('me', '10 s')")).fetchone()
        row = await (await conn.execute(waited)).fetchone()
    assert row
    return made != (None,), row[0]


async def test_a_thousand_monitors_are_one_message_and_so_is_their_recovery(outbox: Outbox) -> None:
    await outbox.channel()
    rows = """
        insert into monitors (name, type, target, options, failure_threshold)
        select 'm' || n, 'tcp', 'x', '{}', 1 from generate_series(1, 1000) n returning id
        """
    monitors = [row[0] for row in await fetch(outbox.pool, rows)]
    for letter, kind in (("d", "down"), ("u", "up")):
        await outbox.seen(monitors, letter, every_s=2)
        message = await outbox.gather()
        assert message
        counts = "select kind, count(*) from notifications where message_id = %s group by kind"
        assert await fetch(outbox.pool, counts, message) == [(kind, 1000)]
        assert await outbox.delivered(message)
        assert await outbox.gather() is None
