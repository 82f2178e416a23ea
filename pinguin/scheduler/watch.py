"""Whether the pipeline itself is well: raised once for all monitors, and told to those that went quiet."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from pinguin.broker import Broker
from pinguin.db import Pool, connection
from pinguin.scheduler.push import SEEN
from pinguin.scheduler.reconcile import FencedOut
from pinguin.store import push, upkeep
from pinguin.store.upkeep import Problem

_log = structlog.get_logger(__name__)

WATCH_S = 5.0
WORKER_SEEN_S = 20.0
QUEUE_LATE_S = 15.0
PATIENCE = timedelta(seconds=20)
"""How long after a new leader, or an outage, workers may take to come and to bring their results."""
UNWATCHED = timedelta(seconds=30)
HUNG_S = 2.0
"""How long the database may keep one look waiting before that is an outage, in which results waited in Redis."""


@dataclass(slots=True)
class Memory:
    """What outlasts an outage. spilled: how many results were ever spilled when the pipeline was last looked after."""

    spilled: int | None = None


async def watch(broker: Broker, pool: Pool, token: str, memory: Memory) -> None:
    """Look after the pipeline for as long as both services answer. Raises `Unavailable` when one does not.

    Raises `FencedOut` when another leads: what an emptied Redis shows its old leader is no evidence.
    """
    clock = asyncio.get_running_loop().time
    began = looked = clock()
    spilled = await _spilled(broker)
    if memory.spilled is None:
        memory.spilled = spilled
    # Results that were in again before anybody looked are an outage all the same.
    waited = spilled - memory.spilled
    while True:
        async with connection(pool, within_s=30) as conn:
            regions = await upkeep.regions(conn)
            as_of, gap = await upkeep.watch(conn, UNWATCHED)
            open_ago = await push.open_ago(conn)
        if gap:
            _log.error("pipeline_unwatched", seconds=round(gap.total_seconds()))
            began = clock()
        spilled = await _spilled(broker)
        if clock() - looked > WATCH_S + HUNG_S:
            waited = spilled - memory.spilled
        looked = clock()
        settled = looked - began >= PATIENCE.total_seconds()
        lost = await broker.backlog.results.untold_loss()
        problems = await _look(broker, regions, waited, lost, settled)
        if settled:
            problems += await _look_at_pushes(broker, open_ago)
        if await broker.leader() != token:
            raise FencedOut("the pipeline belongs to a newer leader")
        # Results that still wait for the database are evidence: nobody is quiet before they are in.
        mark = settled and not any(problem.code == "spilled" for problem in problems)
        await _raise(broker, pool, problems, as_of if mark else None, lost)
        waited, memory.spilled = 0, spilled  # only now: it is written down
        await asyncio.sleep(WATCH_S)


async def _spilled(broker: Broker) -> int:
    """How many results were ever spilled."""
    return (await broker.counters()).get("spilled", 0)


async def _look(broker: Broker, regions: Sequence[str], waited: int, lost: int, settled: bool) -> list[Problem]:
    workers = await broker.workers(WORKER_SEEN_S)
    problems = []
    for region in regions:
        late = await broker.oldest_job(region)
        if region not in workers:
            if settled:  # they may not have found Redis again, or it was flushed
                fix = f"start `pinguin worker` with PINGUIN_REGION={region}"
                problems.append(Problem("no_worker", region, f"no worker in region {region}: {fix}"))
        elif late is not None and late > QUEUE_LATE_S:
            fix = "start more workers, or raise PINGUIN_WORKER_CONCURRENCY"
            problems.append(Problem("queue_late", region, f"jobs wait {late:.0f} s in region {region}: {fix}"))
    if waiting := await broker.backlog.results.count():
        words = _count(waiting, "result waits", "results wait")
        problems.append(Problem("spilled", "", f"{words} in Redis for the database"))
    elif waited > 0:
        words = _count(waited, "result", "results")
        problems.append(Problem("spilled", "", f"{words} waited in Redis for the database"))
    if lost:
        words = _count(lost, "result", "results")
        problems.append(Problem("lost", "", f"{words} did not fit into Redis while the database was away"))
    return problems


async def _look_at_pushes(broker: Broker, open_ago: timedelta | None) -> list[Problem]:
    """open_ago: how long ago pings could be taken; None where nobody is to ping."""
    if waiting := await broker.backlog.pings.count():
        words = _count(waiting, "ping of a job waits", "pings of jobs wait")
        return [Problem("pushes", "", f"{words} in Redis for the database")]
    if open_ago is not None and open_ago > SEEN:
        return [Problem("pushes", "", "no web process takes pings, so no push monitor is judged: start `pinguin web`")]
    return []


def _count(number: int, one: str, several: str) -> str:
    return f"{number} {one if number == 1 else several}"


async def _raise(broker: Broker, pool: Pool, problems: list[Problem], as_of: datetime | None, lost: int) -> None:
    """Write it down. as_of: mark what had gone quiet by then, however long the database takes to hear of it."""
    causes = {problem.region: problem.message for problem in problems if problem.region}
    async with connection(pool, within_s=30) as conn:
        quiet = await upkeep.mark_quiet(conn, as_of, causes) if as_of else []
        if silent := await upkeep.quiet_monitors(conn):
            words = _count(silent, "monitor has", "monitors have")
            problems = [*problems, Problem("quiet", "", f"{words} no results")]
        if away := await upkeep.offline_monitors(conn):
            words = _count(away, "monitor is", "monitors are")
            problems = [*problems, Problem("offline", "", f"a worker has no network: {words} unknown")]
        for problem in await upkeep.set_problems(conn, problems):
            _log.error("pipeline_problem", code=problem.code, region=problem.region, message=problem.message)
    if lost:
        await broker.backlog.results.tell_loss(lost)  # only now: it is written down
    if quiet:
        await broker.announce_results(quiet)
