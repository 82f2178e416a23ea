"""Escalation and reminders."""

from __future__ import annotations

from tests.alerts_sql.outbox import Outbox
from tests.factory import fetch


async def staircase(outbox: Outbox) -> int:
    """A monitor whose outages are told to the phone, then to the boss, then to all."""
    phone, boss = await outbox.channel("phone", default=False), await outbox.channel("boss", default=False)
    steps = [{"channels": [phone]}, {"after_s": 600, "channels": [boss]}, {"after_s": 1800, "channels": [phone, boss]}]
    return await outbox.monitor(rules={"steps": steps})


async def test_each_step_is_told_after_its_delay(outbox: Outbox) -> None:
    shop = await staircase(outbox)
    await outbox.seen(shop, "d", every_s=60)
    assert await outbox.told() == ["phone: down shop"]
    await outbox.later(500)
    assert await outbox.told() == []
    await outbox.later(60)
    assert await outbox.told() == ["boss: down shop"]
    await outbox.later(1200)
    assert sorted(await outbox.told()) == ["boss: down shop", "phone: down shop"]
    await outbox.seen(shop, "u")
    assert sorted(await outbox.told()) == ["boss: up shop", "phone: up shop"]


async def test_recovery_ends_the_escalation(outbox: Outbox) -> None:
    shop = await staircase(outbox)
    await outbox.seen(shop, "du", every_s=60)
    assert await outbox.told() == ["phone: down shop"]
    await outbox.later(3600)
    assert await outbox.told() == []
    assert await outbox.waiting() == []


async def test_an_acknowledgement_ends_the_escalation_but_not_the_recovery(outbox: Outbox) -> None:
    shop = await staircase(outbox)
    await outbox.seen(shop, "d")
    assert await outbox.told() == ["phone: down shop"]
    await outbox.run("update incidents set acknowledged_at = now(), acknowledged_by = 'ada'")
    await outbox.later(3600)
    assert await outbox.told() == []
    assert await outbox.waiting() == []
    await outbox.seen(shop, "u")
    assert await outbox.told() == ["phone: up shop"]


async def test_reminders_until_it_is_over(outbox: Outbox) -> None:
    shop = await outbox.outage({"remind_every_s": 600})
    for _ in range(3):
        await outbox.later(500)
        assert await outbox.told() == []
        await outbox.later(90)
        assert await outbox.told() == ["phone: reminder shop"]
    await outbox.seen(shop, "u")
    assert await outbox.told() == ["phone: up shop"]
    await outbox.later(3600)
    assert await outbox.told() == []
    assert await outbox.waiting() == []


async def test_an_acknowledgement_stops_reminders(outbox: Outbox) -> None:
    await outbox.outage({"remind_every_s": 600})
    await outbox.run("update incidents set acknowledged_at = now()")
    await outbox.later(3600)
    assert await outbox.told() == []
    assert await outbox.waiting() == []


async def test_a_rule_that_is_taken_away_stops_reminders(outbox: Outbox) -> None:
    shop = await outbox.outage({"remind_every_s": 600})
    await outbox.rules(shop)
    await outbox.later(600)
    assert await outbox.told() == []


async def test_two_steps_to_one_channel_are_reminded_of_once(outbox: Outbox) -> None:
    phone = await outbox.channel(default=False)
    steps = [{"channels": [phone]}, {"after_s": 60, "channels": [phone]}]
    shop = await outbox.monitor(rules={"steps": steps, "remind_every_s": 600})
    await outbox.seen(shop, "d", every_s=1)
    assert await outbox.told() == ["phone: down shop"]
    await outbox.later(60)
    assert await outbox.told() == ["phone: down shop"]
    await outbox.later(600)
    assert await outbox.told() == ["phone: reminder shop"]
    await outbox.later(600)
    assert await outbox.told() == ["phone: reminder shop"]
    await outbox.seen(shop, "u")
    assert await outbox.told() == ["phone: up shop"]


async def test_two_steps_that_are_due_to_one_channel_are_one_item(outbox: Outbox) -> None:
    phone = await outbox.channel(default=False)
    shop = await outbox.monitor(rules={"steps": [{"channels": [phone]}, {"after_s": 60, "channels": [phone]}]})
    await outbox.seen(shop, "d", every_s=120)
    assert await outbox.told() == ["phone: down shop"]
    assert await outbox.told() == []
    await outbox.seen(shop, "u")
    assert await outbox.told() == ["phone: up shop"]


async def test_the_timeline(outbox: Outbox) -> None:
    await outbox.channel()
    shop = await outbox.monitor(failure_threshold=2)
    await outbox.seen(shop, "udd")
    assert await outbox.told() == ["phone: down shop"]
    await outbox.seen(shop, "u")
    assert await outbox.told() == ["phone: up shop"]
    events = await fetch(outbox.pool, "select kind, who, text from incident_events order by id")
    assert events == [
        ("failed", None, "connection refused"),
        ("confirmed", None, "refused"),
        ("alerted", "phone", "down"),
        ("recovered", None, ""),
        ("alerted", "phone", "up"),
    ]
