"""The state machine: examples, traps and properties."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pinguin.model import Policy, Result, State, Status, Transition, advance
from tests.factory import EPOCH, result

NEW = State(Status.PENDING, EPOCH - timedelta(seconds=60), version=1)
OUTCOMES = [Status.UP, Status.DEGRADED, Status.DOWN, Status.UNKNOWN]


def play(outcomes: str, policy: Policy, state: State = NEW) -> tuple[State, list[Transition]]:
    """One result a minute: u(p), g (degraded), d(own), n (unknown)."""
    names = {"u": Status.UP, "g": Status.DEGRADED, "d": Status.DOWN, "n": Status.UNKNOWN}
    transitions: list[Transition] = []
    for minute, letter in enumerate(outcomes):
        state, made = advance(state, result(second=60 * minute, status=names[letter]), policy)
        transitions += made
    return state, transitions


@pytest.mark.parametrize(
    ("outcomes", "failures", "recoveries", "history"),
    [
        ("u", 1, 1, "pending up"),
        ("d", 1, 1, "pending down"),
        ("d", 2, 1, "pending"),
        ("dd", 2, 1, "pending down"),  # TRAP 3: the first result ever is down: one transition
        ("ud", 2, 1, "pending up"),
        ("udd", 2, 1, "pending up down"),
        ("udud", 2, 1, "pending up"),
        ("uddu", 2, 1, "pending up down up"),
        ("uddu", 2, 2, "pending up down"),
        ("udduu", 2, 2, "pending up down up"),
        ("uddudu", 2, 2, "pending up down"),
        ("ug", 1, 1, "pending up degraded"),
        ("ugu", 1, 1, "pending up degraded up"),
        ("un", 2, 1, "pending up"),
        ("unn", 2, 1, "pending up unknown"),
        ("unnu", 2, 1, "pending up unknown up"),
        ("undnd", 2, 1, "pending up down"),  # no evidence in between does not excuse a failure
        ("dn", 1, 1, "pending down unknown"),
        ("dnu", 1, 2, "pending down unknown down"),
        ("dnuu", 1, 2, "pending down unknown down up"),
    ],
)
def test_history(outcomes: str, failures: int, recoveries: int, history: str) -> None:
    _, transitions = play(outcomes, Policy(failures, recoveries))
    assert " ".join(["pending", *(t.to_status for t in transitions)]) == history


def test_an_outage_begins_with_its_first_failure_and_ends_with_its_first_good_check() -> None:
    _, transitions = play("udddduuu", Policy(3, 2))
    assert [
        (t.to_status, (t.at - EPOCH).seconds // 60, (t.confirmed_at - EPOCH).seconds // 60) for t in transitions
    ] == [
        (Status.UP, 0, 0),
        (Status.DOWN, 1, 3),
        (Status.UP, 5, 6),
    ]


def test_an_incident_stays_open_while_there_is_no_evidence() -> None:
    _, transitions = play("udnndu", Policy(1, 1))
    assert [t.to_status for t in transitions if t.opens] == [Status.DOWN]
    assert [t.to_status for t in transitions if t.closes] == [Status.UP]


def test_a_result_of_an_older_version_changes_nothing() -> None:
    """TRAP 8."""
    state = State(Status.UP, EPOCH, version=2)
    assert advance(state, result(second=60, status=Status.DOWN, version=1), Policy(1, 1)) == (state, ())


def test_a_result_of_an_older_slot_changes_nothing() -> None:
    """TRAP 5."""
    state, _ = play("uu", Policy(1, 1))
    assert advance(state, result(second=0, status=Status.DOWN), Policy(1, 1)) == (state, ())
    assert advance(state, result(second=60, status=Status.DOWN), Policy(1, 1)) == (state, ())


def test_a_paused_monitor_stays_paused() -> None:
    state = State(Status.PAUSED, EPOCH, version=1)
    assert advance(state, result(second=60, status=Status.DOWN), Policy(1, 1)) == (state, ())


def test_a_gap_in_the_results_is_unknown_from_its_first_missing_slot() -> None:
    state, _ = play("uu", Policy(1, 1))
    policy = Policy(1, 1, interval_s=60, timeout_s=10)
    assert advance(state, result(second=60 + 130), policy)[1] == ()
    after, (gap, back) = advance(state, result(second=600), policy)
    assert (gap.at - EPOCH, gap.to_status, gap.reason) == (timedelta(minutes=2), Status.UNKNOWN, "quiet")
    assert (back.at - EPOCH, back.to_status) == (timedelta(minutes=10), Status.UP)
    assert after.status is Status.UP


def test_a_streak_does_not_span_a_gap() -> None:
    """Else the time that nobody watched would be down, or up."""
    policy = Policy(2, 2, interval_s=60, timeout_s=10)
    state, _ = play("uud", policy)
    after, (gap,) = advance(state, result(second=7200, status=Status.DOWN), policy)
    assert (gap.to_status, after.status, after.failures) == (Status.UNKNOWN, Status.UNKNOWN, 1)
    _, (down,) = advance(after, result(second=7260, status=Status.DOWN), policy)
    assert (down.to_status, down.at - EPOCH) == (Status.DOWN, timedelta(seconds=7200))

    marked = msgspec.structs.replace(state, status=Status.UNKNOWN, since=EPOCH + timedelta(seconds=180), reason="quiet")
    again, made = advance(marked, result(second=7200, status=Status.DOWN), policy)
    assert (made, again.failures) == ((), 1)

    recovering, _ = play("ddu", policy)
    later, (gap, back) = advance(recovering, result(second=7200), policy)
    assert (gap.to_status, back.to_status, later.successes) == (Status.UNKNOWN, Status.DOWN, 1)
    _, (up,) = advance(later, result(second=7260), policy)
    assert (up.to_status, up.at - EPOCH) == (Status.UP, timedelta(seconds=7200))


def test_a_result_that_comes_late_leaves_nothing_unknown() -> None:
    """A monitor marked quiet is unknown from its first missing slot: when that result comes after all, for no time."""
    state, _ = play("uu", Policy(1, 1))
    quiet = msgspec.structs.replace(state, status=Status.UNKNOWN, since=EPOCH + timedelta(minutes=2), reason="quiet")
    _, (back,) = advance(quiet, result(second=120), Policy(1, 1))
    assert (back.at, back.to_status) == (quiet.since, Status.UP)


results = st.builds(
    result,
    second=st.integers(0, 50).map(lambda n: n * 60),
    status=st.sampled_from(OUTCOMES),
    version=st.integers(1, 2),
)
policies = st.builds(Policy, st.integers(1, 4), st.integers(1, 4), st.sampled_from([60, 600]))


def test_a_first_check_in_the_second_of_the_creation_does_not_begin_before_it() -> None:
    state = State(Status.PENDING, EPOCH + timedelta(milliseconds=500), version=1)
    _, (transition,) = advance(state, result(second=0), Policy())
    assert transition.at == transition.confirmed_at == state.since


@given(st.lists(results, max_size=60), policies)
def test_transitions_chain_and_never_go_back_in_time(sequence: list[Result], policy: Policy) -> None:
    state, status, at, is_open = NEW, NEW.status, NEW.since, False
    for each in sequence:
        state, transitions = advance(state, each, policy)
        for transition in transitions:
            assert transition.from_status is status
            assert transition.to_status is not status
            assert at <= transition.at <= transition.confirmed_at
            assert transition.opens <= (not is_open)
            assert transition.closes <= is_open
            is_open = (is_open or transition.opens) and not transition.closes
            status, at = transition.to_status, transition.at
    assert (state.status, state.since, state.down) == (status, at, is_open)
    assert not (state.status is Status.DOWN and not state.down)
    assert not (state.status.answers and state.down)


@given(st.lists(results, max_size=40), policies)
def test_playing_a_history_again_changes_nothing(sequence: list[Result], policy: Policy) -> None:
    def end(state: State) -> State:
        for each in sequence:
            state, _ = advance(state, each, policy)
        return state

    assert end(end(NEW)) == end(NEW)


@given(st.lists(results, max_size=40), policies)
def test_a_result_seen_twice_counts_once(sequence: list[Result], policy: Policy) -> None:
    state = NEW
    for each in sequence:
        state, _ = advance(state, each, policy)
        assert advance(state, each, policy) == (state, ())


@given(st.text("udgn", max_size=40), policies)
def test_down_takes_as_many_failures_in_a_row_as_the_policy_says(outcomes: str, policy: Policy) -> None:
    _, transitions = play(outcomes, policy)
    for t in transitions:
        if t.opens:
            minute = int((t.confirmed_at - EPOCH).total_seconds()) // 60
            evidence = outcomes[: minute + 1].replace("n", "")
            assert evidence.endswith("d" * policy.failure_threshold)


@given(st.text("udgn", max_size=40), policies)
def test_recovery_takes_as_many_good_checks_in_a_row_as_the_policy_says(outcomes: str, policy: Policy) -> None:
    _, transitions = play(outcomes, policy)
    for t in transitions:
        if t.closes:
            minute = (t.confirmed_at - EPOCH) // timedelta(minutes=1)
            evidence = outcomes[: minute + 1].replace("n", "").replace("g", "u")
            assert evidence.endswith("u" * policy.recovery_threshold)


gaps = st.lists(st.integers(1, 100_000), min_size=40, max_size=40)


@given(st.text("udgn", max_size=40), policies, gaps)
def test_to_a_passive_monitor_the_time_between_results_means_nothing(
    outcomes: str, policy: Policy, gaps: list[int]
) -> None:
    passive = msgspec.structs.replace(policy, passive=True)
    _, steady = play(outcomes, policy)
    state, names = NEW, {"u": Status.UP, "g": Status.DEGRADED, "d": Status.DOWN, "n": Status.UNKNOWN}
    uneven: list[Transition] = []
    at = 0
    for letter, gap in zip(outcomes, gaps, strict=False):
        at += gap
        state, made = advance(state, result(second=at, status=names[letter]), passive)
        uneven += made
    assert [(t.from_status, t.to_status, t.opens, t.closes) for t in uneven] == [
        (t.from_status, t.to_status, t.opens, t.closes) for t in steady
    ]
    assert all(t.reason != "quiet" for t in uneven)


@given(st.text("udgn", max_size=40), policies, st.integers(0, 40))
def test_an_outage_called_over_by_hand_takes_a_whole_streak_to_open_again(
    outcomes: str, policy: Policy, cut: int
) -> None:
    """As incidents.sql leaves the state: pending, nothing counted, results up to now are of the past."""
    state, _ = play(outcomes[:cut], policy)
    resolved = msgspec.structs.replace(
        state, status=Status.PENDING, failures=0, successes=0, unknowns=0, streak_since=None, down=False
    )
    _, transitions = play(outcomes, policy, resolved)
    opened = next((t for t in transitions if t.opens), None)
    if opened:
        minute = (opened.confirmed_at - EPOCH) // timedelta(minutes=1)
        assert outcomes[min(cut, len(outcomes)) : minute + 1].replace("n", "").endswith("d" * policy.failure_threshold)
