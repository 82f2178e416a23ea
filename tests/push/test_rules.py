"""What pings and silence mean: pure functions."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest

from pinguin.model import Status
from pinguin.push import ALWAYS, Kind, Ping, Rules, Taken, Verdict, Watch, judge, look_at, meaning, plan, receive
from tests.push.watching import BEGAN, A, B, after, fresh


def take(
    watch: Watch, rules: Rules, kind: Kind, second: float, run: UUID | None = None, **more: Any
) -> tuple[Watch, Taken]:
    return receive(watch, rules, Ping(id=uuid4(), kind=kind, run_id=run, **more), after(second))


def silence(watch: Watch, rules: Rules, second: float, open_since: datetime = ALWAYS) -> tuple[Watch, list[Verdict]]:
    watch, verdicts = judge(watch, rules, after(second), open_since)
    return watch, list(verdicts)


def reasons(verdicts: list[Verdict]) -> list[tuple[str | None, float]]:
    return [(verdict.reason, (verdict.at - BEGAN).total_seconds()) for verdict in verdicts]


MINUTE = Rules(period_s=60, grace_s=30)
NIGHTLY = Rules(schedule="cron", expression="30 2 * * *", zone="Europe/Berlin", grace_s=1800, max_run_s=7200)


def test_a_ping_moves_the_deadline() -> None:
    watch, taken = take(fresh(MINUTE), MINUTE, "success", 10)
    assert (watch.expected_at, watch.deadline) == (after(70), after(100))
    assert taken.verdict is not None
    assert (taken.verdict.status, taken.verdict.at, taken.verdict.duration) == (Status.UP, after(10), None)


def test_trap_12_late_inside_the_grace_is_nothing() -> None:
    watch, _ = take(fresh(MINUTE), MINUTE, "success", 0)
    watch, verdicts = silence(watch, MINUTE, 60.2)
    assert verdicts == []
    assert silence(take(watch, MINUTE, "success", 60.2)[0], MINUTE, 120)[1] == []


def test_a_deadline_that_passes_is_told_once_and_then_the_next() -> None:
    watch, _ = take(fresh(MINUTE), MINUTE, "success", 0)
    watch, first = silence(watch, MINUTE, 90)
    assert reasons(first) == [("missed", 90)]
    assert silence(watch, MINUTE, 149.9)[1] == []
    watch, second = silence(watch, MINUTE, 150)
    assert reasons(second) == [("missed", 150)]


def test_many_that_were_missed_are_one_silence() -> None:
    watch, verdicts = silence(fresh(MINUTE), MINUTE, 100_000)
    assert reasons(verdicts) == [("missed", 90)]
    assert watch.deadline is not None
    assert after(100_000) < watch.deadline <= after(100_060)


def test_a_failure_is_down_and_satisfies_the_schedule() -> None:
    watch, taken = take(fresh(MINUTE), MINUTE, "exit", 10, exit_code=3, body="disk full")
    assert taken.verdict is not None
    assert (taken.verdict.status, taken.verdict.reason) == (Status.DOWN, "failed")
    assert taken.verdict.evidence == {"kind": "exit", "exit_code": 3, "body": "disk full"}
    assert watch.deadline == after(100)


@pytest.mark.parametrize("kind", ["log", "start"])
def test_what_is_no_end_makes_no_result(kind: Kind) -> None:
    watch, taken = take(fresh(MINUTE), MINUTE, kind, 10)
    assert taken.verdict is None
    assert watch.expected_at == after(60)


def test_a_run_is_measured() -> None:
    watch, _ = take(fresh(MINUTE), MINUTE, "start", 0)
    watch, taken = take(watch, MINUTE, "success", 12.5)
    assert taken.duration == timedelta(seconds=12.5)
    assert watch.runs == ()


def test_runs_with_ids_are_measured_apart() -> None:
    watch, _ = take(fresh(MINUTE), MINUTE, "start", 0, A)
    watch, _ = take(watch, MINUTE, "start", 5, B)
    watch, first = take(watch, MINUTE, "success", 20, A)
    watch, second = take(watch, MINUTE, "success", 21, B)
    assert (first.duration, second.duration) == (timedelta(seconds=20), timedelta(seconds=16))


def test_an_end_without_an_id_ends_whatever_runs_and_one_with_another_id_nothing() -> None:
    watch, _ = take(fresh(MINUTE), MINUTE, "start", 0, A)
    other, taken = take(watch, MINUTE, "success", 5, B)
    assert taken.duration is None
    assert [run.id for run in other.runs] == [str(A)]
    none, taken = take(watch, MINUTE, "success", 5)
    assert taken.duration is None
    assert none.runs == ()


def test_a_second_start_begins_the_measure_anew() -> None:
    """The job crashed, and was started again."""
    watch, _ = take(fresh(MINUTE), MINUTE, "start", 0)
    watch, _ = take(watch, MINUTE, "start", 7)
    assert take(watch, MINUTE, "success", 10)[1].duration == timedelta(seconds=3)


def test_a_run_that_takes_too_long_is_told_once_and_still_measured() -> None:
    rules = Rules(period_s=86400, max_run_s=100)
    watch, _ = take(fresh(rules), rules, "start", 0, A)
    watch, verdicts = silence(watch, rules, 100)
    assert reasons(verdicts) == [("too_long", 100)]
    watch, verdicts = silence(watch, rules, 5000)
    assert verdicts == []
    assert take(watch, rules, "success", 5001, A)[1].duration == timedelta(seconds=5001)


def test_two_runs_that_take_too_long_are_told_once_each() -> None:
    rules = Rules(period_s=86400, max_run_s=100)
    watch, _ = take(fresh(rules), rules, "start", 0, A)
    watch, _ = take(watch, rules, "start", 1, B)
    watch, verdicts = silence(watch, rules, 200)
    assert reasons(verdicts) == [("too_long", 100), ("too_long", 101)]
    assert silence(watch, rules, 201)[1] == []


def test_a_run_may_take_as_long_as_the_grace_where_nothing_else_is_said() -> None:
    rules = Rules(period_s=86400, grace_s=50)
    watch, _ = take(fresh(rules), rules, "start", 0)
    assert silence(watch, rules, 49)[1] == []
    assert reasons(silence(watch, rules, 50)[1]) == [("too_long", 50)]


def test_a_run_that_began_in_time_puts_the_deadline_off() -> None:
    rules = Rules(period_s=60, grace_s=30, max_run_s=600)
    watch, _ = take(fresh(rules), rules, "success", 0)
    watch, _ = take(watch, rules, "start", 61)
    assert silence(watch, rules, 600)[1] == []
    assert reasons(silence(watch, rules, 661)[1]) == [("too_long", 661)]


def test_a_job_that_only_ever_starts_is_missed_all_the_same() -> None:
    rules = Rules(period_s=60, grace_s=30, max_run_s=600)
    watch, verdicts = fresh(rules), []
    for second in range(0, 1800, 60):
        watch, _ = take(watch, rules, "start", second)
        watch, found = silence(watch, rules, second + 59)
        verdicts += found
    assert reasons(verdicts)[0] == ("missed", 600)


def test_a_ping_a_little_before_its_time_is_the_one_that_was_expected() -> None:
    """A job's clock that is fast: else the next one were expected at once, and missed."""
    rules = Rules(schedule="cron", expression="0 * * * *", grace_s=600)
    watch = fresh(rules)
    assert watch.expected_at == after(3600)
    watch, _ = take(watch, rules, "success", 3600 - 30)
    assert watch.expected_at == after(7200)
    watch, _ = take(watch, rules, "success", 7200 - 90)
    assert watch.expected_at == after(7200)  # too early to be that


