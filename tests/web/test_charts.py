"""Charts: which time they show, where their numbers come from, and what is drawn. Pure functions."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from pinguin.errors import InvalidInput
from pinguin.store.charted import Bucket
from pinguin.store.history import Day, Hour, Span
from pinguin.web import monitor_charts
from pinguin.web.charts import days, hours, latency, phases
from pinguin.web.charts.plot import POINTS, Chart
from pinguin.web.charts.view import BUCKETS, RANGES, View, asked

NOW = datetime(2026, 3, 1, 12, 0, 30, tzinfo=UTC)
UTC_ZONE, BERLIN, KOLKATA = ZoneInfo("UTC"), ZoneInfo("Europe/Berlin"), ZoneInfo("Asia/Kolkata")
NAMES = ("dns", "connect", "tls", "first_byte", "transfer")


def bucket(minutes_ago: float, p50: float | None = 10, p95: float | None = 20, p99: float | None = None) -> Bucket:
    bad = p50 is None
    return Bucket(
        at=NOW - timedelta(minutes=minutes_ago), checks=1, fine=1 - bad, down=int(bad), good=1 - bad, p50=p50, p95=p95,
        p99=p95 if p99 is None else p99, **dict.fromkeys((f"{name}_ms" for name in NAMES), None if bad else 2.0),
    )  # fmt: skip


def draw(buckets: list[Bucket], spans: list[Span] | None = None, interval_s: int = 60) -> Chart:
    view = asked({"range": "1h"}, UTC_ZONE, NOW)
    window = view.window(1, interval_s, "raw")
    return latency.draw(window, buckets, spans or [], NAMES, interval_s=interval_s, columns=view.columns, now=NOW)


def test_a_line_does_not_run_across_time_of_which_nothing_is_known() -> None:
    drawn = draw([bucket(50), bucket(49), bucket(20), bucket(19), bucket(18, None, None), bucket(17)])
    assert drawn.svg.count('class="line p50"') == 3
    assert draw([bucket(50), bucket(45), bucket(40)], interval_s=300).svg.count('class="line p50"') == 1


def test_there_are_lines_and_bands_for_each_percentile() -> None:
    drawn = draw([bucket(5, 10, 20, 40), bucket(4, 10, 20, 40)]).svg
    for part in ("line p50", "line p95", "line p99", "band p95", "band p99"):
        assert drawn.count(f'class="{part}"') == 1, part
    heights = re.findall(r'class="line p\d\d" d="M[\d.]+ ([\d.]+)', drawn)
    assert [float(height) for height in heights] == [80, 160, 200], "40, 20 and 10 of 60 ms, from the top of 240"


def test_an_outlier_does_not_make_all_else_a_flat_line() -> None:
    drawn = draw([bucket(5, 10, 20, 9000), bucket(4)])
    assert drawn.scale[0] == "100 ms"
    assert "p99 9.00 s" in drawn.svg


def test_down_time_is_shaded_from_the_transitions() -> None:
    middle = NOW - timedelta(minutes=20)
    spans = [Span(NOW - timedelta(minutes=30), middle, "down"), Span(middle, NOW, "up")]
    drawn = draw([], spans)
    assert drawn.svg.count("shade") == 1
    assert "down from 2026-03-01 11:30:30 UTC to 2026-03-01 11:40:30 UTC" in drawn.svg


def test_an_empty_chart_is_still_a_chart() -> None:
    drawn = draw([])
    assert "Latency chart without data" in drawn.svg
    assert len(drawn.scale) == 5
    assert drawn.scale[-1] == "0 ms"
    assert len(drawn.ticks) == 7


def test_the_scale_has_round_numbers() -> None:
    assert draw([bucket(5, 10, 183)]).scale == ["200 ms", "150 ms", "100 ms", "50 ms", "0 ms"]
    assert draw([bucket(5, 0.1, 0.2)]).scale[0] == "1.20 ms"


@pytest.mark.parametrize("name", RANGES)
@pytest.mark.parametrize("interval_s", [1, 60, 3600, 86400])
def test_no_stretch_has_more_points_than_a_screen(name: str, interval_s: int) -> None:
    view = asked({"range": name}, UTC_ZONE, NOW)
    window = view.window(1, interval_s, view.grain(NOW, 90))
    length_s = (window.ending - window.origin).total_seconds()
    assert length_s / window.bucket_s <= BUCKETS
    assert window.origin < NOW <= window.ending
    assert length_s - window.bucket_s < RANGES[name][0] <= length_s
    assert window.origin.timestamp() % window.bucket_s == 0


@pytest.mark.parametrize(
    ("span", "ago", "grain"),
    [
        (timedelta(hours=1), timedelta(0), "raw"),
        (timedelta(days=2), timedelta(days=80), "raw"),
        (timedelta(days=2), timedelta(days=100), "hourly"),
        (timedelta(days=35), timedelta(0), "hourly"),
        (timedelta(days=36), timedelta(0), "daily"),
        (timedelta(days=732), timedelta(0), "daily"),
    ],
)
def test_the_span_chooses_where_the_numbers_come_from(span: timedelta, ago: timedelta, grain: str) -> None:
    assert View(NOW - ago - span, NOW - ago).grain(NOW, 90) == grain


def test_every_check_has_a_bucket_of_its_own_or_shares_it() -> None:
    view = View(NOW - timedelta(hours=6), NOW)
    assert [view.window(1, interval, "raw").bucket_s for interval in (1, 60, 300, 700)] == [60, 60, 300, 1200]


@pytest.mark.parametrize(
    ("given", "since", "until"),
    [
        ({"from": "2026-02-01T00:00Z", "to": "2026-02-02T00:00Z"}, "2026-02-01T00:00:00Z", "2026-02-02T00:00:00Z"),
        ({"from": "2026-02-01T00:00", "to": "2026-02-02"}, "2026-01-31T23:00:00Z", "2026-02-01T23:00:00Z"),
        ({"from": "2026-02-01T00:00:00 01:00"}, "2026-01-31T23:00:00Z", "2026-03-01T12:00:30Z"),
        ({"from": "2026-02-01", "to": "2030-01-01"}, "2026-01-31T23:00:00Z", "2026-03-01T12:00:30Z"),
        ({"from": "2026-02-01T12:00Z", "to": "2026-02-01T12:10Z"}, "2026-02-01T11:35:00Z", "2026-02-01T12:35:00Z"),
        ({"from": "2026-03-01T12:00Z"}, "2026-03-01T11:00:30Z", "2026-03-01T12:00:30Z"),
    ],
)
def test_a_stretch_is_read_as_it_is_meant(given: dict[str, str], since: str, until: str) -> None:
    found = asked(given, BERLIN, NOW)
    assert found.address == {"from": since, "to": until}


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"range": "2h"}, "range"),
        ({"from": "yesterday"}, "from"),
        ({"from": "2026-02-01", "to": "soon"}, "to"),
        ({"to": "2026-02-01"}, "from"),
        ({"from": "2026-02-02", "to": "2026-02-01"}, "to"),
        ({"from": "2027-01-01"}, "from"),
        ({"from": "2020-01-01", "to": "2026-01-01"}, "from"),
        ({"from": "0001-01-01T00:00+23:59"}, "from"),
        ({"from": "2026-01-01", "to": "9999-12-31T23:59:59-23:59"}, "to"),
        ({"from": "\x00"}, "from"),
    ],
)
def test_a_stretch_that_is_none_says_which_field_is_wrong(given: dict[str, str], field: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        asked(given, BERLIN, NOW)
    assert list(raised.value.fields) == [field]


def test_one_goes_on_from_a_stretch_without_a_mouse() -> None:
    day = View(NOW - timedelta(days=3), NOW - timedelta(days=2))
    assert day.beside(-1, NOW) == View(NOW - timedelta(days=4), NOW - timedelta(days=3))
    assert day.beside(1, NOW) == View(NOW - timedelta(days=2), NOW - timedelta(days=1))
    assert day.wider(NOW) == View(NOW - timedelta(days=4), NOW - timedelta(days=1))
    now = asked({}, UTC_ZONE, NOW)
    assert now.beside(1, NOW) is None
    assert View(NOW - timedelta(days=732), NOW).wider(NOW) is None


def test_the_calendar_is_that_of_the_zone() -> None:
    found = {title: view.address for title, view in monitor_charts.calendar(NOW, KOLKATA)}
    assert found["today"] == {"from": "2026-02-28T18:30:00Z", "to": "2026-03-01T12:00:30Z"}
    assert found["last month"] == {"from": "2026-01-31T18:30:00Z", "to": "2026-02-28T18:30:00Z"}
    assert found["this week"]["from"] == "2026-02-22T18:30:00Z"  # 1 March 2026 is a Sunday
    assert found["last year"] == {"from": "2024-12-31T18:30:00Z", "to": "2025-12-31T18:30:00Z"}


def test_phases_stand_one_upon_the_other() -> None:
    view = asked({"range": "1h"}, UTC_ZONE, NOW)
    window = view.window(1, 60, "raw")
    drawn = phases.draw(window, [bucket(5), bucket(4)], [], NAMES, interval_s=60, columns=6, now=NOW, hits="")
    tops = [float(y) for y in re.findall(r'class="p-\w+" d="M[\d.]+ ([\d.]+)', drawn.svg)]
    assert len(tops) == 5
    assert tops == sorted(tops, reverse=True)
    assert drawn.scale[0] == "12 ms"
    assert tops[-1] == pytest.approx(240 * (1 - 10 / 12), abs=0.1)


def test_phases_of_many_points_are_joined_in_pairs_by_their_weight() -> None:
    view = asked({"range": "1y"}, UTC_ZONE, NOW)
    window = view.window(1, 60, "daily")
    found = [
        replace(bucket(0), at=window.origin + timedelta(days=day), good=1 + day % 2, dns_ms=10.0 * (day % 2))
        for day in range(366)
    ]
    drawn = phases.draw(window, found, [], NAMES, interval_s=60, columns=6, now=NOW, hits="")
    assert len(drawn.rows) * len(NAMES) <= POINTS
    assert drawn.rows[0].dns_ms == pytest.approx((0 * 1 + 10 * 2) / 3)
    assert sum(row.good for row in drawn.rows) == sum(row.good for row in found)


def day(uptime: float | None, down_s: float = 0.0, number: int = 1) -> Day:
    cause = (1, 7, "timeout", 'no <b>"answer"', down_s) if down_s else (0, None, None, None, None)
    return Day(date(2026, 3, number), uptime, 86400 - down_s, down_s, *cause)


def test_every_kind_of_day_has_a_shape_of_its_own() -> None:
    found = [day(1), day(0.995, 432), day(0.95, 4320), day(0.5, 43200), day(None)]
    assert [days.kind(each) for each in found] == ["up", "brief", "long", "down", "none"]
    drawn = days.draw(found, BERLIN).svg
    shapes = re.findall(r'((?:<path class="d-\w+" d="[^"]+"/>)+)<rect class="hit"', drawn)
    relative = [re.sub(r"M\d+ ", "M ", shape) for shape in shapes]
    assert len(set(relative)) == 5


def test_a_days_tooltip_tells_its_uptime_and_its_worst_incident() -> None:
    drawn = days.draw([day(0.5, 43200)], BERLIN)
    assert "uptime 50.00 % · down for 12 h · 1 incident · worst: no &lt;b&gt;" in drawn.svg
    assert "<b>" not in drawn.svg
    assert drawn.rows[0][1].address == {"from": "2026-02-28T23:00:00Z", "to": "2026-03-01T23:00:00Z"}


def test_the_heat_map_tells_hours_apart_by_a_mark() -> None:
    found = [Hour(1, 0, 100, 0), Hour(1, 1, 9999, 1), Hour(1, 2, 999, 1), Hour(7, 23, 1, 1)]
    drawn = hours.draw(found, 30, "UTC")
    assert [hours.level(each) for each in found] == ["up", "1", "2", "3"]
    assert re.findall(r'class="dot"[^>]* r="([\d.]+)"', drawn.svg) == ["2.5", "5.0"]
    assert drawn.svg.count('class="cross"') == 1
    assert drawn.svg.count('class="hit"') == 168
    assert drawn.svg.count("h-none") == 164
    assert "Sunday 23:00 to 24:00 · uptime 50.00 % · 1 s down of 2 s" in drawn.svg
    assert "least on Sunday 23:00, 50.00 %" in drawn.svg


def test_the_frame_of_the_heat_map_is_as_large_and_says_that_it_is_empty() -> None:
    drawn, frame = hours.draw([], 90, "UTC"), hours.draw([], 90, "UTC", pending=True)
    box = r'viewBox="[^"]+"'
    assert re.findall(box, frame.svg) == re.findall(box, drawn.svg)
    assert [name for name, _ in frame.rows] == [name for name, _ in drawn.rows]
    assert "still to come" in frame.svg
    assert len(frame.svg) < len(drawn.svg) / 20
