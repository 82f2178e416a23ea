"""When pings are expected, over clock changes too."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pinguin.errors import InvalidInput
from pinguin.push import Rules, check_schedule, expected_after, in_words

ZONES = (
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "Asia/Kolkata",
    "Pacific/Apia",
    "America/Sao_Paulo",
)
EXPRESSIONS = (
    "* * * * *",
    "*/5 * * * *",
    "0 * * * *",
    "30 2 * * *",
    "0 3 * * *",
    "15 1 * * 0",
    "0 0 1 * *",
    "59 23 L * *",
    "0 */6 * * 1-5",
)

moments = st.datetimes(datetime(2020, 1, 1), datetime(2034, 1, 1)).map(lambda at: at.replace(tzinfo=UTC))
cron = st.builds(
    lambda expression, zone: Rules(schedule="cron", expression=expression, zone=zone),
    st.sampled_from(EXPRESSIONS),
    st.sampled_from(ZONES),
)
period = st.integers(1, 400 * 86400).map(lambda seconds: Rules(period_s=seconds))
schedules = cron | period


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def times(expression: str, zone: str, after: str, count: int) -> list[str]:
    found, at = [], utc(after)
    for _ in range(count):
        following = expected_after(Rules(schedule="cron", expression=expression, zone=zone), at)
        assert following is not None
        at = following
        found.append(f"{at:%m-%d %H:%M}")
    return found


@given(schedules, moments)
def test_it_is_always_later_and_in_utc(rules: Rules, moment: datetime) -> None:
    at = expected_after(rules, moment)
    assert at is not None
    assert at > moment
    assert at.tzinfo is UTC


@given(schedules, moments, st.timedeltas(timedelta(0), timedelta(days=40)))
def test_a_later_ping_never_makes_the_next_one_be_expected_sooner(
    rules: Rules, moment: datetime, later: timedelta
) -> None:
    first, second = expected_after(rules, moment), expected_after(rules, moment + later)
    assert first is not None
    assert second is not None
    assert first <= second


@given(cron, moments)
def test_the_times_of_a_cron_expression_are_the_same_wherever_one_begins(rules: Rules, moment: datetime) -> None:
    first = expected_after(rules, moment)
    assert first is not None
    between = moment + (first - moment) / 2
    assert expected_after(rules, between) == first
    assert expected_after(rules, first - timedelta(microseconds=1)) == first


@given(moments, st.sampled_from(ZONES))
def test_a_daily_job_is_expected_every_day_once_whatever_the_clocks_do(moment: datetime, name: str) -> None:
    rules, zone = Rules(schedule="cron", expression="30 2 * * *", zone=name), ZoneInfo(name)
    at: datetime | None = moment
    days = []
    for _ in range(5):
        assert at is not None
        at = expected_after(rules, at)
        assert at is not None
        days.append(at.astimezone(zone).date())
    gaps = {(later - earlier).days for earlier, later in pairwise(days)}
    assert gaps <= ({1} if name != "Pacific/Apia" else {1, 2})


def test_a_night_job_when_clocks_go_forward() -> None:
    """02:30 does not exist on 29 March 2026: the job runs when cron runs it, at 03:00 summer time."""
    found = times("30 2 * * *", "Europe/Berlin", "2026-03-27T12:00", 3)
    assert found == ["03-28 01:30", "03-29 01:00", "03-30 00:30"]


def test_a_night_job_when_clocks_go_back() -> None:
    """02:30 comes twice on 25 October 2026: the job runs once."""
    found = times("30 2 * * *", "Europe/Berlin", "2026-10-23T12:00", 3)
    assert found == ["10-24 00:30", "10-25 00:30", "10-26 01:30"]
    assert times("30 2 * * *", "Europe/Berlin", "2026-10-25T00:45", 1) == ["10-26 01:30"]


def test_an_hourly_job_runs_every_hour_of_either_night() -> None:
    assert times("0 * * * *", "Europe/Berlin", "2026-03-28T23:30", 4) == [f"03-29 0{hour}:00" for hour in range(4)]
    assert times("0 * * * *", "Europe/Berlin", "2026-10-24T23:30", 4) == [f"10-25 0{hour}:00" for hour in range(4)]


def test_a_period_is_elapsed_time() -> None:
    night = utc("2026-03-28T12:00")
    assert expected_after(Rules(period_s=86400), night) == night + timedelta(days=1)


def test_a_leap_day_and_a_day_that_never_comes() -> None:
    assert times("0 0 29 2 *", "UTC", "2026-01-01T00:00", 1) == ["02-29 00:00"]
    with pytest.raises(InvalidInput):
        check_schedule("cron", "0 0 30 2 *", "UTC")


@pytest.mark.parametrize(
    ("expression", "zone", "field"),
    [
        ("", "UTC", "expression"),
        ("* * * *", "UTC", "expression"),
        ("* * * * * *", "UTC", "expression"),
        ("61 * * * *", "UTC", "expression"),
        ("*/0 * * * *", "UTC", "expression"),
        ("@daily", "UTC", "expression"),
        ("0 3 * * *\n0 4 * * *", "UTC", "expression"),
        ("0 3 * * *", "", "zone"),
        ("0 3 * * *", "Europe/Berlinn", "zone"),
        ("0 3 * * *", "../../etc/passwd", "zone"),
        ("0 3 * * *", "localtime", "zone"),
    ],
)
def test_what_nobody_can_follow_is_refused_by_its_field(expression: str, zone: str, field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        check_schedule("cron", expression, zone)
    assert list(caught.value.fields) == [field]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 s"), (59, "59 s"), (60, "1 min"), (3661, "1 h 1 min 1 s"), (86400, "1 d"), (90000, "1 d 1 h")],
)
def test_spans_in_words(seconds: int, words: str) -> None:
    assert in_words(timedelta(seconds=seconds)) == words
