"""In whatever order two recorders commit, the database ends where the state machine ends. TRAP 5.

Dispatch has one job of a monitor and region in flight until its result is kept, and spilled results are written before
newer ones: so the results of one monitor come in the order of slots, those of different monitors in any. Where one
comes late all the same (a worker stood still past its lease), it is kept and changes nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from datetime import timedelta
from random import Random

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pinguin.db import Pool
from pinguin.model import Policy, Result, State, Status, Transition, advance
from pinguin.worker.recorder import record
from tests.factory import EPOCH, add_monitor, fetch, result

STATUSES = st.sampled_from([Status.UP, Status.DOWN, Status.UNKNOWN, Status.DEGRADED])
CHANCE = st.randoms(use_true_random=False)
POLICY = Policy(failure_threshold=2, recovery_threshold=2, interval_s=60, timeout_s=5)
property_of_the_database = settings(
    max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)


async def made(pool: Pool) -> int:
    return await add_monitor(pool, failure_threshold=2, recovery_threshold=2, interval_s=60, timeout_s=5)


def folded(results: Iterable[Result]) -> tuple[State, list[Transition]]:
    """The state after these results, one after the other, and all transitions."""
    state = State(Status.PENDING, EPOCH - timedelta(minutes=1), 1)
    transitions: list[Transition] = []
    for each in results:
        state, new = advance(state, each, POLICY)
        transitions += new
    return state, transitions


async def assert_ends(pool: Pool, monitor: int, counted: Iterable[Result], stored: int) -> None:
    """The rows of `monitor` are those of the state machine after the results that counted."""
    state, transitions = folded(counted)
    columns = "status, since, last_slot, failures, successes, unknowns, incident_id is not null"
    assert await fetch(pool, f"select {columns} from monitor_states where monitor_id = %s", monitor) == [
        (state.status, state.since, state.last_slot, state.failures, state.successes, state.unknowns, state.down)
    ]
    history = "select at, to_status from transitions where monitor_id = %s and from_status is not null order by id"
    assert await fetch(pool, history, monitor) == [(each.at, each.to_status) for each in transitions]
    incidents = "select count(*), count(*) filter (where ended_at is null) from incidents where monitor_id = %s"
    opened = sum(each.opens for each in transitions)
    assert await fetch(pool, incidents, monitor) == [(opened, int(state.down))]
    assert await fetch(pool, "select count(*) from results where monitor_id = %s", monitor) == [(stored,)]


@property_of_the_database
@given(statuses=st.lists(st.tuples(STATUSES, STATUSES, STATUSES), min_size=1, max_size=6), chance=CHANCE)
async def test_two_recorders_in_any_interleaving_end_in_the_same_state(
    pool: Pool, statuses: list[tuple[Status, ...]], chance: Random
) -> None:
    monitors = [await made(pool) for _ in range(3)]
    length = len(statuses)
    histories = {m: [result(m, 60 * n, slot[i]) for n, slot in enumerate(statuses)] for i, m in enumerate(monitors)}

    async def recorder(batches: Sequence[Sequence[Result]]) -> None:
        for batch in batches:
            await record(pool, batch)

    done = dict.fromkeys(monitors, 0)
    while any(done[m] < length for m in monitors):
        # Each monitor's next results are with one of the two, until they are committed.
        hands: tuple[list[Result], list[Result]] = ([], [])
        for m in chance.sample(monitors, len(monitors)):
            upto = chance.randint(min(done[m] + 1, length), length)
            chance.choice(hands).extend(histories[m][done[m] : upto])
            done[m] = upto
        cuts = [chance.randint(0, len(hand)) for hand in hands]
        halves = [[hand[:cut], hand[cut:]] for hand, cut in zip(hands, cuts, strict=True)]
        await asyncio.gather(*(recorder([half for half in each if half]) for each in halves))
    for m in monitors:
        await assert_ends(pool, m, histories[m], length)


@property_of_the_database
@given(statuses=st.lists(STATUSES, min_size=2, max_size=8), chance=CHANCE)
async def test_what_comes_late_is_kept_and_changes_nothing(pool: Pool, statuses: list[Status], chance: Random) -> None:
    monitor = await made(pool)
    history = [result(monitor, 60 * n, status) for n, status in enumerate(statuses)]
    in_time: list[Result] = []
    for each in chance.sample(history, len(history)):
        await record(pool, [each])
        if not in_time or each.scheduled_at > in_time[-1].scheduled_at:
            in_time.append(each)
    await assert_ends(pool, monitor, in_time, len(history))


@property_of_the_database
@given(pairs=st.lists(st.tuples(STATUSES, STATUSES), min_size=1, max_size=4))
async def test_the_same_slot_from_two_workers_counts_once(pool: Pool, pairs: list[tuple[Status, Status]]) -> None:
    """A worker that stood still brings what another has done meanwhile, perhaps with another outcome."""
    monitor = await made(pool)
    first = [result(monitor, 60 * n, status) for n, (status, _) in enumerate(pairs)]
    again = [result(monitor, 60 * n, status) for n, (_, status) in enumerate(pairs)]
    for each in first:
        await record(pool, [each])
    await asyncio.gather(*(record(pool, [each]) for each in again))
    await assert_ends(pool, monitor, first, len(first))
