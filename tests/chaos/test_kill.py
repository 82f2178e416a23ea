"""kill -9 of one process at a time: healed, nothing doubled, no false downtime, at most a lease's time late."""

from __future__ import annotations

import asyncio
import os
import signal
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from pinguin.model import LEASE_MARGIN_S
from tests.chaos.conftest import INTERVAL_S, MONITORS, TIMEOUT_S, System, children, start_up, until_ready

LEASE_S = TIMEOUT_S + LEASE_MARGIN_S
RESTART_S = 4
"""What a process and its clients may take to find each other again on a busy machine, beside the lease."""

GAPS = """
select max(gap), count(*) from (
  select scheduled_at - lag(scheduled_at) over (partition by monitor_id order by scheduled_at) as gap
  from results where scheduled_at >= %s) gaps
"""


async def healthy_since(system: System, moment: datetime) -> None:
    await system.until(
        "select count(*) = %s from monitor_states where status = 'up' and last_slot > %s", MONITORS, moment
    )


@pytest.mark.parametrize("victim", ["worker", "scheduler", "valkey", "database"])
async def test_a_killed_process_is_healed(system: System, victim: str) -> None:
    ((began,),) = await system.ask("select now()")
    await healthy_since(system, began)
    killed = system.pid(victim)
    assert killed is not None
    connections, ((results,),) = system.target.connections, await system.ask("select count(*) from results")

    os.kill(killed, signal.SIGKILL)
    ((moment,),) = await system.ask("select now()")
    await healthy_since(system, moment + timedelta(seconds=3))

    assert system.pid(victim) not in (None, killed)
    ((gap, _),) = await system.ask(GAPS, began)
    assert gap <= timedelta(seconds=LEASE_S + INTERVAL_S + RESTART_S), "late"
    history = "select to_status, reason from transitions where at >= %s and to_status <> 'up'"
    assert await system.ask(history, began) == [], "false transitions"
    ((doubled,),) = await system.ask(
        "select count(*) - count(distinct (monitor_id, scheduled_at, region)) from results where scheduled_at >= %s",
        began,
    )
    assert doubled == 0
    await asyncio.sleep(1)
    ((now,),) = await system.ask("select count(*) from results")
    run, written = system.target.connections - connections, now - results
    assert run <= written + 2 * MONITORS, "only what was in flight may run twice"


async def test_a_pause_made_in_psql_counts_at_once(system: System) -> None:
    """Checks may go on until the next reconcile, but none of their results changes anything."""
    await system.ask("update monitors set enabled = false where id = 1 returning 1")
    await asyncio.sleep(3)
    late = "select count(*) from results where monitor_id = 1 and version = 2"
    assert await system.ask(late) == [(0,)]
    assert await system.ask("select status from monitor_states where monitor_id = 1") == [("paused",)]


async def test_sigterm_leaves_no_process_lock_or_socket(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    for signal_number in (signal.SIGTERM, signal.SIGINT):
        process = await start_up(folder, 18733)
        await until_ready(process)
        before = children(process.pid)
        assert len(before) == 5
        process.send_signal(signal_number)
        async with asyncio.timeout(30):
            assert await process.wait() == 0
        assert [pid for pid in before if Path(f"/proc/{pid}").exists()] == []
        assert not (folder / "lock").exists()
        assert list(folder.rglob("*.sock")) + list(folder.rglob(".s.*")) == []
