"""The recorder, against a real database."""

from __future__ import annotations

import asyncio
import random
from datetime import UTC, datetime, timedelta
from statistics import median

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pinguin.broker import Broker
from pinguin.db import Pool, connection, make_pool
from pinguin.errors import Unavailable
from pinguin.lifecycle import cancel
from pinguin.model import Job, Policy, Result, State, Status, advance
from pinguin.store import upkeep
from pinguin.worker.recorder import Recorder, record
from pinguin.worker.spill import Spill
from tests.conftest import Services
from tests.factory import EPOCH, add_monitor, fetch, result

DOWN, UP, UNKNOWN = Status.DOWN, Status.UP, Status.UNKNOWN


async def test_results_states_transitions_and_incidents_are_written_together(pool: Pool) -> None:
    shop = await add_monitor(pool, failure_threshold=2)
    await record(pool, [result(shop, 0), result(shop, 60, DOWN), result(shop, 120, DOWN, evidence={"status": 503})])
    assert await fetch(pool, "select status, reason, latency_ms from results order by scheduled_at") == [
        ("up", None, 12.5),
        ("down", "refused", None),
        ("down", "refused", None),
    ]
    assert await fetch(pool, "select status, since, failures from monitor_states") == [
        ("down", EPOCH + timedelta(seconds=60), 2)
    ]
    history = "select from_status, to_status, incident_id is not null from transitions order by id"
    assert await fetch(pool, history) == [(None, "pending", False), ("pending", "up", False), ("up", "down", True)]
    ((started, confirmed, ended, evidence),) = await fetch(
        pool, "select started_at, confirmed_at, ended_at, evidence from incidents"
    )
    assert (started, confirmed, ended) == (EPOCH + timedelta(seconds=60), EPOCH + timedelta(seconds=120), None)
    assert evidence["status"] == 503


async def test_recovery_closes_the_incident(pool: Pool) -> None:
    shop = await add_monitor(pool, failure_threshold=1, recovery_threshold=2)
    await record(pool, [result(shop, 0, DOWN), result(shop, 60)])
    assert await fetch(pool, "select ended_at from incidents") == [(None,)]
    await record(pool, [result(shop, 120)])
    assert await fetch(pool, "select ended_at, closed_by from incidents") == [
        (EPOCH + timedelta(seconds=60), "recovery")
    ]


async def test_of_a_batch_what_is_new_counts_once(pool: Pool) -> None:
    """Beside results that are there already, one that is in the batch twice, and one of a monitor that is gone."""
    shop = await add_monitor(pool)
    await record(pool, [result(shop, 0)])
    late = [result(shop, 0, Status.DOWN), result(shop, 60), result(shop, 60), result(shop + 1, 60)]
    await record(pool, [*late, result(shop, 120)])
    assert await fetch(pool, "select count(*), count(distinct scheduled_at) from results") == [(3, 3)]
    assert await fetch(pool, "select status, successes, failures from monitor_states") == [("up", 3, 0)]


async def test_of_two_of_a_slot_in_a_batch_the_one_that_counts_is_written(pool: Pool) -> None:
    """A job that was handed out again, and whose first worker answers after all."""
    shops = [await add_monitor(pool, failure_threshold=1) for _ in range(20)]
    await record(pool, [result(shop, 60, status) for shop in shops for status in (DOWN, UP)])
    assert await fetch(pool, "select status, count(*)::int from results group by 1") == [("down", 20)]
    assert await fetch(pool, "select status, count(*)::int from monitor_states group by 1") == [("down", 20)]


async def test_recording_twice_changes_nothing(pool: Pool) -> None:
    """TRAP 22."""
    shop = await add_monitor(pool, failure_threshold=2)
    for _ in range(3):
        await record(pool, [result(shop, 0, DOWN)])
    assert await fetch(pool, "select failures, status from monitor_states") == [(1, "pending")]
    assert await fetch(pool, "select count(*) from results") == [(1,)]