def test_a_run_that_ends_just_before_the_next_one_is_not_taken_for_it() -> None:
    rules = Rules(schedule="cron", expression="0 * * * *", grace_s=600, max_run_s=7200)
    watch, _ = take(fresh(rules), rules, "start", 3605)
    watch, _ = take(watch, rules, "success", 7200 - 30)
    assert watch.expected_at == after(7200)


def test_the_night_on_which_clocks_go_forward() -> None:
    """02:30 does not exist; cron runs the job at 03:00 summer time, 01:00 UTC. A run of two hours may follow."""
    watch = fresh(NIGHTLY)
    assert watch.expected_at == datetime(2026, 3, 29, 1, tzinfo=UTC)
    assert watch.deadline == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
    watch, _ = receive(watch, NIGHTLY, Ping(id=A, kind="start"), datetime(2026, 3, 29, 1, 0, 5, tzinfo=UTC))
    watch, verdicts = judge(watch, NIGHTLY, datetime(2026, 3, 29, 3, 0, tzinfo=UTC), ALWAYS)
    assert verdicts == ()
    watch, taken = receive(watch, NIGHTLY, Ping(id=B), datetime(2026, 3, 29, 3, 0, 1, tzinfo=UTC))
    assert taken.duration == timedelta(hours=1, minutes=59, seconds=56)
    assert watch.expected_at == datetime(2026, 3, 30, 0, 30, tzinfo=UTC)


