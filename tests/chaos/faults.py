"""Every fault: what it does to a running system, and what it may cost."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from pinguin.embedded.supervisor import Child
from tests.chaos.system import FAKETIME, LEASE_S, System, kill, restarted, standing_still

REAP_S = 2.5
"""How long after its end a lease may still hold: the reaper looks every second, and a slot begins with a second."""
RECONNECT_S = 4.0
"""How long after Valkey's return until every process has found it again: the backoff goes up to 3 s."""
WHOLE_S = 5.0
"""After a flush the schedule is whole within this time."""


@dataclass(frozen=True, slots=True)
class Excuse:
    """Slots in [start, end) of these monitors (None: of all) may be lost."""

    start: float
    end: float
    monitors: Sequence[int] | None = None


@dataclass(slots=True)
class Cost:
    """What a fault may cost, known when it is over. dark: when no result says up.

    reruns: checks that may have run twice beside those that the reaper handed out again.
    """

    excuses: list[Excuse] = field(default_factory=list)
    dark: tuple[float, float] | None = None
    reruns: int = 0
    notes: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Fault:
    """inject: does it, holds it for so many seconds, ends it. story: what every monitor is to go through.

    raises: pipeline incidents that must be there afterwards. forgets: Redis' counters begin anew.
    """

    name: str
    inject: Callable[[System, float], Awaitable[Cost]]
    hold_s: float = 0
    short_s: float = 0
    story: Sequence[str] = ()
    raises: Sequence[str] = ()
    forgets: bool = False
    impossible: str = ""


async def kill_scheduler(system: System, hold_s: float) -> Cost:
    await kill(system.children[await system.follower()])
    return Cost()


async def stop_scheduler(system: System, hold_s: float) -> Cost:
    with standing_still(system.pid(await system.follower())):
        await asyncio.sleep(hold_s)
    return Cost()


async def kill_leader(system: System, hold_s: float) -> Cost:
    name = await system.leader()
    await kill(system.children[name])
    return await _succession(system, Cost())


async def stop_leader(system: System, hold_s: float) -> Cost:
    """Past its lease: another leads, and what the old one does afterwards is refused."""
    old = await system.broker.leader()
    assert old is not None
    cost = Cost()
    with standing_still(system.pid(await system.leader())):
        await asyncio.sleep(hold_s)
        await _succession(system, cost)
        if await system.broker.renew(old, 6) or await system.broker.define(old, [], [10**9], soon=False):
            cost.wrong.append("the token of the leader that stood still was accepted")
    await asyncio.sleep(3)
    if await system.broker.leader() == old:
        cost.wrong.append("the leader that stood still leads again by its old token")
    return cost


async def _succession(system: System, cost: Cost) -> Cost:
    began = time.time()
    await system.leader()
    cost.notes.append(f"led again after {time.time() - began:.1f} s")
    return cost


async def kill_worker(system: System, hold_s: float) -> Cost:
    """While it has jobs in hand: they come just after each full second."""
    await asyncio.sleep(1.02 - time.time() % 1)
    start = time.time()
    await kill(system.children["worker-1"])
    return await _stuck_jobs(system, Cost(), start, start)


async def stop_worker(system: System, hold_s: float) -> Cost:
    await asyncio.sleep(1.02 - time.time() % 1)
    start = time.time()
    cost = Cost()
    with standing_still(system.pid("worker-1")):
        await _stuck_jobs(system, cost, start, start)
        await asyncio.sleep(start + hold_s - time.time())
    cost.reruns = len(cost.excuses[0].monitors or ())  # it finishes what others have done meanwhile
    return cost


async def _stuck_jobs(system: System, cost: Cost, start: float, end: float) -> Cost:
    """Excuse the slots of monitors whose job nobody finishes, until the lease is over."""
    monitors = await system.stuck()
    cost.excuses.append(Excuse(start - 1, end + LEASE_S + REAP_S, monitors))
    cost.notes.append(f"{len(monitors)} leases left")
    return cost


async def restart_valkey(system: System, hold_s: float) -> Cost:
    start = time.time()
    await kill(system.stack.valkey_child)
    await restarted(system.stack.valkey_child)
    return await _without_valkey(system, start)


async def stop_valkey(system: System, hold_s: float) -> Cost:
    start, pid = time.time(), system.stack.valkey_child.pid
    assert pid is not None
    with standing_still(pid):
        await asyncio.sleep(hold_s)
    return await _without_valkey(system, start)


async def valkey_away(system: System, hold_s: float) -> Cost:
    start = time.time()
    await _away(system.stack.valkey_child, hold_s)
    return await _without_valkey(system, start)


async def _without_valkey(system: System, start: float) -> Cost:
    """Nothing is dispatched meanwhile; and who held a job could not say that it is done, or never got it."""
    await system.redis_answers()
    back = time.time()
    cost = Cost([Excuse(start - 1, back + RECONNECT_S)], notes=[f"away for {back - start:.1f} s"])
    return await _stuck_jobs(system, cost, start, back)


async def _away(child: Child, hold_s: float) -> None:
    """Kill it, and hold back the one that the supervisor starts in its place."""
    await kill(child)
    with standing_still(await restarted(child)):
        await asyncio.sleep(hold_s)


async def flush_valkey(system: System, hold_s: float) -> Cost:
    start = time.time()
    await system.redis.flushall()
    return await _schedule_whole(system, start)


