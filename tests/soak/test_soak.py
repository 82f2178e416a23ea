"""Twenty seconds of the soak, four rounds of every target; `python -m tests.soak --minutes 20` is the whole."""

from __future__ import annotations

import pytest

from tests.data_folder import data_folder
from tests.soak.__main__ import bounds
from tests.soak.run import grown, soak


@pytest.mark.parametrize(
    ("samples", "more"),
    [([5, 5, 9, 5, 5, 5, 5, 1, 5], 0), ([1, 2, 3, 4, 5, 6, 7, 8, 9], 6), ([9, 5, 1], -8), ([3], 0)],
)
def test_growth_is_that_of_thirds(samples: list[float], more: float) -> None:
    assert grown(samples) == more


async def test_a_worker_stays_flat_among_hostile_targets(tmp_path_factory: pytest.TempPathFactory) -> None:
    figures = await soak(await data_folder(tmp_path_factory, "soak", migrated=True), seconds=20, rate=120, say=print)
    # So short a time says nothing of slots at its edges, nor of a slow growth among checks that come and go; and not
    # every hostile target has its turn.
    sure = [bound for bound in bounds(figures) if not bound.what.startswith(("share", "files grown", "kinds"))]
    missed = [str(bound) for bound in sure if not bound.held]
    assert missed == []
    assert figures.recorded > figures.expected / 2
    met = figures.hostile & {name for name, _, _ in figures.seen}
    assert len(met) > len(figures.hostile) / 3
