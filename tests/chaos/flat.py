"""How flat the load of a running system is."""

from __future__ import annotations

import time

from tests.chaos.system import System

PEAK_TO_MEAN = 1.3
INTERVAL_S = 2
"""Monitors of this interval are judged: those of one second are due in each of them."""
DUE = "select count(*)::float / interval_s from monitors where enabled and interval_s = %s group by interval_s"
CHECKED = """
select count(*) from results r join monitors m on m.id = r.monitor_id
where r.scheduled_at >= to_timestamp(%s) and r.scheduled_at < to_timestamp(%s) and m.interval_s = %s
group by r.scheduled_at
"""


async def peak_to_mean(system: System, seconds: int) -> float:
    """Of the next seconds: the checks of the busiest one, by those that are due in one on average."""
    start = int(time.time()) + 1
    await system.healthy(start + seconds)
    ((due,),) = await system.ask(DUE, (INTERVAL_S,))
    checked = [row[0] for row in await system.ask(CHECKED, (start, start + seconds, INTERVAL_S))]
    assert sum(checked) > due * seconds / 2, "too few were checked to tell"
    return float(max(checked) / due)
