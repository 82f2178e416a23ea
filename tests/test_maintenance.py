"""Rules and the windows that they make, over many years and many zones."""

from __future__ import annotations

import time as clock
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pinguin import maintenance
from pinguin.errors import InvalidInput
from pinguin.maintenance import Cron, Manual, Monthly, MonthlyWeekday, Once, Recurring, Weekly, Window
from pinguin.wallclock import instant
from tests.test_wallclock import ZONES, shown

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 3, 23, tzinfo=UTC)

TIMES = st.times().map(lambda at: at.replace(second=0, microsecond=0))
DURATIONS = st.integers(60, 14 * 86400)
CRONS = st.sampled_from(
    [
        "*/30 * * * *",
        "0 2 * * *",
        "30 2 * * SUN",
        "0 0 1 * *",
        "15 3 L * *",
        "0 22 * * 1-5",
        "0 1 29 2 *",
        "5 4 * * 1#2",
    ]
)
RULES: st.SearchStrategy[Recurring] = st.one_of(
    st.builds(
        Weekly, days=st.lists(st.integers(1, 7), min_size=1, max_size=7, unique=True), at=TIMES, duration_s=DURATIONS
    ),
    st.builds(Monthly, day=st.one_of(st.just(-1), st.integers(1, 31)), at=TIMES, duration_s=DURATIONS),
    st.builds(
        MonthlyWeekday, nth=st.sampled_from([1, 2, 3, 4, -1]), weekday=st.integers(1, 7), at=TIMES, duration_s=DURATIONS
    ),
    st.builds(Cron, expression=CRONS, duration_s=DURATIONS),
)
BEGINNINGS = st.datetimes(datetime(2000, 2, 1), datetime(2090, 1, 1), timezones=st.just(UTC))


def weekly(day: int, at: str, hours: float, **given: Any) -> Weekly:
    return Weekly(days=[day], at=time.fromisoformat(at), duration_s=round(hours * 3600), **given)


def berlin(text: str) -> datetime:
    return instant(datetime.fromisoformat(text), BERLIN)


def ahead(rule: maintenance.Rule, zone: ZoneInfo = BERLIN, now: datetime = NOW, days: int = 35) -> list[Window]:
    return maintenance.windows(rule, zone, now, now + timedelta(days=days))


@settings(max_examples=60, deadline=None)
@given(
    days=st.lists(st.integers(1, 7), min_size=1, max_size=7, unique=True), at=TIMES, zone=st.sampled_from(ZONES),
    begin=BEGINNINGS, minutes=st.integers(1, 600),
)  # fmt: skip
def test_a_weekly_window_stays_at_its_wall_clock_time(
    days: list[int], at: time, zone: str, begin: datetime, minutes: int
) -> None:
    """TRAP 16: over three years, whatever daylight saving does; and it lasts as long as it says."""
    there = ZoneInfo(zone)
    rule = Weekly(days=days, at=at, duration_s=minutes * 60)
    found = [window for window in rule.occurrences(there, begin) if window.starts_at < begin + 1095 * DAY][:500]
    starts = [window.starts_at for window in found]
    assert starts == sorted(starts)
    assert all(start >= begin for start in starts)
    for start, end in found:
        assert end - start == timedelta(minutes=minutes)
        local = shown(start, there)
        if (local.time(), local.isoweekday() in days) != (at, True):  # the end of a gap that swallowed it
            assert start - shown(start - timedelta(seconds=1), there).replace(tzinfo=UTC) != start - local.replace(
                tzinfo=UTC
            )
    expected = {
        instant(datetime.combine(day, at), there)
        for day in (begin.date() + n * DAY for n in range(-2, 1098))
        if day.isoweekday() in days
    }
    last = starts[-1] if starts else begin
    assert set(starts) == {start for start in expected if begin <= start <= last}


def test_a_weekly_window_over_both_changes_of_clocks() -> None:
    """TRAP 16"""
    rule = weekly(7, "02:30", 2)
    spring = ahead(rule, now=berlin("2026-03-16T00:00"), days=21)
    assert spring == [
        (berlin("2026-03-22T02:30"), berlin("2026-03-22T04:30")),
        (berlin("2026-03-29T03:00"), berlin("2026-03-29T05:00")),  # 02:30 does not exist
        (berlin("2026-04-05T02:30"), berlin("2026-04-05T04:30")),
    ]
    autumn = ahead(rule, now=berlin("2026-10-19T00:00"), days=14)
    assert autumn == [
        (datetime(2026, 10, 25, 0, 30, tzinfo=UTC), datetime(2026, 10, 25, 2, 30, tzinfo=UTC)),  # the first 02:30
        (datetime(2026, 11, 1, 1, 30, tzinfo=UTC), datetime(2026, 11, 1, 3, 30, tzinfo=UTC)),
    ]


