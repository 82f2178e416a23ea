"""The leader's chores about alerts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pinguin.db import Pool, connection
from pinguin.model import Result, Status
from pinguin.scheduler import alerts as chores
from pinguin.store import alert_chores
from pinguin.store.expiries import Expiries
from pinguin.worker.recorder import record
from tests.alerts_sql.outbox import Outbox
from tests.factory import add_monitor, fetch, result

SOON = "2026-12-31T00:00:00+00:00"
LATER = "2027-06-30T00:00:00+00:00"


@pytest.fixture
async def outbox(pool: Pool) -> Outbox:
    return Outbox(pool)


def chain(*ends: str) -> dict[str, Any]:
    return {"chain": [{"subject": f"CN={n}", "not_after": end} for n, end in enumerate(ends)]}


def in_days(days: float) -> str:
    return (datetime.now(UTC) + timedelta(days=days)).isoformat()


async def expiries(pool: Pool) -> list[tuple[Any, ...]]:
    rows = await fetch(pool, "select kind, expires_at, subject from monitor_expiries order by monitor_id, kind")
    return [(kind, at.isoformat(), subject) for kind, at, subject in rows]


async def test_what_runs_out_is_written_with_the_result_that_saw_it(pool: Pool) -> None:
    shop = await add_monitor(pool)
    await record(pool, [result(shop, 0, evidence=chain(LATER, SOON)), result(shop, 60, evidence={"address": "x"})])
    assert await expiries(pool) == [("certificate", SOON, "CN=1")]
    domain = {"domain": {"name": "example.org", "expires_at": LATER}}
    await record(pool, [result(shop, 120, evidence={**chain(LATER), **domain})])
    assert await expiries(pool) == [("certificate", LATER, "CN=0"), ("domain", LATER, "example.org")]


async def test_it_is_written_when_it_changes_and_not_with_every_result(pool: Pool) -> None:
    shop, written = await add_monitor(pool), Expiries()
    await record(pool, [result(shop, 0, evidence=chain(SOON))], written)
    await fetch(pool, "delete from monitor_expiries returning 1")
    await record(pool, [result(shop, 60, evidence=chain(SOON))], written)
    assert await expiries(pool) == []
    await record(pool, [result(shop, 120, evidence=chain(LATER))], written)
    assert await expiries(pool) == [("certificate", LATER, "CN=0")]


async def test_what_an_older_version_saw_is_not_written(pool: Pool) -> None:
    """TRAP 8."""
    shop = await add_monitor(pool)
    await fetch(pool, "update monitors set interval_s = 30 returning 1")
    await record(pool, [result(shop, 0, evidence=chain(SOON))])
    assert await expiries(pool) == []


async def seen(outbox: Outbox, monitor: int, days: float, kind: str = "certificate") -> None:
    await outbox.run(
        "insert into monitor_expiries (monitor_id, kind, expires_at, subject, seen_at) "
        "values (%s, %s, now() + %s * interval '1 day', 'CN=shop', clock_timestamp()) on conflict (monitor_id, kind) "
        "do update set expires_at = excluded.expires_at, seen_at = excluded.seen_at",
        monitor, kind, days,
    )  # fmt: skip


async def closer(outbox: Outbox, days: float) -> None:
    """So many days later, as far as expiries and what was told of them go."""
    await outbox.run("update monitor_expiries set expires_at = expires_at - %s * interval '1 day'", days)
    await outbox.run(
        """
        update notifications n set
          facts = facts || jsonb_build_object('expires_at', e.expires_at),
          key = concat_ws(':', e.kind, e.monitor_id, extract(epoch from e.expires_at)::bigint,
            split_part(n.key, ':', 4), n.channel_id)
        from monitor_expiries e where n.monitor_id = e.monitor_id and n.kind = e.kind
        """
    )


async def told_of(outbox: Outbox) -> list[str]:
    """Once, though the chore runs often."""
    for _ in range(2):
        await chores.tell_expiries(outbox.pool)
    return await outbox.told()


async def test_each_of_the_days_is_told_once(outbox: Outbox) -> None:
    await outbox.channel()
    shop = await outbox.monitor(rules={"certificate_days": [30, 7, 1]})
    await seen(outbox, shop, 40.5)
    assert await told_of(outbox) == []
    await closer(outbox, 10)  # 30.5
    assert await told_of(outbox) == []
    await closer(outbox, 1)  # 29.5
    assert await told_of(outbox) == ["phone: certificate shop"]
    facts = "select facts ->> 'days_left', facts ->> 'subject', facts ? 'expires_at' from notifications"
    assert await fetch(outbox.pool, facts) == [("29", "CN=shop", True)]
    await closer(outbox, 20)  # 9.5
    assert await told_of(outbox) == []
    await closer(outbox, 9)  # 0.5: seven is past as well, and not told beside it
    assert await told_of(outbox) == ["phone: certificate shop"]
    await closer(outbox, 2)
    assert await told_of(outbox) == []


async def test_a_renewed_certificate_starts_anew(outbox: Outbox) -> None:
    await outbox.channel()
    shop = await outbox.monitor()
    await seen(outbox, shop, 2)
    assert await told_of(outbox) == ["phone: certificate shop"]
    await seen(outbox, shop, 90)
    assert await told_of(outbox) == []
    await seen(outbox, shop, 20)
    assert await told_of(outbox) == ["phone: certificate shop"]


async def test_a_certificate_that_is_renewed_before_it_was_told_is_not(outbox: Outbox) -> None:
    await outbox.channel()
    shop = await outbox.monitor()
    await seen(outbox, shop, 2)
    await chores.tell_expiries(outbox.pool)
    await seen(outbox, shop, 90)
    assert await outbox.told() == []
    assert await outbox.ends() == [("certificate", "cancelled", "over")]


async def test_a_certificate_of_two_monitors_is_told_of_both(outbox: Outbox) -> None:
    await outbox.channel()
    for name in ("shop", "bar"):
        await outbox.monitor(name)
    await outbox.run(
        "insert into monitor_expiries (monitor_id, kind, expires_at, seen_at) "
        "select id, 'domain', now() + interval '6 days', clock_timestamp() from monitors"
    )
    assert await told_of(outbox) == ["phone: domain shop, domain bar"]


@pytest.mark.parametrize("change", ["enabled = false", "archived_at = now()", "target = 'other', interval_s = 30"])
async def test_nothing_is_told_of_a_monitor_that_is_not_watched_or_watches_something_else(
    outbox: Outbox, change: str
) -> None:
    await outbox.channel()
    shop = await outbox.monitor()
    await seen(outbox, shop, 2)
    await outbox.run(f"update monitors set {change}")
    assert await told_of(outbox) == []


async def test_what_was_not_seen_for_long_is_not_told(outbox: Outbox) -> None:
    await outbox.channel()
    shop = await outbox.monitor()
    await seen(outbox, shop, 2)
    await outbox.run("update monitor_expiries set seen_at = now() - interval '1 day'")
    assert await told_of(outbox) == []


async def test_every_day_can_be_turned_off(outbox: Outbox) -> None:
    await outbox.channel()
    shop = await outbox.monitor(rules={"certificate_days": []})
    await seen(outbox, shop, 2)
    assert await told_of(outbox) == []


async def answered(outbox: Outbox, monitor: int, *latencies: float) -> None:
    """Results of the last minutes."""
    now = datetime.now(UTC)
    await record(outbox.pool, [
        Result(monitor, now - timedelta(seconds=len(latencies) - n), "local", 1, Status.UP, now, each)
        for n, each in enumerate(latencies)
    ])  # fmt: skip


async def forgotten(outbox: Outbox) -> None:
    await outbox.run("delete from results")


async def test_a_slow_spell_begins_above_the_limit_and_ends_well_below_it(outbox: Outbox) -> None:
    await outbox.channel()
    shop = await outbox.monitor(rules={"slow_percentile": {"percentile": 90, "window_s": 600, "above_ms": 100}})
    await answered(outbox, shop, 500, 500, 500, 500)
    await chores.keep_slow_spells(outbox.pool)
    assert await outbox.told() == []  # four say nothing
    await answered(outbox, shop, 20, 20, 20, 500, 500)
    for _ in range(2):
        await chores.keep_slow_spells(outbox.pool)
    assert await outbox.told() == ["phone: slow shop"]
    await forgotten(outbox)
    await answered(outbox, shop, *[95] * 10)
    await chores.keep_slow_spells(outbox.pool)
    assert await outbox.told() == []  # under the limit, but not by a tenth
    await answered(outbox, shop, *[20] * 100)
    await chores.keep_slow_spells(outbox.pool)
    assert await outbox.told() == ["phone: fast shop"]
    values = await fetch(outbox.pool, "select value_ms, ended_at is not null from slow_spells")
    assert values == [(20, True)]


@pytest.mark.parametrize("change", ["alerts = '{}'", "enabled = false", "archived_at = now()"])
async def test_a_spell_ends_without_a_word_when_nobody_looks_any_more(outbox: Outbox, change: str) -> None:
    await outbox.channel()
    shop = await outbox.monitor(rules={"slow_percentile": {"above_ms": 100}})
    await answered(outbox, shop, *[500] * 5)
    await chores.keep_slow_spells(outbox.pool)
    assert await outbox.told() == ["phone: slow shop"]
    await outbox.run(f"update monitors set {change}")
    await chores.keep_slow_spells(outbox.pool)
    assert await outbox.told() == []
    assert await fetch(outbox.pool, "select count(*) from slow_spells where ended_at is null") == [(0,)]


async def test_bad_results_and_old_ones_do_not_count(outbox: Outbox) -> None:
    await outbox.channel()
    shop = await outbox.monitor(rules={"slow_percentile": {"above_ms": 100, "window_s": 60}})
    now = datetime.now(UTC)
    old = [Result(shop, now - timedelta(seconds=90 + n), "local", 1, Status.UP, now, 500.0) for n in range(10)]
    bad = [
        Result(shop, now - timedelta(seconds=n), "local", 1, Status.UNKNOWN, now, 500.0, "internal") for n in range(10)
    ]
    await record(outbox.pool, old + bad)
    await chores.keep_slow_spells(outbox.pool)
    assert await outbox.told() == []


@pytest.mark.parametrize("change", ["enabled = false", "broken_at = now(), broken_reason = 'gone'"])
async def test_what_waits_a_day_for_a_channel_is_given_up(outbox: Outbox, change: str) -> None:
    await outbox.channel()
    shop = await outbox.monitor()
    await outbox.run(f"update channels set {change}")
    await outbox.run(
        "insert into notifications (key, channel_id, monitor_id, kind, at, due_at) "
        "select 'k' || n, 1, %s, 'known', now(), now() from generate_series(1, 3) n",
        shop,
    )
    await chores.tidy(outbox.pool)
    assert await fetch(
        outbox.pool, "select count(*) from notifications where key like 'k%%' and status = 'waiting'"
    ) == [(3,)]
    await outbox.later(86_500)
    await chores.tidy(outbox.pool)
    rest = "select distinct status, held from notifications where key like 'k%%'"
    assert await fetch(outbox.pool, rest) == [("failed", "a day without a channel")]


async def test_what_waits_for_a_channel_that_works_is_kept(outbox: Outbox) -> None:
    await outbox.channel()
    await outbox.seen(await outbox.monitor(), "d")
    await outbox.later(3 * 86_400)
    await chores.tidy(outbox.pool)
    assert await outbox.told() == ["phone: down shop"]


async def test_what_is_old_goes_and_the_rest_stays(outbox: Outbox) -> None:
    """TRAP 23: in bounded pieces."""
    await outbox.channel()
    old, new = await outbox.monitor("old"), await outbox.monitor("new")
    await outbox.seen(old, "du")
    assert await outbox.told() == ["phone: down old"]
    await outbox.later(401 * 86_400)
    await outbox.run("update incident_events set at = at - interval '401 days'")
    await outbox.seen(new, "d")
    assert await outbox.told() == ["phone: down new"]
    async with connection(outbox.pool) as conn:
        assert await alert_chores.forget(conn, timedelta(days=400), 1) == 1
    await chores.tidy(outbox.pool)
    counts = "select (select count(*) from notifications), (select count(*) from messages), " \
        "(select count(*) from attempts), (select count(distinct incident_id) from incident_events), " \
        "(select count(*) from incidents)"  # fmt: skip
    assert await fetch(outbox.pool, counts) == [(1, 1, 1, 1, 2)]