# -- times at which nobody could ping


def test_what_was_waited_for_while_the_door_was_closed_gets_a_grace_from_its_opening() -> None:
    watch, _ = take(fresh(MINUTE), MINUTE, "success", 0)
    for opened in (61, 80, 95, 1000):  # expected at 60, deadline at 90
        assert silence(watch, MINUTE, opened + 29.9, after(opened))[1] == []
        assert look_at(watch, MINUTE, after(opened)) == after(max(90, opened + 30))
        assert reasons(silence(watch, MINUTE, opened + 30, after(opened))[1]) == [("missed", max(90, opened + 30))]


def test_what_is_expected_after_the_opening_is_judged_as_ever() -> None:
    watch, _ = take(fresh(MINUTE), MINUTE, "success", 0)
    assert reasons(silence(watch, MINUTE, 90, after(59))[1]) == [("missed", 90)]


def test_a_run_whose_end_may_have_found_the_door_closed() -> None:
    rules = Rules(period_s=86400, grace_s=30, max_run_s=100)
    watch, _ = take(fresh(rules), rules, "start", 0)
    assert silence(watch, rules, 114, after(85))[1] == []
    assert reasons(silence(watch, rules, 115, after(85))[1]) == [("too_long", 115)]


# -- options


def test_only_post() -> None:
    rules = Rules(methods="POST")
    assert meaning(rules, Ping(id=A, kind="fail", method="GET")) == "ignored"
    assert meaning(rules, Ping(id=A, kind="fail", method="POST")) == "fail"


@pytest.mark.parametrize(
    ("kind", "body", "otherwise", "expected"),
    [
        ("success", "done", "fail", "success"),
        ("success", "done, with an ERROR", "fail", "fail"),
        ("success", "begin", "fail", "start"),
        ("success", "Done", "fail", "fail"),
        ("success", "", "ignore", "ignored"),
        ("fail", "done", "ignore", "fail"),
        ("log", "ERROR", "fail", "log"),
    ],
)
def test_words(kind: Kind, body: str, otherwise: Any, expected: Kind) -> None:
    rules = Rules(
        success_keywords=("done",), failure_keywords=("ERROR",), start_keywords=("begin",), otherwise=otherwise
    )
    assert meaning(rules, Ping(id=A, kind=kind, body=body)) == expected


def test_an_edit_of_the_schedule_expects_nothing_before_it() -> None:
    watch, _ = take(fresh(MINUTE), MINUTE, "success", 0)
    later = msgspec.structs.replace(watch, version=None, changed_at=after(5000))
    assert plan(later, MINUTE, 2).deadline == after(5030)
    assert plan(later, Rules(period_s=9000, grace_s=30), 2).deadline == after(9030)


def test_a_resumption_begins_anew() -> None:
    watch, _ = take(fresh(MINUTE), MINUTE, "success", 0)
    resumed = msgspec.structs.replace(watch, version=None, base_at=after(5000), changed_at=after(5000))
    assert plan(resumed, MINUTE, 3).deadline == after(5090)
