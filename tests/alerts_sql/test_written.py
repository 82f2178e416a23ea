"""What is written with its cause: one notification a channel, whatever runs twice or side by side."""

from __future__ import annotations

import asyncio
from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

from pinguin.alerts.voices import headline
from pinguin.store import alerts
from pinguin.worker.letters import letter
from pinguin.worker.recorder import record
from tests.alerts_sql.outbox import Outbox
from tests.factory import fetch


async def test_a_first_result_that_is_down_is_told_once(outbox: Outbox) -> None:
    """TRAP 3."""
    await outbox.channel()
    shop = await outbox.monitor()
    await outbox.seen(shop, "ddd")
    assert await outbox.told() == ["phone: down shop"]
    assert await outbox.told() == []


async def test_what_is_recorded_twice_is_told_once(outbox: Outbox) -> None:
    await outbox.channel()
    shop = await outbox.monitor()
    down = await outbox.results([shop], "d")
    for _ in range(3):
        await record(outbox.pool, down)
    assert await outbox.told() == ["phone: down shop"]


async def test_recorders_that_race_tell_once(outbox: Outbox) -> None:
    """TRAP 5."""
    await outbox.channel()
    monitors = [await outbox.monitor(f"m{n}") for n in range(5)]
    batch = await outbox.results(monitors, "d")
    await asyncio.gather(*(record(outbox.pool, part) for part in (batch, batch[::-1], batch[2:], batch[:3])))
    await outbox.later(2)
    (told,) = await outbox.told()
    assert sorted(told.removeprefix("phone: ").split(", ")) == [f"down m{n}" for n in range(5)]


async def test_thresholds_of_failure_and_of_recovery(outbox: Outbox) -> None:
    await outbox.channel()
    shop = await outbox.monitor(failure_threshold=3, recovery_threshold=2)
    await outbox.seen(shop, "uddudd")
    assert await outbox.told() == []
    await outbox.seen(shop, "d")
    assert await outbox.told() == ["phone: down shop"]
    await outbox.seen(shop, "udu")
    assert await outbox.told() == []
    await outbox.seen(shop, "u")
    assert await outbox.told() == ["phone: up shop"]


async def test_recovery_is_told_to_those_who_heard_of_the_outage(outbox: Outbox) -> None:
    phone = await outbox.channel("phone", default=False)
    boss = await outbox.channel("boss", default=False)
    shop = await outbox.monitor(rules={"steps": [{"channels": [phone]}, {"after_s": 600, "channels": [boss]}]})
    await outbox.seen(shop, "d")
    assert await outbox.told() == ["phone: down shop"]
    await outbox.channel("late")  # a new default channel has heard of nothing
    await outbox.rules(shop, steps=[{"channels": [boss]}])
    await outbox.seen(shop, "u")
    assert await outbox.told() == ["phone: up shop"]


async def test_an_outage_that_was_over_before_it_was_told_is_one_item(outbox: Outbox) -> None:
    """TRAP 7: and its end goes out with it."""
    await outbox.channel()
    shop = await outbox.monitor()
    await outbox.seen(shop, "du", every_s=420)
    message = await outbox.gather()
    assert message
    assert await outbox.said(message) == "phone: down shop"
    kinds = "select kind from notifications where message_id = %s order by id"
    assert await fetch(outbox.pool, kinds, message) == [("down",), ("up",)]
    assert await outbox.delivered(message)
    assert await outbox.told() == []


async def test_channels_of_groups_and_none(outbox: Outbox) -> None:
    phone = await outbox.channel("phone")
    mail = await outbox.channel("mail", default=False)
    await outbox.run("insert into channel_groups (name, channel_ids) values ('all', %s)", [phone, mail, 999])
    shop = await outbox.monitor("shop", {"steps": [{"groups": [1], "channels": [mail]}]})
    quiet = await outbox.monitor("quiet", {"steps": []})
    await outbox.seen([shop, quiet], "d")
    assert sorted(await outbox.told()) == ["mail: down shop", "phone: down shop"]


