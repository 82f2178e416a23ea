"""What holds an alert back, and what lets it go: maintenance, and what a monitor depends on."""

from __future__ import annotations

from tests.alerts_sql.outbox import Outbox
from tests.factory import fetch


async def test_an_outage_that_outlasts_maintenance_is_told_when_that_ends(outbox: Outbox) -> None:
    """TRAP 2."""
    await outbox.channel()
    shop = await outbox.monitor()
    await outbox.maintenance(shop, seconds=600)
    await outbox.seen(shop, "d", every_s=300)
    assert await outbox.told() == []
    assert await outbox.waiting() == [("down", "maintenance")]
    held = "select who, text from incident_events where kind = 'held'"
    assert await fetch(outbox.pool, held) == [("phone", "maintenance")]
    await outbox.later(300)
    assert await outbox.told() == ["phone: down shop"]
    assert await fetch(outbox.pool, held) == [("phone", "maintenance")]


async def test_it_is_told_at_the_very_end_of_the_window(outbox: Outbox) -> None:
    await outbox.channel()
    shop = await outbox.monitor()
    await outbox.maintenance(shop, seconds=10)
    await outbox.seen(shop, "d", every_s=1)
    assert await outbox.gather() is None
    due = "select n.due_at = w.ends_at from notifications n, maintenance_windows w"
    assert await fetch(outbox.pool, due) == [(True,)]


async def test_an_outage_of_maintenance_is_never_told(outbox: Outbox) -> None:
    await outbox.channel()
    shop = await outbox.monitor()
    await outbox.maintenance(shop, seconds=600)
    await outbox.seen(shop, "du", every_s=120)
    assert await outbox.told() == []
    await outbox.later(3600)
    assert await outbox.told() == []
    assert await outbox.ends() == [("down", "cancelled", "over"), ("up", "cancelled", "untold")]


async def test_an_outage_that_outlasted_maintenance_is_told_though_the_channel_was_away_and_it_is_over(
    outbox: Outbox,
) -> None:
    """TRAP 2 with TRAP 7: that it was held last does not mean that it was one of maintenance."""
    await outbox.channel()
    shop, bar = await outbox.monitor("shop"), await outbox.monitor("bar")
    await outbox.maintenance(shop, seconds=300)
    await outbox.seen([shop, bar], "d", every_s=120)
    assert await outbox.waiting() != []
    message = await outbox.gather()
    assert message
    assert await outbox.waiting() == [("down", "maintenance")]
    assert await outbox.failed(message)
    await outbox.later(300)
    await outbox.seen(shop, "u")
    assert await outbox.reclaim() == message
    assert await outbox.delivered(message)
    assert await outbox.told() == ["phone: down shop"]


async def test_recovery_is_told_in_maintenance_too(outbox: Outbox) -> None:
    shop = await outbox.outage()
    await outbox.maintenance(shop, seconds=600)
    await outbox.seen(shop, "u")
    assert await outbox.told() == ["phone: up shop"]


async def test_an_escalation_begins_anew_when_maintenance_ends(outbox: Outbox) -> None:
    """Else everybody would be called at once, the last resort with the first."""
    phone, boss = await outbox.channel("phone", default=False), await outbox.channel("boss", default=False)
    shop = await outbox.monitor(rules={"steps": [{"channels": [phone]}, {"after_s": 600, "channels": [boss]}]})
    await outbox.maintenance(shop, seconds=3600)
    await outbox.seen(shop, "d", every_s=1800)
    assert await outbox.told() == []
    await outbox.later(1800)
    assert await outbox.told() == ["phone: down shop"]
    assert await outbox.waiting() == [("down", "escalation")]
    await outbox.later(600)
    assert await outbox.told() == ["boss: down shop"]


async def test_a_monitor_waits_for_what_it_depends_on(outbox: Outbox) -> None:
    await outbox.channel()
    host, shop = await outbox.monitor("host"), await outbox.monitor("shop")
    await outbox.depends(shop, host)
    await outbox.seen([host, shop], "ud")
    assert await outbox.told() == ["phone: down host"]
    await outbox.seen([host, shop], "dd")
    assert await outbox.told() == []
    assert await outbox.waiting() == [("down", "dependency")]
    await outbox.seen([host, shop], "uu")
    assert await outbox.told() == ["phone: up host"]
    assert await outbox.waiting() == []