async def test_a_first_result_that_is_down_makes_one_incident(pool: Pool) -> None:
    """TRAP 3."""
    shop = await add_monitor(pool, failure_threshold=1)
    await record(pool, [result(shop, 0, DOWN), result(shop, 60, DOWN)])
    assert await fetch(pool, "select count(*) from incidents") == [(1,)]
    assert await fetch(pool, "select count(*) from transitions where to_status = 'down'") == [(1,)]


async def test_a_result_that_was_in_flight_during_a_pause_changes_nothing(pool: Pool) -> None:
    """TRAP 8."""
    shop = await add_monitor(pool, failure_threshold=1)
    await record(pool, [result(shop, 0)])
    await fetch(pool, "update monitors set enabled = false returning 1")
    await record(pool, [result(shop, 60, DOWN)])
    assert await fetch(pool, "select status from monitor_states") == [("paused",)]
    assert await fetch(pool, "select count(*) from incidents") == [(0,)]


async def test_a_result_of_the_definition_before_an_edit_changes_nothing(pool: Pool) -> None:
    """TRAP 8."""
    shop = await add_monitor(pool, failure_threshold=1)
    await fetch(pool, "update monitors set interval_s = 30 returning 1")
    await record(pool, [result(shop, 0, DOWN, version=1)])
    assert await fetch(pool, "select status, version, last_slot from monitor_states") == [("pending", 2, None)]
    await record(pool, [result(shop, 30, DOWN, version=2)])
    assert await fetch(pool, "select status from monitor_states") == [("down",)]


async def test_pausing_closes_the_incident_and_resuming_begins_anew(pool: Pool) -> None:
    shop = await add_monitor(pool, failure_threshold=1)
    await record(pool, [result(shop, 0, DOWN)])
    await fetch(pool, "update monitors set enabled = false returning 1")
    assert await fetch(pool, "select closed_by from incidents") == [("pause",)]
    await fetch(pool, "update monitors set enabled = true returning 1")
    states = "select status, version, failures, incident_id from monitor_states"
    assert await fetch(pool, states) == [("pending", 3, 0, None)]
    chain = "select from_status, to_status from transitions order by id"
    assert await fetch(pool, chain) == [
        (None, "pending"),
        ("pending", "down"),
        ("down", "paused"),
        ("paused", "pending"),
    ]


async def test_a_deleted_monitors_result_is_not_a_resurrection(pool: Pool) -> None:
    shop = await add_monitor(pool, failure_threshold=1)
    await fetch(pool, "update monitors set archived_at = now() returning 1")
    await record(pool, [result(shop, 0, DOWN), result(999, 0, DOWN)])
    assert await fetch(pool, "select status from monitor_states") == [("paused",)]
    assert await fetch(pool, "select count(*) from results where monitor_id = 999") == [(0,)]


async def test_racing_recorders_count_every_result_once(pool: Pool) -> None:
    monitors = [await add_monitor(pool, name=f"m{n}", failure_threshold=3) for n in range(5)]
    batches = [[result(m, 60 * n, DOWN) for m in random.sample(monitors, 5)] for n in range(30)]
    for start in range(0, 30, 2):  # two recorders at a time, each batch twice
        await asyncio.gather(*[record(pool, batch) for batch in batches[start : start + 2] * 2])
    assert await fetch(pool, "select count(*) from results") == [(150,)]
    assert await fetch(pool, "select count(*) from incidents where ended_at is null") == [(5,)]


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.data())
async def test_the_database_ends_where_the_state_machine_ends(pool: Pool, data: st.DataObject) -> None:
    statuses = data.draw(st.lists(st.sampled_from([UP, DOWN, UNKNOWN, Status.DEGRADED]), min_size=1, max_size=12))
    policy = Policy(data.draw(st.integers(1, 3)), data.draw(st.integers(1, 3)))
    monitor = await add_monitor(
        pool, failure_threshold=policy.failure_threshold, recovery_threshold=policy.recovery_threshold
    )
    history = [result(monitor, 60 * n, status) for n, status in enumerate(statuses)]
    state = State(Status.PENDING, EPOCH - timedelta(seconds=60), 1)
    for each in history:
        state, _ = advance(state, each, policy)
    cut = data.draw(st.integers(0, len(history)))
    for batch in (history[:cut], history[cut:]):
        if batch:
            await record(pool, batch)
    columns = "status, since, last_slot, failures, successes, unknowns, incident_id is not null"
    rows = await fetch(pool, f"select {columns} from monitor_states where monitor_id = %s", monitor)
    assert rows == [
        (state.status, state.since, state.last_slot, state.failures, state.successes, state.unknowns, state.down)
    ]


