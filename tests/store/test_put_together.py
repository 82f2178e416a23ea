"""Roll-ups put together as SQL does it with `histogram_sum` and `histogram_percentile`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pinguin.db import Pool
from pinguin.store.rollups import put_together
from tests.factory import fetch

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
ALL = 242
"""Bins of a whole histogram."""
LOWEST = st.integers(1, 100)
BINS = st.lists(st.integers(0, 50) | st.just(0), min_size=1, max_size=ALL - 100)


def row(at: datetime, good: int, lowest: int, bins: list[int] | None) -> tuple[Any, ...]:
    words = None if bins is None else "{" + ",".join(map(str, bins)) + "}"
    return at, good + 2, good + 1, 1, good, 1.5 * good, None, None, 2.0 * good, 0.0, lowest, words


# Nothing is written: one emptied database does for all examples.
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(drawn=st.lists(st.tuples(st.integers(0, 2), LOWEST, BINS), max_size=6))
async def test_percentiles_are_those_of_sql(pool: Pool, drawn: list[tuple[int, int, list[int]]]) -> None:
    rows = [row(BEGIN + timedelta(hours=hour), sum(bins), lowest, bins) for hour, lowest, bins in drawn]
    buckets, total = put_together(rows)
    assert [bucket.at for bucket in buckets] == sorted({each[0] for each in rows})
    whole = [(hour, [0] * (lowest - 1) + bins + [0] * (ALL + 1 - lowest - len(bins))) for hour, lowest, bins in drawn]
    for found in (total, *buckets):
        at = getattr(found, "at", None)
        histograms = [each for hour, each in whole if at in (None, BEGIN + timedelta(hours=hour))]
        merged = [sum(column) for column in zip(*histograms, strict=True)] or [0]
        sql = "select histogram_percentile(%s, 0.5), histogram_percentile(%s, 0.95), histogram_percentile(%s, 0.99)"
        ((p50, p95, p99),) = await fetch(pool, sql, merged, merged, merged)
        assert (found.p50, found.p95, found.p99) == pytest.approx((p50, p95, p99))
        assert found.good == sum(merged)


def test_sums_and_means_leave_out_what_nobody_knows() -> None:
    (bucket,), total = put_together([row(BEGIN, 4, 30, [4]), row(BEGIN, 0, 1, None)])
    assert (total.checks, total.fine, total.down, total.good) == (8, 6, 2, 4)
    assert (total.dns_ms, total.connect_ms, total.first_byte_ms, total.transfer_ms) == (1.5, None, 2.0, 0.0)
    assert bucket.p50 is not None
    assert bucket.p50 == bucket.p99 == total.p50


def test_nothing_is_nothing() -> None:
    buckets, total = put_together([])
    assert buckets == []
    assert (total.checks, total.p50, total.dns_ms) == (0, None, None)