async def test_it_is_told_when_it_is_still_down_after_that_is_up(outbox: Outbox) -> None:
    await outbox.channel()
    host, shop = await outbox.monitor("host"), await outbox.monitor("shop")
    await outbox.depends(shop, host)
    await outbox.seen([host, shop], "ud")
    assert await outbox.told() == ["phone: down host"]
    await outbox.seen(shop, "d", every_s=20)
    await outbox.seen(host, "u", every_s=20)
    assert await outbox.told() == ["phone: up host"], "the shop has not been looked at since"
    await outbox.seen(shop, "d", every_s=1)
    assert await outbox.told() == []  # it is looked at every few seconds
    await outbox.later(15)
    assert await outbox.told() == ["phone: down shop"]


async def test_nobody_hears_of_those_that_come_back_after_what_they_depend_on(outbox: Outbox) -> None:
    await outbox.channel()
    host = await outbox.monitor("host")
    shops = [await outbox.monitor(f"shop{n}", recovery_threshold=2) for n in range(3)]
    for shop in shops:
        await outbox.depends(shop, host)
    await outbox.seen([host, *shops], "ud")
    assert await outbox.told() == ["phone: down host"]
    await outbox.seen(host, "u", every_s=30)
    for _ in range(2):
        assert await outbox.told() in (["phone: up host"], [])
        await outbox.seen(shops, "u", every_s=50)
    assert await outbox.told() == []
    assert await outbox.waiting() == []


async def test_a_failure_waits_until_what_it_depends_on_was_looked_at(outbox: Outbox) -> None:
    await outbox.channel()
    host, shop = await outbox.monitor("host"), await outbox.monitor("shop")
    await outbox.depends(shop, host)
    await outbox.seen([host, shop], "u", every_s=30)
    await outbox.seen(shop, "d", every_s=5)
    assert await outbox.told() == []
    assert await outbox.waiting() == [("down", "dependency?")]
    await outbox.seen(host, "u", every_s=1)
    assert await outbox.told() == ["phone: down shop"]  # its failure is its own


async def test_it_does_not_wait_for_ever_for_a_look(outbox: Outbox) -> None:
    await outbox.channel()
    host, shop = await outbox.monitor("host"), await outbox.monitor("shop")
    await outbox.depends(shop, host)
    await outbox.seen(shop, "d", every_s=20)
    assert await outbox.told() == []
    await outbox.later(60)
    assert await outbox.told() == ["phone: down shop"]


async def test_a_paused_or_deleted_monitor_holds_nobody_back(outbox: Outbox) -> None:
    await outbox.channel()
    host, shop = await outbox.monitor("host"), await outbox.monitor("shop")
    await outbox.depends(shop, host)
    await outbox.seen([host, shop], "d")
    assert await outbox.told() == ["phone: down host"]
    await outbox.run("update monitors set enabled = false where id = %s", host)
    await outbox.later(15)
    assert await outbox.told() == ["phone: down shop"]


async def test_monitors_that_depend_on_each_other_are_told(outbox: Outbox) -> None:
    await outbox.channel()
    ring = [await outbox.monitor(name) for name in ("one", "two", "three")]
    for monitor, on in zip(ring, [*ring[1:], ring[0]], strict=True):
        await outbox.depends(monitor, on)
    await outbox.seen(ring, "d", every_s=1)
    assert await outbox.told() == ["phone: down one, down two, down three"]


async def test_recovery_is_never_held_back_by_what_it_depends_on(outbox: Outbox) -> None:
    await outbox.channel()
    host, shop = await outbox.monitor("host"), await outbox.monitor("shop")
    await outbox.seen([host, shop], "u")
    await outbox.seen(shop, "d")
    assert await outbox.told() == ["phone: down shop"]
    await outbox.depends(shop, host)
    await outbox.seen(host, "d")
    await outbox.seen(shop, "u")
    assert await outbox.told() == ["phone: down host, up shop"]


async def test_a_channel_whose_news_is_all_held_keeps_no_other_waiting(outbox: Outbox) -> None:
    first, second = await outbox.channel("first", default=False), await outbox.channel("second", default=False)
    shop = await outbox.monitor("shop", {"steps": [{"channels": [first]}]})
    bar = await outbox.monitor("bar", {"steps": [{"channels": [second]}]})
    await outbox.maintenance(shop, seconds=3600)
    await outbox.seen(shop, "d", every_s=1)
    await outbox.seen(bar, "d", every_s=1)
    message = await outbox.gather()
    assert message
    assert await outbox.said(message) == "second: down bar"