def recorder_of(pool: Pool, broker: Broker) -> Recorder:
    return Recorder(pool, broker, Spill(broker, "test", 1000))


def job(each: Result) -> Job:
    return Job(each.monitor_id, int(each.scheduled_at.timestamp()), each.version, 1, each.region)


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """No slow commit goes to the spill."""
    monkeypatch.setattr("pinguin.worker.recorder.PATIENCE_S", 60)
    monkeypatch.setattr("pinguin.worker.recorder.COMMIT_S", 60)


@pytest.mark.usefixtures("patient")
async def test_a_result_is_committed_within_a_quarter_of_a_second(pool: Pool, broker: Broker) -> None:
    """Most of ten in a row: this machine may be busy with something else during others."""
    shop = await add_monitor(pool)
    recording = recorder_of(pool, broker)
    task = asyncio.create_task(recording.run())
    waits: list[float] = []
    while len(waits) < 10 or (len(waits) < 100 and median(waits[-10:]) >= 0.25):
        n, began = len(waits), asyncio.get_running_loop().time()
        recording.add(job(result(shop, n)), result(shop, n))
        await recording.flushed()
        waits.append(asyncio.get_running_loop().time() - began)
    await cancel(task)
    assert median(waits[-10:]) < 0.25
    assert await fetch(pool, "select count(*) from results") == [(len(waits),)]


@pytest.mark.usefixtures("patient")
async def test_a_result_that_the_database_refuses_does_not_hold_up_the_others(pool: Pool, broker: Broker) -> None:
    shop = await add_monitor(pool)
    recording = recorder_of(pool, broker)
    task = asyncio.create_task(recording.run())
    for n in range(5):
        each = result(shop, n, message="NUL \x00 is no text" if n == 2 else None)
        recording.add(job(each), each)
    await asyncio.wait_for(recording.flushed(), 60)
    await cancel(task)
    assert await fetch(pool, "select count(*) from results") == [(4,)]


async def test_a_database_that_is_not_there_is_unavailable() -> None:
    absent = make_pool("postgresql://nobody@127.0.0.1:1/none?connect_timeout=1", 1, timeout_s=0.3)
    async with absent:
        with pytest.raises(Unavailable):
            await record(absent, [result()])


async def test_a_monitor_without_results_becomes_unknown_and_comes_back(pool: Pool, stack: Services) -> None:
    shop = await add_monitor(pool, interval_s=1, timeout_s=1, failure_threshold=1)
    patient = await add_monitor(pool, None, interval_s=3600)
    await record(pool, [result(shop, 0)])
    async with connection(pool) as conn:
        assert await upkeep.mark_quiet(conn, EPOCH, {}) == []
        assert await upkeep.mark_quiet(conn, datetime.now(UTC), {}) == [shop]
        assert await upkeep.mark_quiet(conn, datetime.now(UTC), {}) == []
    states = "select monitor_id, status, reason from monitor_states order by monitor_id"
    assert await fetch(pool, states) == [(shop, "unknown", "quiet"), (patient, "pending", None)]
    later = (await fetch(pool, "select extract(epoch from now() - %s)::int", EPOCH))[0][0]
    await record(pool, [result(shop, later)])
    assert await fetch(pool, states) == [(shop, "up", None), (patient, "pending", None)]