async def test_a_pause_calls_off_what_was_not_told(outbox: Outbox) -> None:
    await outbox.channel()
    shop = await outbox.monitor()
    await outbox.seen(shop, "d")
    await outbox.run("update monitors set enabled = false")
    assert await outbox.told() == []
    await outbox.run("update monitors set enabled = true")
    await outbox.seen(shop, "d")
    assert await outbox.told() == ["phone: down shop"]  # a new outage
    await outbox.run("update monitors set enabled = false")
    assert await outbox.told() == []  # who pauses knows


async def test_a_deleted_monitor_is_not_talked_of(outbox: Outbox) -> None:
    """TRAP 17."""
    await outbox.channel()
    shop, bar = await outbox.monitor("shop"), await outbox.monitor("bar", {"remind_every_s": 60})
    await outbox.seen([shop, bar], "d", every_s=0)
    await outbox.run("update monitors set archived_at = now() where id = %s", shop)
    assert await outbox.told() == ["phone: down bar"]
    await outbox.run("update monitors set archived_at = now() where id = %s", bar)
    await outbox.later(600)
    assert await outbox.told() == []
    assert await outbox.waiting() == []


async def test_trouble_of_pinguins_own_is_told_once_to_the_default_channels(outbox: Outbox) -> None:
    """TRAP 9."""
    await outbox.channel("phone")
    await outbox.channel("other", default=False)
    problem = "insert into pipeline_incidents (code, region, message) values ('no_worker', 'local', %s) " \
        "on conflict (code, region) where ended_at is null do update set message = excluded.message"  # fmt: skip
    await outbox.run(problem, "no worker")
    assert await outbox.told() == []  # it may be over in a moment
    await outbox.run(problem, "no worker at all")
    await outbox.later(20)
    assert await outbox.told() == ["phone: pipeline Pinguin"]
    await outbox.run("update pipeline_incidents set ended_at = now() where ended_at is null")
    assert await outbox.told() == ["phone: pipeline_over Pinguin"]
    await outbox.run(problem, "no worker again")
    await outbox.run("update pipeline_incidents set ended_at = now() where ended_at is null")
    await outbox.later(60)
    assert await outbox.told() == []
    assert await outbox.waiting() == []


async def test_an_outage_resolved_by_hand_is_over(outbox: Outbox) -> None:
    await outbox.outage()
    await outbox.run("update incidents set ended_at = now(), closed_by = 'hand', resolved_by = 'ada'")
    await outbox.later(5)
    async with outbox.pool.connection() as conn:
        claimed = await alerts.claim(conn, outbox.sender, 30)
        assert claimed is not None
        told = letter(claimed, await alerts.items(conn, claimed.id), "", None).item
    assert (told.kind, told.resolved_by) == ("up", "ada")
    assert headline(told, told.at).startswith("RESOLVED shop: was down ")


@pytest.mark.parametrize(
    "rules",
    [
        [], {"steps": {}}, {"steps": [1]}, {"steps": [{"channels": 1}]}, {"steps": [{"channels": ["phone"]}]},
        {"steps": [{"after_s": "soon"}]}, {"steps": [{"groups": [1.5]}]}, {"remind_every_s": "1 h"},
        {"flap_outages": None}, {"on_degraded": "perhaps"}, {"certificate_days": 3}, {"certificate_days": ["7"]},
        {"slow_percentile": 5}, {"slow_percentile": {"above_ms": "fast"}},
    ],
)  # fmt: skip
async def test_rules_that_no_trigger_could_read_are_refused_where_they_are_written(
    outbox: Outbox, rules: object
) -> None:
    """Else one monitor, edited by hand, would hold up the results of all."""
    shop = await outbox.monitor()
    with pytest.raises(psycopg.errors.CheckViolation):
        await outbox.run("update monitors set alerts = %s where id = %s", Jsonb(rules), shop)


async def test_rules_that_are_good_are_taken(outbox: Outbox) -> None:
    full = {
        "steps": [{"channels": [1], "groups": [], "after_s": 0}, {}], "remind_every_s": 60, "on_degraded": False,
        "on_unknown": True, "flap_outages": 0, "flap_window_s": 60, "certificate_days": [0, 30],
        "slow_percentile": {"above_ms": 0.5, "percentile": 99.9, "window_s": 60},
    }  # fmt: skip
    good: list[dict[str, Any]] = [full, {}, {"steps": None, "slow_percentile": None}, {"steps": []}]
    for rules in good:
        await outbox.monitor(rules=rules)
