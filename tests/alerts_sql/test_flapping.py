"""A monitor that goes up and down again and again is told as one thing."""

from __future__ import annotations

from tests.alerts_sql.outbox import Outbox

RULES = {"flap_outages": 3, "flap_window_s": 3600}


async def flapping(outbox: Outbox) -> int:
    """A monitor of which it has just been said that it flaps, up again."""
    await outbox.channel()
    shop = await outbox.monitor(rules=RULES)
    for _ in range(2):
        await outbox.seen(shop, "d")
        assert await outbox.told() == ["phone: down shop"]
        await outbox.seen(shop, "u")
        assert await outbox.told() == ["phone: up shop"]
    await outbox.seen(shop, "d")
    assert await outbox.told() == ["phone: flapping shop"]
    await outbox.seen(shop, "u")
    assert await outbox.told() == []
    return shop


async def test_flapping_is_one_message_until_it_is_stable(outbox: Outbox) -> None:
    shop = await flapping(outbox)
    for _ in range(3):
        await outbox.seen(shop, "du")
        assert await outbox.told() == []
    await outbox.later(800)
    assert await outbox.told() == []  # a quarter of an hour without a change it takes
    await outbox.later(200)
    assert await outbox.told() == ["phone: stable shop"]
    await outbox.later(3600)
    await outbox.seen(shop, "du")
    assert await outbox.told() == ["phone: down shop"]


async def test_the_recovery_of_the_outage_that_it_ended_in_is_told(outbox: Outbox) -> None:
    shop = await flapping(outbox)
    await outbox.seen(shop, "d")
    assert await outbox.told() == []
    await outbox.later(1000)
    assert await outbox.told() == ["phone: stable shop"]
    await outbox.later(1000)
    await outbox.seen(shop, "u")
    assert await outbox.told() == ["phone: up shop"]


async def test_also_where_it_ended_in_the_outage_that_was_told_as_flapping(outbox: Outbox) -> None:
    await outbox.channel()
    shop = await outbox.monitor(rules={**RULES, "remind_every_s": 600})
    await outbox.seen(shop, "du")
    await outbox.seen(shop, "du")
    await outbox.told()
    await outbox.seen(shop, "d")
    assert await outbox.told() == ["phone: flapping shop"]
    await outbox.later(1000)
    assert await outbox.told() == ["phone: stable shop"]
    await outbox.later(600)
    assert await outbox.told() == ["phone: reminder shop"]
    await outbox.seen(shop, "u")
    assert await outbox.told() == ["phone: up shop"]


async def test_many_outages_that_waited_are_one_message(outbox: Outbox) -> None:
    await outbox.channel()
    shop = await outbox.monitor(rules=RULES)
    await outbox.seen(shop, "dudududu")
    assert await outbox.told() == ["phone: flapping shop"]
    await outbox.later(1000)
    assert await outbox.told() == ["phone: stable shop"]
    assert await outbox.waiting() == []


async def test_flapping_can_be_turned_off(outbox: Outbox) -> None:
    await outbox.channel()
    shop = await outbox.monitor(rules={"flap_outages": 0})
    for _ in range(7):
        await outbox.seen(shop, "du")
        assert await outbox.told() == ["phone: down shop"]


async def test_each_channel_hears_of_it(outbox: Outbox) -> None:
    first, second = await outbox.channel("first", default=False), await outbox.channel("second", default=False)
    shop = await outbox.monitor(rules={**RULES, "steps": [{"channels": [first, second]}]})
    await outbox.seen(shop, "dududu")
    assert sorted(await outbox.told()) == ["first: flapping shop", "second: flapping shop"]
    await outbox.later(1000)
    assert sorted(await outbox.told()) == ["first: stable shop", "second: stable shop"]


async def test_a_monitor_that_is_paused_meanwhile_is_not_called_stable(outbox: Outbox) -> None:
    await flapping(outbox)
    await outbox.run("update monitors set enabled = false")
    await outbox.later(1000)
    assert await outbox.told() == []
    assert await outbox.waiting() == []


async def test_a_refused_message_of_flapping_is_told_when_the_channel_is_mended(outbox: Outbox) -> None:
    await outbox.channel()
    shop = await outbox.monitor(rules=RULES)
    await outbox.seen(shop, "dudud")
    message = await outbox.gather()
    assert message
    assert await outbox.refused(message)
    await outbox.run("update channels set options = '{\"mended\": true}'")
    assert await outbox.told() == ["phone: flapping shop"]
