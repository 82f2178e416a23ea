"""Load is flat by construction. TRAP 13. Second by second under real processes: in test_faults.py."""

from __future__ import annotations

from pinguin.db import Pool
from tests.chaos.flat import PEAK_TO_MEAN
from tests.factory import fetch


async def test_a_thousand_monitors_of_one_minute_are_due_at_different_seconds(pool: Pool) -> None:
    sql = """
    select max(due) / avg(due), count(*) from (
      select count(*) as due from generate_series(1, 1000) id group by slot_phase(id, 60)) seconds
    """
    ((peak, seconds),) = await fetch(pool, sql)
    assert seconds == 60
    assert peak <= PEAK_TO_MEAN