async def _schedule_whole(system: System, start: float) -> Cost:
    while len(await system.broker.definitions()) < len(system.monitors):
        if time.time() > start + 30:
            break
        await asyncio.sleep(0.05)
    took = time.time() - start
    late = [] if took < WHOLE_S else [f"the schedule was whole only after {took:.1f} s"]
    return Cost([Excuse(start - 1, start + WHOLE_S + 1)], notes=[f"whole after {took:.1f} s"], wrong=late)


async def flush_valkey_while_results_wait(system: System, hold_s: float) -> Cost:
    """The database stands still, so that results are in Valkey alone, and Valkey forgets them."""
    pid = system.stack.database_child.pid
    assert pid is not None
    with standing_still(pid):
        async with asyncio.timeout(30):
            while not await system.broker.backlog.results.count():
                await asyncio.sleep(0.05)
        await asyncio.sleep(hold_s)
        start, forgotten = time.time(), await system.broker.backlog.results.count()
        await system.redis.flushall()
    cost = await _schedule_whole(system, start)
    cost.notes.append(f"{forgotten:,} spilled results forgotten")
    return cost


async def stop_database(system: System, hold_s: float) -> Cost:
    pid = system.stack.database_child.pid
    assert pid is not None
    with standing_still(pid):
        await asyncio.sleep(hold_s)
    return await _without_database(system)


async def database_away(system: System, hold_s: float) -> Cost:
    await _away(system.stack.database_child, hold_s)
    return await _without_database(system)


async def _without_database(system: System) -> Cost:
    spilled = await system.broker.backlog.results.count()
    return Cost(notes=[f"{spilled:,} results spilled"])


async def cut_target(system: System, hold_s: float) -> Cost:
    start = time.time()
    await system.target.close()
    await asyncio.sleep(hold_s)
    await system.target.open()
    return Cost(dark=(start, time.time()))


async def cut_everything(system: System, hold_s: float) -> Cost:
    """The canaries go first and come back last: in between they would be witnesses against the target."""
    start = time.time()
    await system.canary.close()
    await system.target.close()
    await asyncio.sleep(hold_s)
    await system.target.open()
    end = time.time()
    await asyncio.sleep(1)
    await system.canary.open()
    return Cost(dark=(start, end))


async def rolling_restart(system: System, hold_s: float) -> Cost:
    for name in ("scheduler-1", "worker-1", "scheduler-2", "worker-2"):
        child = system.children[name]
        pid = system.pid(name)
        os.kill(pid, signal.SIGTERM)
        while child.pid == pid:
            await asyncio.sleep(0.02)
        await restarted(child)
        if name.startswith("worker"):
            await system.present(name)
        await asyncio.sleep(2)
    return Cost()


async def step_clocks(system: System, hold_s: float) -> Cost:
    """A scheduler and a worker more, whose clock goes an hour on, then an hour back."""
    clock = system.stack.folder / "clock"
    clock.write_text("+0")
    environment = {
        "LD_PRELOAD": str(FAKETIME[0]),
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    names = ("scheduler-3", "worker-3")
    for name in names:
        await system.start(name, **environment)
    await system.present("worker-3")
    start = time.time()
    for step in ("+3600", "-3600", "+0"):
        clock.with_suffix(".new").write_text(step)
        clock.with_suffix(".new").replace(clock)
        await asyncio.sleep(hold_s / 3)
    for name in names:
        await system.stop(name)
    wrong_clock = (
        "select count(*) from results where scheduled_at > to_timestamp(%s) "
        "and abs(extract(epoch from started_at - scheduled_at)) > 3000"
    )
    ((found,),) = await system.ask(wrong_clock, (start - 1,))
    return Cost(notes=[f"{found:,} checks by a wrong clock"], wrong=[] if found else ["no clock was stepped"])


FAULTS = (
    Fault("scheduler: kill -9", kill_scheduler),
    Fault("scheduler: SIGSTOP", stop_scheduler, 10, 3),
    Fault("leader: kill -9", kill_leader, short_s=1),
    Fault("leader: SIGSTOP", stop_leader, 9, 7),
    Fault("worker: kill -9", kill_worker),
    Fault("worker: SIGSTOP within a lease", stop_worker, 4, 4),
    Fault("worker: SIGSTOP past a lease", stop_worker, 12, 10),
    Fault("valkey: kill -9", restart_valkey),
    Fault("valkey: SIGSTOP", stop_valkey, 20, 5),
    Fault("valkey: away", valkey_away, 20, 5),
    Fault("valkey: flushed", flush_valkey, forgets=True),
    Fault("valkey: flushed while results wait", flush_valkey_while_results_wait, 3, 1, forgets=True),
    Fault("database: SIGSTOP", stop_database, 60, 10, raises=["spilled"]),
    Fault("database: away", database_away, 60, 10, raises=["spilled"]),
    Fault("target: cut", cut_target, 12, 4, story=["down", "up"]),
    Fault("target and canaries: cut", cut_everything, 12, 4, story=["unknown", "up"]),
    Fault("everything: rolling restart", rolling_restart),
    Fault(
        "clock: an hour on, an hour back",
        step_clocks,
        18,
        9,
        impossible="" if FAKETIME else "it needs libfaketime (the Debian package of that name)",
    ),
)
