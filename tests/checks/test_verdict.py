"""What several check types judge alike."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from pinguin.checks.verdict import ending, too_slow


@pytest.mark.parametrize(
    ("latency_ms", "slow_ms", "words"),
    [
        (401.2, 200, "took 401 ms, more than 200 ms"),
        (1040.0, 1000, "took 1040.00 ms, more than 1000 ms"),
        (3.13, 3, "took 3.13 ms, more than 3 ms"),
    ],
)
def test_what_took_too_long_is_told_apart_from_the_limit(latency_ms: float, slow_ms: int, words: str) -> None:
    assert too_slow(latency_ms, slow_ms) == ("slow", words)


@pytest.mark.parametrize("slow_ms", [0, 5])
def test_a_limit_may_be_reached_and_may_be_none(slow_ms: int) -> None:
    assert too_slow(5.0, slow_ms) is None


@pytest.mark.parametrize(
    ("left", "words"), [(4, "ends in 4 days"), (1, "ends in 1 day"), (0, "ends in 0 days"), (-3, "expired 3 days ago")]
)
def test_when_a_certificate_ends_or_has_ended(left: int, words: str) -> None:
    assert ending(datetime(2026, 11, 28, tzinfo=UTC), left) == f"{words}, on 2026-11-28"
