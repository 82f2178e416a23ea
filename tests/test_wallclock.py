from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pinguin.errors import InvalidInput
from pinguin.wallclock import instant, zone_of, zones

MINUTE = timedelta(minutes=1)
ZONES = (
    "UTC", "Europe/Berlin", "America/New_York", "America/Sao_Paulo", "America/St_Johns", "Australia/Lord_Howe",
    "Pacific/Apia", "Pacific/Chatham", "Africa/Casablanca", "Asia/Kathmandu", "Asia/Tehran", "Antarctica/Troll",
)  # fmt: skip
"""Hours, half hours and two hours of daylight saving, in both hemispheres; odd offsets; a day that was left out."""

MOMENTS = st.datetimes(datetime(1990, 1, 1), datetime(2099, 1, 1)).map(lambda at: at.replace(second=0, microsecond=0))


def shown(moment: datetime, zone: ZoneInfo) -> datetime:
    return moment.astimezone(zone).replace(tzinfo=None, fold=0)


def first_shown(local: datetime, zone: ZoneInfo) -> datetime:
    """What `instant` promises, by looking at the clock every minute."""
    moment = local.replace(tzinfo=UTC) - timedelta(hours=15)
    latest = moment + timedelta(hours=56)
    later = None
    while moment < latest:
        clock = shown(moment, zone)
        if clock == local:
            return moment
        if later is None and clock > local and shown(moment - MINUTE, zone) < local:
            later = moment
        moment += MINUTE
    assert later is not None
    return later


@settings(max_examples=150, deadline=None)
@given(local=MOMENTS, name=st.sampled_from(ZONES))
@example(local=datetime(2026, 3, 29, 2, 30), name="Europe/Berlin")
@example(local=datetime(2026, 10, 25, 2, 30), name="Europe/Berlin")
@example(local=datetime(2026, 10, 4, 2, 15), name="Australia/Lord_Howe")
@example(local=datetime(2011, 12, 30, 12, 0), name="Pacific/Apia")
@example(local=datetime(2018, 11, 4, 0, 0), name="America/Sao_Paulo")
def test_a_time_is_the_first_that_clocks_show_or_the_end_of_the_gap(local: datetime, name: str) -> None:
    zone = ZoneInfo(name)
    assert instant(local, zone) == first_shown(local, zone)


def test_the_hour_that_does_not_exist_and_the_one_that_comes_twice() -> None:
    """TRAP 16"""
    berlin = ZoneInfo("Europe/Berlin")
    assert instant(datetime(2026, 3, 29, 2, 30), berlin) == datetime(2026, 3, 29, 1, 0, tzinfo=UTC)  # 03:00 in summer
    assert instant(datetime(2026, 10, 25, 2, 30), berlin) == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)  # summer's 02:30
    assert instant(datetime(2026, 10, 25, 3, 0), berlin) == datetime(2026, 10, 25, 2, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    "name",
    [
        "", "../../etc/passwd", "/etc/localtime", "localtime", "Factory", "europe/berlin", "Europe", "UTC\x00", "UTC ",
        "Europe/Berlin\n", "Europe/../UTC", "posixrules", "+02:00", "x" * 100_000, "\u202eUTC", "zone.tab", ".", "..",
    ],
)  # fmt: skip
def test_what_is_no_zone_is_refused(name: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        zone_of(name)
    assert set(refused.value.fields) == {"zone"}
    assert len(str(refused.value)) < 200


def test_every_zone_on_offer_works() -> None:
    assert {"UTC", "Europe/Berlin", "Asia/Kolkata"} <= zones()
    for name in zones():
        instant(datetime(2026, 6, 1), zone_of(name))
