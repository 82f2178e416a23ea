"""A message that is refused for what it says: it alone has failed, until that is so of three in a row."""

from __future__ import annotations

from pinguin.db import connection
from pinguin.scheduler import alerts as chores
from pinguin.store import alerts
from pinguin.store.alerts import Tried
from tests.alerts_sql.outbox import Outbox
from tests.factory import fetch

OPEN = "select region, message from pipeline_incidents where code = 'channel' and ended_at is null"
STATE = "select broken_at is not null, failing_since is not null, failures from channels where name = 'hook'"


async def refused(outbox: Outbox, *, alone: bool = True, sender: str = "sender") -> bool:
    """The next message is, as its sender marks it."""
    await outbox.later(5)
    message = await outbox.gather()
    assert message is not None
    tried = Tried(message=message, sender=sender, answer="400 Bad Request", latency_ms=3, subject="subject")
    async with connection(outbox.pool) as conn:
        return await alerts.refused(conn, tried, alone=alone)


async def a_channel(outbox: Outbox, shops: int) -> list[int]:
    """One that was changed long ago, and monitors of its own."""
    channel = await outbox.channel("hook", default=False)
    await outbox.run("update channels set updated_at = now() - interval '1 day'")
    steps = [{"after_s": 0, "channels": [channel]}]
    return [await outbox.monitor(f"shop {number}", {"steps": steps}) for number in range(shops)]


async def test_one_that_is_refused_fails_alone_and_the_next_is_told(outbox: Outbox) -> None:
    first, second = await a_channel(outbox, 2)
    await outbox.seen(first, "d")
    assert await refused(outbox)
    assert await outbox.ends() == [("down", "failed", "refused")]
    assert await fetch(outbox.pool, "select status, ended_at is not null, subject from messages") == [
        ("failed", True, "subject")
    ]
    assert await fetch(outbox.pool, "select outcome, answer from attempts") == [("refused", "400 Bad Request")]
    assert await fetch(outbox.pool, STATE) == [(False, True, 1)]
    await outbox.seen(second, "d")
    assert await outbox.told() == ["hook: down shop 1"]
    assert await fetch(outbox.pool, STATE) == [(False, False, 0)]
    await outbox.seen([first, second], "u")
    assert await outbox.told() == ["hook: up shop 1"]  # of the first nobody had heard


async def test_somebody_hears_of_it_until_the_channel_delivers_again(outbox: Outbox) -> None:
    first, second = await a_channel(outbox, 2)
    await outbox.channel("phone")
    await outbox.seen(first, "d")
    assert await refused(outbox)
    assert await fetch(outbox.pool, OPEN) == [("hook", 'channel "hook" refused a message: 400 Bad Request')]
    await chores.settle_channels(outbox.pool)
    assert len(await fetch(outbox.pool, OPEN)) == 1
    await outbox.later(30)
    assert await outbox.told() == ["phone: pipeline Pinguin"]
    await outbox.seen(second, "d")
    assert await outbox.told() == ["hook: down shop 1"]
    await chores.settle_channels(outbox.pool)
    assert await fetch(outbox.pool, OPEN) == []
    assert await outbox.told() == ["phone: pipeline_over Pinguin"]


async def test_the_third_in_a_row_breaks_the_channel_and_all_three_wait_for_its_mending(outbox: Outbox) -> None:
    shops = await a_channel(outbox, 3)
    for shop in shops:
        assert await fetch(outbox.pool, STATE) != [(True, True, 2)]
        await outbox.seen(shop, "d")
        assert await refused(outbox)
    assert await fetch(outbox.pool, STATE) == [(True, True, 2)]
    assert await outbox.ends() == [("down", "waiting", "broken")] * 3
    await chores.settle_channels(outbox.pool)
    assert await fetch(outbox.pool, OPEN) == [("hook", 'channel "hook" refuses what it is sent: 400 Bad Request')]
    await outbox.run('update channels set options = \'{"url": "new"}\'')
    assert await outbox.told() == ["hook: down shop 0, down shop 1, down shop 2"]
    assert await fetch(outbox.pool, OPEN) == []


async def test_what_was_given_up_long_before_is_not_told_when_the_channel_is_mended(outbox: Outbox) -> None:
    shops = await a_channel(outbox, 5)
    for shop, taken in zip(shops, (False, True, False, False, False), strict=True):
        await outbox.seen(shop, "d")
        assert len(await outbox.told()) == 1 if taken else await refused(outbox)
    assert [end[1:] for end in await outbox.ends()] == [
        ("failed", "refused"), ("sent", None), *[("waiting", "broken")] * 3,
    ]  # fmt: skip
    await outbox.run('update channels set options = \'{"url": "new"}\'')
    assert await outbox.told() == ["hook: down shop 2, down shop 3, down shop 4"]


async def test_one_that_is_delivered_between_them_begins_the_row_anew(outbox: Outbox) -> None:
    shops = await a_channel(outbox, 4)
    for shop, taken in zip(shops, (False, False, True, False), strict=True):
        await outbox.seen(shop, "d")
        assert len(await outbox.told()) == 1 if taken else await refused(outbox)
    assert (await fetch(outbox.pool, STATE))[0][0] is False


async def test_what_was_refused_before_the_channel_was_changed_does_not_count(outbox: Outbox) -> None:
    shops = await a_channel(outbox, 3)
    for shop in shops[:2]:
        await outbox.seen(shop, "d")
        assert await refused(outbox)
    await outbox.run('update channels set options = \'{"url": "new"}\'')
    await chores.settle_channels(outbox.pool)
    assert await fetch(outbox.pool, OPEN) == []
    await outbox.seen(shops[2], "d")
    assert await refused(outbox)
    assert await fetch(outbox.pool, STATE) == [(False, True, 1)]


async def test_a_refusal_that_is_about_the_channel_breaks_it_at_once(outbox: Outbox) -> None:
    (shop,) = await a_channel(outbox, 1)
    await outbox.seen(shop, "d")
    assert await refused(outbox, alone=False)
    assert (await fetch(outbox.pool, STATE))[0][0] is True
    assert await outbox.ends() == [("down", "waiting", "broken")]


async def test_who_lost_the_claim_changes_nothing(outbox: Outbox) -> None:
    (shop,) = await a_channel(outbox, 1)
    await outbox.seen(shop, "d")
    assert not await refused(outbox, sender="another")
    assert await outbox.ends() == [("down", "taken", None)]
    assert await fetch(outbox.pool, "select count(*) from attempts") == [(0,)]
    assert await fetch(outbox.pool, OPEN) == []