@settings(max_examples=80, deadline=None)
@given(rule=RULES, zone=st.sampled_from(ZONES), begin=BEGINNINGS, days=st.integers(1, 70))
def test_windows_never_touch_and_cover_exactly_the_occurrences(
    rule: Recurring, zone: str, begin: datetime, days: int
) -> None:
    there, end = ZoneInfo(zone), begin + timedelta(days=days)
    found = maintenance.windows(rule, there, begin, end)
    assert all(one.ends_at < other.starts_at for one, other in pairwise(found))
    assert all(begin <= window.starts_at < window.ends_at for window in found)
    occurrences = []
    for window in rule.occurrences(there, begin - 15 * DAY):
        if window.starts_at >= end:
            break
        occurrences.append(window)
    edges = {moment for window in (*occurrences, *found) for moment in window}
    for edge in [edge for edge in edges if edge >= begin][:200]:
        for moment in (edge - timedelta(seconds=1), edge):
            if moment >= begin:
                inside = any(starts <= moment < ends for starts, ends in occurrences)
                assert inside == any(starts <= moment < ends for starts, ends in found)


@settings(max_examples=60, deadline=None)
@given(rule=RULES, zone=st.sampled_from(ZONES), begin=BEGINNINGS, first=st.integers(1, 40), second=st.integers(1, 40))
def test_planning_twice_is_planning_once(rule: Recurring, zone: str, begin: datetime, first: int, second: int) -> None:
    """What the chore adds day by day is what one look would have given."""
    there = ZoneInfo(zone)
    middle, end = begin + first * DAY, begin + (first + second) * DAY
    starts = [*maintenance.windows(rule, there, begin, middle), *maintenance.planned(rule, there, middle, end)]
    assert list(maintenance.merged(starts)) == maintenance.windows(rule, there, begin, end)


def test_windows_that_overlap_or_touch_are_one() -> None:
    touching = Weekly(days=[1, 2], at=time(0), duration_s=86400)
    first = berlin("2026-04-06T00:00")
    assert (first, first + 2 * DAY) in ahead(touching)
    overlapping = Cron(expression="0,30 4 * * 6", duration_s=3600)
    assert ahead(overlapping)[0] == (berlin("2026-03-28T04:00"), berlin("2026-03-28T05:30"))


def test_a_window_that_runs_is_cut_at_the_beginning_but_shown_whole() -> None:
    rule, now = weekly(1, "00:00", 4), berlin("2026-03-23T01:00")
    assert ahead(rule, now=now)[0] == (now, now + 3 * HOUR)
    assert maintenance.coming(rule, BERLIN, now, 1) == [(now - HOUR, now + 3 * HOUR)]


@pytest.mark.parametrize(
    ("rule", "starts"),
    [
        (Monthly(day=31, at=time(1), duration_s=60), ["2026-03-31", "2026-05-31", "2026-07-31", "2026-08-31"]),
        (Monthly(day=-1, at=time(1), duration_s=60), ["2026-03-31", "2026-04-30", "2026-05-31", "2026-06-30"]),
        (Monthly(day=29, at=time(1), duration_s=60), ["2026-03-29", "2026-04-29", "2026-05-29", "2026-06-29"]),
        (MonthlyWeekday(nth=2, weekday=2, at=time(1), duration_s=60), ["2026-04-14", "2026-05-12", "2026-06-09"]),
        (MonthlyWeekday(nth=-1, weekday=7, at=time(1), duration_s=60), ["2026-03-29", "2026-04-26", "2026-05-31"]),
        (Cron(expression="0 1 29 2 *", duration_s=60), ["2028-02-29", "2032-02-29"]),
        (Cron(expression="0 1 * * 1#1", duration_s=60), ["2026-04-06", "2026-05-04"]),
        (weekly(1, "01:00", 1, first_day=date(2026, 4, 1), last_day=date(2026, 4, 13)), ["2026-04-06", "2026-04-13"]),
        (Once(starts=datetime(2026, 12, 24, 1), ends=datetime(2026, 12, 27)), ["2026-12-24"]),
    ],
)  # fmt: skip
def test_the_next_windows(rule: maintenance.Rule, starts: list[str]) -> None:
    found = [
        shown(window.starts_at, BERLIN) for window in maintenance.coming(rule, BERLIN, NOW + 2 * HOUR, len(starts))
    ]
    assert found == [datetime.fromisoformat(f"{day}T01:00") for day in starts]


def test_a_rule_that_is_over_has_no_more_windows() -> None:
    assert len(maintenance.coming(weekly(1, "01:00", 1, last_day=date(2026, 4, 13)), BERLIN, NOW, 100)) == 4
    assert maintenance.coming(Manual(), BERLIN, NOW, 5) == []


