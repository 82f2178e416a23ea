"""The times of one check."""

from __future__ import annotations

from time import perf_counter

import pytest

from pinguin.checks.contract import Context, Resources
from pinguin.checks.engine.stopwatch import Stopwatch


@pytest.fixture
def context() -> Context:
    return Context(timeout=1.0, resources=Resources())


def test_what_we_do_after_a_phase_is_none_of_its_time(context: Context) -> None:
    watch = Stopwatch(context)
    watch.begin("asking")
    asked = watch.done("first_byte")
    arrived = asked + 0.002
    while perf_counter() < arrived + 0.005:
        pass  # reading what came
    watch.done("transfer", arrived)

    assert context.phases["transfer"] == pytest.approx(2.0)
    assert watch.last_ms() == pytest.approx((arrived - watch.started) * 1000)
    assert watch.total_ms() > watch.last_ms() + 4


def test_phases_of_the_same_name_add_up(context: Context) -> None:
    watch = Stopwatch(context)
    watch.begin("the first hop")
    first = watch.done("connect")
    watch.done("connect", first + 0.003)
    assert context.phases["connect"] >= 3.0
