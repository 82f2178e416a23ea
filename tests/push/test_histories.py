"""What pings and silence mean in any history at all."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from pinguin.model import Status
from pinguin.push import ALWAYS, Kind, Ping, Rules, judge, look_at, receive
from tests.push.test_schedule import schedules
from tests.push.watching import BEGAN, A, B, after, fresh

KINDS: tuple[Kind, ...] = ("start", "success", "fail", "log", "exit")
rules_of = st.builds(
    lambda rules, grace, longest: msgspec.structs.replace(rules, grace_s=grace, max_run_s=longest),
    schedules,
    st.integers(1, 100_000),
    st.sampled_from((0, 1, 60, 90_000)),
)
steps = st.lists(
    st.tuples(
        st.floats(0, 200_000),
        st.sampled_from((*KINDS, "judge", "judge")),
        st.sampled_from((None, A, B)),
        st.sampled_from((0, 1, 255)),
        st.floats(0, 300_000),
    ),
    max_size=25,
)


@settings(max_examples=200, deadline=None)
@given(rules_of, steps)
def test_in_every_history_times_only_grow_and_no_silence_is_judged_too_soon(rules: Rules, story: list[Any]) -> None:
    watch, now, newest, last_end = fresh(rules), BEGAN, BEGAN - timedelta(1), BEGAN
    opened = ALWAYS
    for wait, what, run, code, back in story:
        now += timedelta(seconds=wait)
        if what == "judge":
            opened = max(opened, now - timedelta(seconds=back)) if back < 1000 else opened
            watch, verdicts = judge(watch, rules, now, opened)
            assert judge(watch, rules, now, opened)[1] == ()  # whoever judges again finds nothing
        else:
            watch, taken = receive(watch, rules, Ping(id=A, kind=what, run_id=run, exit_code=code), now)
            verdicts = (taken.verdict,) if taken.verdict else ()
            assert taken.duration is None or taken.duration >= timedelta(0)
            assert taken.at >= now
        for verdict in verdicts:
            assert verdict.at > newest  # the natural key of results
            newest = verdict.at
            if verdict.reason == "missed":
                assert verdict.at >= last_end + min(rules.grace, timedelta(seconds=rules.period_s))
                assert verdict.at >= min(opened + rules.grace, now) or opened == ALWAYS or verdict.at > opened
            assert what != "judge" or verdict.at <= now + timedelta(microseconds=len(story))
        if what in ("success", "fail", "exit"):
            last_end = now
        assert watch.deadline is None or watch.expected_at is None or watch.deadline >= watch.expected_at + rules.grace
        assert len(watch.runs) <= 3
        if what == "judge":
            following = look_at(watch, rules, opened)
            assert following is None or following > now


@settings(max_examples=150, deadline=None)
@given(rules_of, st.lists(st.floats(0.001, 1), min_size=1, max_size=20))
def test_a_job_that_pings_before_each_deadline_is_never_down(rules: Rules, shares: list[float]) -> None:
    """However late in its grace."""
    watch = fresh(rules)
    now = BEGAN
    for share in shares:
        assert watch.deadline is not None
        assert watch.expected_at is not None
        now = max(now, watch.expected_at + (watch.deadline - watch.expected_at) * share * 0.999)
        watch, verdicts = judge(watch, rules, now, ALWAYS)
        assert verdicts == ()
        watch, taken = receive(watch, rules, Ping(id=A), now)
        assert taken.verdict is not None
        assert taken.verdict.status is Status.UP


@settings(max_examples=150, deadline=None)
@given(rules_of, st.floats(0, 500_000), st.floats(1, 500_000))
def test_a_job_that_stops_is_missed_whenever_one_looks(rules: Rules, second: float, late: float) -> None:
    watch, _ = receive(fresh(rules), rules, Ping(id=A), after(second))
    assert watch.deadline is not None
    due = watch.deadline
    assert judge(watch, rules, due - timedelta(microseconds=1), ALWAYS)[1] == ()
    _, verdicts = judge(watch, rules, due + timedelta(seconds=late), ALWAYS)
    assert [(verdict.reason, verdict.at) for verdict in verdicts] == [("missed", due)]


@settings(max_examples=150, deadline=None)
@given(rules_of, st.floats(0, 100_000), st.floats(0.5, 10_000), st.floats(0, 100_000))
def test_no_outage_of_ours_is_one_of_theirs(rules: Rules, closed: float, length: float, more: float) -> None:
    """A job that pings as soon as it can again, within its grace, was never missed."""
    watch, _ = receive(fresh(rules), rules, Ping(id=A), after(closed))
    opened = after(closed + length)
    back = opened + rules.grace * 0.99
    watch, verdicts = judge(watch, rules, back, opened)
    assert all(verdict.at >= opened + rules.grace for verdict in verdicts) or watch.expected_at is None
    if watch.expected_at is not None and watch.expected_at <= opened:
        assert verdicts == ()