WRONG = [
    ({"kind": "weekly", "days": [], "at": "02:00:00", "duration_s": 60}, {"days"}),
    ({"kind": "weekly", "days": [0], "at": "02:00:00", "duration_s": 60}, {"days"}),
    ({"kind": "weekly", "days": [8, 1], "at": "02:00:00Z", "duration_s": 59}, {"days", "at", "duration"}),
    ({"kind": "weekly", "days": [1], "at": "02:00:01", "duration_s": 60}, {"at"}),
    ({"kind": "weekly", "days": [1], "at": "25:00:00", "duration_s": 60}, {"rule"}),
    ({"kind": "weekly", "days": [1], "at": "02:00:00", "duration_s": 14 * 86400 + 1}, {"duration"}),
    ({"kind": "weekly", "days": [1], "at": "02:00:00", "duration_s": 10**30}, {"duration"}),
    ({"kind": "weekly", "days": [1], "at": "02:00:00", "duration_s": 60, "hours": 2}, {"rule"}),
    ({"kind": "monthly", "day": 32, "at": "02:00:00", "duration_s": 60}, {"day"}),
    ({"kind": "monthly", "day": 0, "at": "02:00:00", "duration_s": 60, "first_day": "0001-01-01"},
     {"day", "first_day"}),
    (
        {
            "kind": "monthly", "day": 1, "at": "02:00:00", "duration_s": 60, "first_day": "2026-02-01",
            "last_day": "2026-01-01",
        },
        {"last_day"},
    ),
    ({"kind": "monthly_weekday", "nth": 5, "weekday": 0, "at": "02:00:00", "duration_s": 60}, {"nth", "weekday"}),
    ({"kind": "once", "starts": "2026-01-01T00:00:00", "ends": "2026-01-01T00:00:00"}, {"ends"}),
    ({"kind": "once", "starts": "2026-01-01T00:00:00", "ends": "2027-01-03T00:00:00"}, {"ends"}),
    ({"kind": "once", "starts": "0001-01-01T00:00:00", "ends": "9999-12-31T23:59:59"}, {"starts", "ends"}),
    ({"kind": "once", "starts": "2026-01-01T00:00:00Z", "ends": "2026-01-02T00:00:00"}, {"ends"}),
    ({"kind": "yearly"}, {"rule"}),
    ({}, {"rule"}),
]  # fmt: skip


@pytest.mark.parametrize(("values", "fields"), WRONG)
def test_a_wrong_rule_is_refused_by_field(values: dict[str, Any], fields: set[str]) -> None:
    with pytest.raises(InvalidInput) as refused:
        maintenance.parse(values)
    assert set(refused.value.fields) == fields


@pytest.mark.parametrize(
    "expression",
    [
        "", "* * * *", "* * * * * *", "* * * * *", "*/5 * * * *", "0 0 30 2 *", "60 0 * * *", "a b c d e", "@daily",
        "0 0 * * " + "1," * 5000, "9" * 90 + " * * * *", "0 0 L/0 * *", "0 0 * * ²L", "0 0 */0 * *", "0 0 1-0 * *",
        "0 0 31 2,4 *", "0 0 LL * *", "0 0 L/2/3 L 1", "0 0 LW/1 * LW", "0/L * * * *", "\x00 0 * * *", "0 0 * * 1#6",
    ],
)  # fmt: skip
def test_a_cron_expression_that_never_or_always_comes_true_is_refused(expression: str) -> None:
    began = clock.process_time()
    with pytest.raises(InvalidInput) as refused:
        Cron(expression=expression, duration_s=864_000)
    assert set(refused.value.fields) == {"expression"}
    assert clock.process_time() - began < 5


@settings(max_examples=300, deadline=None)
@given(text=st.text(alphabet="0123456789*/,-#LW \x00²aSUN", max_size=40))
def test_no_cron_expression_does_more_than_be_refused(text: str) -> None:
    try:
        rule = Cron(expression=text, duration_s=60)
    except InvalidInput:
        return
    assert len(maintenance.coming(rule, BERLIN, NOW, 2)) <= 2


def test_windows_without_end_are_refused() -> None:
    for rule in (
        Cron(expression="0 * * * *", duration_s=864_000),
        Cron(expression="0 0 * * *", duration_s=86400),
        Weekly(days=[1, 2, 3, 4, 5, 6, 7], at=time(2), duration_s=86400),
        weekly(3, "02:00", 7 * 24),
    ):
        with pytest.raises(InvalidInput) as refused:
            maintenance.check(rule, BERLIN, NOW)
        assert set(refused.value.fields) == {"duration"}
    maintenance.check(weekly(3, "02:00", 6.9 * 24), BERLIN, NOW)


def test_a_rule_without_a_window_to_come_is_refused() -> None:
    for rule, field in (
        (Once(starts=datetime(2026, 1, 1), ends=datetime(2026, 1, 2)), "ends"),
        (weekly(1, "02:00", 1, last_day=date(2026, 3, 1)), "last_day"),
        (Once(starts=datetime(2026, 3, 29, 2, 10), ends=datetime(2026, 3, 29, 2, 50)), "ends"),  # in the gap
    ):
        with pytest.raises(InvalidInput) as refused:
            maintenance.check(rule, BERLIN, NOW)
        assert set(refused.value.fields) == {field}
    maintenance.check(Once(starts=datetime(2100, 1, 1), ends=datetime(2100, 1, 2)), BERLIN, NOW)
    maintenance.check(Manual(), BERLIN, NOW)


@given(rule=RULES)
def test_a_rule_is_read_as_it_was_written(rule: maintenance.AnyRule) -> None:
    assert maintenance.parse(maintenance.plain(rule)) == rule
