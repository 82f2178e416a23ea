"""Words and beats: pure functions."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest

from pinguin.store.pages import Beat
from pinguin.web import beats, words

NOW = datetime(2026, 3, 1, 12, 0, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("ms", "text"),
    [
        (None, "–"), (0.001, "0.00 ms"), (0.42, "0.42 ms"), (8.13, "8.13 ms"), (84.26, "84.3 ms"), (84.0, "84 ms"),
        (151.4, "151 ms"), (999.4, "999 ms"), (999.9, "1.00 s"), (1240, "1.24 s"), (12_400, "12.4 s"),
    ],
)  # fmt: skip
def test_latencies_have_three_digits_and_a_unit(ms: float | None, text: str) -> None:
    assert words.latency(ms) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "–"), (0, "0 s"), (-5, "0 s"), (59, "59 s"), (60, "1 min"), (200, "3 min 20 s"), (3600, "1 h"),
        (7500, "2 h 5 min"), (3601, "1 h"), (90_061, "1 d 1 h"), (86400 * 30, "30 d"),
    ],
)  # fmt: skip
def test_durations_have_their_two_largest_units(seconds: float | None, text: str) -> None:
    assert words.duration(seconds) == text


@pytest.mark.parametrize(
    ("share", "text"),
    [(None, "–"), (1, "100 %"), (0.99999999, "99.999 %"), (0.99998, "99.998 %"), (0.9863, "98.63 %"), (0, "0.00 %")],
)
def test_almost_always_is_not_always(share: float | None, text: str) -> None:
    assert words.percent(share) == text


def test_a_time_carries_the_exact_one() -> None:
    found = words.ago(NOW - timedelta(minutes=3), NOW)
    assert found == (
        '<time datetime="2026-03-01T11:57:30Z" title="2026-03-01 11:57:30 UTC" data-time="ago">3 min ago</time>'
    )


def beat(seconds_ago: float, status: str = "up", region: str = "local", *, maintained: bool = False) -> Beat:
    reason, latency_ms = ("timeout", None) if status == "down" else (None, 12.5)
    return Beat(1, NOW - timedelta(seconds=seconds_ago), region, status, reason, None, latency_ms, maintained)


def statuses(found: list[beats.Mark]) -> list[str]:
    return [mark.status for mark in found]


def test_beats_run_from_the_oldest_to_the_newest() -> None:
    found = beats.marks([beat(10), beat(70, "down"), beat(130, "unknown")], 60, live=True, now=NOW)
    assert statuses(found) == ["unknown", "down", "up"]
    assert found[1].words == "2026-03-01 11:59:20 UTC · down · timeout"


def test_a_slot_without_a_result_is_a_mark_of_its_own() -> None:
    found = beats.marks([beat(10), beat(310)], 60, live=True, now=NOW)
    assert statuses(found) == ["up", "none", "up"]
    assert found[1].words == "no result between 2026-03-01 11:55:20 UTC and 2026-03-01 12:00:20 UTC"


def test_silence_at_the_end_is_shown_while_results_are_expected() -> None:
    assert statuses(beats.marks([beat(600)], 60, live=True, now=NOW)) == ["up", "none"]
    assert statuses(beats.marks([beat(600)], 60, live=False, now=NOW)) == ["up"]


def test_of_several_regions_the_worst_is_shown() -> None:
    found = beats.marks([beat(10, "up", "eu"), beat(10, "down", "us")], 60, live=True, now=NOW)
    assert statuses(found) == ["down"]
    assert "worst of 2 regions, in us" in found[0].words


def test_every_status_has_a_shape_of_its_own() -> None:
    shapes = set()
    for status in ("up", "degraded", "down", "unknown", "none"):
        for maintained in (False, True):
            drawn = beats.bar([beats.Mark(status, "x", maintained)])
            found = re.search(rf'class="b-{status}[a-z ]*" d="([^"]+)"', drawn)
            assert found is not None
            shapes.add(found[1])
    assert len(shapes) == 10


def test_what_was_in_maintenance_keeps_its_shape_over_a_line() -> None:
    found = beats.marks([beat(10), beat(70, "down", maintained=True)], 60, live=True, now=NOW)
    assert [mark.maintained for mark in found] == [True, False]
    assert found[0].words == "2026-03-01 11:59:20 UTC · down, in maintenance · timeout"
    drawn = beats.bar(found)
    assert 'class="b-down resting"' in drawn
    assert 'class="b-up"' in drawn
    assert 'aria-label="Last 2 checks: 1 down, 1 up; 1 of them in maintenance"' in drawn
    assert beats.summary(found[1:]) == "Last 1 check: 1 up"


@pytest.mark.parametrize("count", [0, 1, 30])
def test_a_bar_has_always_the_same_size(count: int) -> None:
    drawn = beats.bar([beats.Mark("up", '"<b>')] * count)
    assert 'width="210" height="24"' in drawn
    assert drawn.count("<path") == 30
    assert "<b>" not in drawn


def test_more_beats_than_fit_leave_the_newest() -> None:
    found = beats.marks([beat(60 * n, "down" if n < 30 else "up") for n in range(50)], 60, live=True, now=NOW)
    assert statuses(found) == ["down"] * 30
