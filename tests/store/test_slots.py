"""Slots are computable afterwards, in SQL as in Redis."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pinguin.db import Pool
from pinguin.model import Definition
from tests.factory import EPOCH, add_monitor, fetch


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(monitor_id=st.integers(1, 10**9), interval=st.integers(1, 86400))
async def test_a_phase_lies_within_the_interval(pool: Pool, monitor_id: int, interval: int) -> None:
    ((phase,),) = await fetch(pool, "select slot_phase(%s, %s)", monitor_id, interval)
    assert phase == ((monitor_id * 2654435761 % 2**32) * interval) >> 32
    assert 0 <= phase < interval


async def test_a_thousand_monitors_of_equal_interval_are_a_flat_load(pool: Pool) -> None:
    """TRAP 13."""
    for interval in (20, 30, 60, 300):
        sql = "select count(*) from generate_series(1, 1000) id group by slot_phase(id, %s)"
        counts = [row[0] for row in await fetch(pool, sql, interval)]
        assert max(counts) <= max(1.3 * 1000 / interval, 1000 / interval + 2)


async def test_expected_slots_follow_the_versions(pool: Pool) -> None:
    shop = await add_monitor(pool, EPOCH, interval_s=60)
    for minutes, change in ((10, "interval_s = 30"), (20, "enabled = false"), (30, "enabled = true")):
        at = EPOCH + timedelta(minutes=minutes)
        await fetch(pool, f"update monitors set {change} returning 1")
        await fetch(pool, "update monitor_versions set valid_from = %s where valid_to is null returning 1", at)
        await fetch(
            pool,
            "update monitor_versions set valid_to = %s where version = (select version - 1 from monitors) returning 1",
            at,
        )
    sql = "select version, count(*), min(scheduled_at) from expected_slots(%s, %s) group by version order by version"
    rows = await fetch(pool, sql, EPOCH, EPOCH + timedelta(minutes=40))
    assert [(version, count) for version, count, _ in rows] == [(1, 10), (2, 20), (4, 20)]
    ((phase,),) = await fetch(pool, "select slot_phase(%s, 30)", shop)
    assert all(int(first.timestamp()) % 30 == phase for version, _, first in rows if version > 1)


async def test_every_region_has_its_slots(pool: Pool) -> None:
    await add_monitor(pool, EPOCH, regions=["local", "eu"])
    rows = await fetch(
        pool,
        "select region, count(*) from expected_slots(%s, %s) group by 1 order by 1",
        EPOCH,
        EPOCH + timedelta(hours=1),
    )
    assert rows == [("eu", 60), ("local", 60)]


async def test_nothing_is_owed_before_the_scheduler_can_know_of_a_version(pool: Pool) -> None:
    """A monitor of one second that was just made, and paused again after half a minute."""
    await add_monitor(pool, EPOCH, interval_s=1)
    await fetch(pool, "update monitor_versions set valid_to = %s returning 1", EPOCH + timedelta(seconds=30))
    sql = "select count(*), min(scheduled_at) from expected_slots(%s, %s)"
    around = EPOCH - timedelta(hours=1), EPOCH + timedelta(hours=1)
    assert await fetch(pool, sql, *around) == [(25, EPOCH + timedelta(seconds=5))]
    later = EPOCH + timedelta(seconds=20)
    assert await fetch(pool, sql, later, around[1]) == [(10, later)]


def test_a_definition_is_written_as_lua_reads_it() -> None:
    assert str(Definition(7, 3, 60, 13, 2.5, ["local", "eu"])) == "3:60:13:7500:local,eu"
