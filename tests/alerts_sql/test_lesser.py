"""News of less weight: degraded, unknown, slow."""

from __future__ import annotations

import pytest

from tests.alerts_sql.outbox import Outbox


async def test_degraded_and_its_end(outbox: Outbox) -> None:
    await outbox.channel()
    shop = await outbox.monitor()
    await outbox.seen(shop, "ug")
    assert await outbox.told() == ["phone: degraded shop"]
    await outbox.seen(shop, "gg")
    assert await outbox.told() == []
    await outbox.seen(shop, "u")
    assert await outbox.told() == ["phone: ok shop"]


async def test_degraded_that_passes_is_not_told(outbox: Outbox) -> None:
    await outbox.channel()
    shop = await outbox.monitor(failure_threshold=3)
    await outbox.seen(shop, "ugg")
    assert await outbox.told() == []
    await outbox.seen(shop, "u")
    await outbox.later(600)
    assert await outbox.told() == []
    assert await outbox.ends() == [("degraded", "cancelled", "over"), ("ok", "cancelled", "untold")]


async def test_degraded_that_passes_and_comes_back_is_not_taken_for_one_that_lasts(outbox: Outbox) -> None:
    await outbox.channel()
    shop = await outbox.monitor(failure_threshold=3)
    await outbox.seen(shop, "uggug")
    assert await outbox.told() == []
    await outbox.seen(shop, "gg")
    assert await outbox.told() == ["phone: degraded shop"]


@pytest.mark.parametrize("meanwhile", ["nn", "nng", "dnng"])
async def test_a_time_without_evidence_does_not_end_being_degraded(outbox: Outbox, meanwhile: str) -> None:
    """Told once; and its end too, whatever was in between."""
    await outbox.channel()
    shop = await outbox.monitor()
    await outbox.seen(shop, "ug")
    assert await outbox.told() == ["phone: degraded shop"]
    await outbox.seen(shop, meanwhile)
    told = await outbox.told()
    assert not any("degraded" in each for each in told)
    await outbox.seen(shop, "u")
    assert any("ok shop" in each for each in await outbox.told())


async def test_the_end_is_not_told_of_what_was_said_of_another_time(outbox: Outbox) -> None:
    """Somebody heard of it before a pause; what came and passed after that was never told."""
    await outbox.channel()
    shop = await outbox.monitor(failure_threshold=2)
    await outbox.seen(shop, "uggg")
    assert await outbox.told() == ["phone: degraded shop"]
    await outbox.run("update monitors set enabled = false")
    await outbox.run("update monitors set enabled = true")
    await outbox.seen(shop, "ugu")
    await outbox.later(600)
    assert await outbox.told() == []


async def test_an_outage_that_ends_in_degraded_is_told_as_both(outbox: Outbox) -> None:
    await outbox.channel()
    shop = await outbox.monitor()
    await outbox.seen(shop, "ud")
    assert await outbox.told() == ["phone: down shop"]
    await outbox.seen(shop, "g")
    assert await outbox.told() == ["phone: up shop, degraded shop"]
    await outbox.seen(shop, "u")
    assert await outbox.told() == ["phone: ok shop"]


async def test_degraded_that_turns_into_down_before_it_is_told_waits(outbox: Outbox) -> None:
    await outbox.channel()
    shop = await outbox.monitor(failure_threshold=2)
    await outbox.seen(shop, "ugdd")
    assert await outbox.told() == ["phone: down shop"]
    assert await outbox.waiting() == [("degraded", "unsettled")]
    await outbox.seen(shop, "g")
    assert await outbox.told() == ["phone: degraded shop, up shop"]


async def test_nobody_is_told_of_degraded_where_it_is_not_wanted(outbox: Outbox) -> None:
    await outbox.channel()
    shop = await outbox.monitor(rules={"on_degraded": False})
    await outbox.seen(shop, "ugu")
    assert await outbox.ends() == []


async def test_unknown_where_it_is_wanted(outbox: Outbox) -> None:
    await outbox.channel()
    shop, bar = await outbox.monitor("shop", {"on_unknown": True}), await outbox.monitor("bar")
    await outbox.seen([shop, bar], "un")
    assert await outbox.told() == ["phone: unknown shop"]
    await outbox.seen([shop, bar], "u")
    assert await outbox.told() == ["phone: known shop"]
    await outbox.seen([shop, bar], "nu")
    assert await outbox.told() == []  # it was over before anybody was told


async def test_slow_and_fast(outbox: Outbox) -> None:
    await outbox.channel()
    shop = await outbox.monitor()
    spell = (
        "insert into slow_spells (monitor_id, percentile, window_s, above_ms, value_ms) values (%s, 95, 900, 200, 300)"
    )
    await outbox.run(spell, shop)
    assert await outbox.told() == ["phone: slow shop"]
    await outbox.run("update slow_spells set ended_at = now(), value_ms = 150 where ended_at is null")
    assert await outbox.told() == ["phone: fast shop"]
    await outbox.run(spell, shop)
    await outbox.run("update slow_spells set ended_at = now(), value_ms = 150 where ended_at is null")
    assert await outbox.told() == []  # over before it was told
    await outbox.run(spell, shop)
    assert await outbox.told() == ["phone: slow shop"]
    await outbox.run("update slow_spells set ended_at = now() where ended_at is null")
    assert await outbox.told() == []  # nobody looks any more: that is not fast
    assert await outbox.waiting() == []
