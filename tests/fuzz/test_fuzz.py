"""A few of the fuzz run's inputs, the same each time; `python -m tests.fuzz` takes ever new ones."""

from __future__ import annotations

import pytest

from tests.fuzz.__main__ import fuzz, report
from tests.fuzz.targets import TARGETS, once

INPUTS = 150


@pytest.mark.parametrize("name", TARGETS)
def test_made_up_answers_end_in_a_value_or_a_reason(name: str) -> None:
    tallies = fuzz([name], seed=1, seconds=600, inputs=INPUTS)
    assert tallies[name].crashes == []
    assert tallies[name].inputs == INPUTS
    assert len(tallies[name].outcomes) > 1, "all inputs ended alike: they do not reach far"


def test_a_crash_is_told_with_its_seed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setitem(TARGETS, "reader", lambda rnd: str(1 // 0))
    tallies = fuzz(["reader"], seed=7, seconds=60, inputs=1)
    assert report(tallies, 0.0) == 1
    assert "--only reader --seed 7 --inputs 1\nTraceback" in capsys.readouterr().out


def test_memory_that_grew_is_a_fault(capsys: pytest.CaptureFixture[str]) -> None:
    assert report({}, 1000.0) == 1
    assert report({}, 1.0) == 0


def test_an_input_is_the_same_for_the_same_seed() -> None:
    assert {once("dialogue", seed) for seed in (3, 3, 3)} == {once("dialogue", 3)}
