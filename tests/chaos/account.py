"""What a fault cost: one trial, one question to SQL, one line of the table."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from tests.chaos.faults import Cost, Fault
from tests.chaos.system import NO_PROBLEM, OWED, System

ACCOUNT = (Path(__file__).parent / "account.sql").read_text()

COUNTED = ("reaped", "missed", "overlapping", "stale", "superseded")
"""Counters of Redis. The first is of jobs that were handed out again, the others are of slots that were dropped."""
EDGE = timedelta(seconds=0.3)
"""Of the dark: how long closing and opening may take, and a check between its start and its connection."""


@dataclass(frozen=True, slots=True)
class Account:
    """The answer. started_s, recorded_s: 99th percentile after the slot.

    held: slots that were passed over, and counted, as the result before was not committed yet: where the machine is so
    busy that start and commit together take longer than a second. One of a monitor, of those of one second; where all
    change at once, one for each of these changes.
    """

    expected: int
    stored: int
    lost: int
    forgiven: int
    held: int
    doubled: int
    reruns: int
    started_s: float
    recorded_s: float
    false: int
    wrong: int
    quiet: int
    incidents: int
    when_lost: Sequence[str]
    changes: Sequence[str]
    pipeline: Sequence[str]


@dataclass(frozen=True, slots=True)
class Trial:
    """A fault and its account. healed_s: from the end of the fault on. wrong: what else should not be, in words.

    counted: how many slots dispatch and the workers dropped meanwhile, by why.
    """

    name: str
    healed_s: float
    account: Account
    notes: Sequence[str] = ()
    wrong: Sequence[str] = field(default_factory=list)
    counted: Mapping[str, int] = field(default_factory=dict)

    @property
    def complaints(self) -> list[str]:
        account = self.account
        counts = {
            "results lost": account.lost,
            "checks doubled": account.doubled,
            "transitions that should not be": account.false,
            "results that say otherwise than the target did": account.wrong,
        }
        why = [f"counted meanwhile: {count} {name}" for name, count in self.counted.items() if account.lost and count]
        return [
            *(f"{count} {what}" for what, count in counts.items() if count),
            *account.when_lost[:20],
            *why,
            *self.wrong,
        ]


async def trial(system: System, fault: Fault, hold_s: float, lead_s: float = 5, tail_s: float = 10) -> Trial:
    """Do it to a healthy system, wait until it is healthy again, and ask."""
    await system.healthy(time.time())
    await system.until(OWED)
    await system.until(NO_PROBLEM, (list(fault.raises),))
    start = await _between_seconds(lead=lead_s)
    before = await system.broker.counters()
    cost = await fault.inject(system, hold_s)
    over = time.time()
    await system.healthy(over, within_s=90)
    healed = time.time()
    end = await _between_seconds(after=tail_s)
    await system.healthy(end)
    await system.raised(fault.raises, start)
    await asyncio.sleep(1)  # for what a worker does that stood still
    after = await system.broker.counters()
    counted = {name: after.get(name, 0) - (0 if fault.forgets else before.get(name, 0)) for name in COUNTED}
    account = await _ask(system, fault, cost, (start, end), counted)
    wrong = [*cost.wrong, *(f"no pipeline incident {code!r}" for code in fault.raises if code not in account.pipeline)]
    dropped = {name: count for name, count in counted.items() if name != "reaped"}
    return Trial(fault.name, healed - over, account, cost.notes, wrong, dropped)


async def _between_seconds(lead: float = 0, after: float = 0) -> float:
    """Wait; a moment just before a full second, when no check runs, that is `lead` ago or `after` from the call on."""
    moment = math.ceil(time.time() + after) + 0.95
    await asyncio.sleep(moment + lead - time.time())
    return moment


async def _ask(
    system: System, fault: Fault, cost: Cost, window: tuple[float, float], counted: Mapping[str, int]
) -> Account:
    excuses = [
        {"start": _moment(excuse.start), "end": _moment(excuse.end), "monitors": excuse.monitors}
        for excuse in cost.excuses
    ]
    arguments: Mapping[str, object] = {
        "start": _moment(window[0]),
        "end": _moment(window[1]),
        "connections": _json({str(key): n for key, n in system.target.visits(*window).items()}),
        "excuses": _json(excuses),
        "reruns": counted["reaped"] + cost.reruns,
        "overlaps": counted["overlapping"],
        "drops": counted["overlapping"] + counted["missed"] + counted["stale"],
        "story": list(fault.story),
        "edge": EDGE,
        "dark_start": _moment(cost.dark[0]) if cost.dark else None,
        "dark_end": _moment(cost.dark[1]) if cost.dark else None,
    }
    ((row),) = await system.ask(ACCOUNT, arguments)
    return Account(*row)


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


COLUMNS = ("expected", "stored", "lost", "forgiven", "held", "doubled", "rerun", "start p99", "write p99", "false",
           "quiet", "healed")  # fmt: skip


def table(trials: Sequence[Trial]) -> Iterator[str]:
    """The table, line by line. forgiven: lost within the excuse; held: as of `Account`; quiet: unknown, rightly so."""
    widest = max(len(each.name) for each in trials)
    yield " " * widest + "".join(f"{column:>10}" for column in COLUMNS) + "  changes; pipeline; notes"
    for each in trials:
        a = each.account
        cells = [
            f"{a.expected:,}", f"{a.stored:,}", f"{a.lost}", f"{a.forgiven}", f"{a.held}", f"{a.doubled}",
            f"{a.reruns}", f"{a.started_s:.2f} s", f"{a.recorded_s:.2f} s", f"{a.false + a.wrong}", f"{a.quiet}",
            f"{each.healed_s:.1f} s",
        ]  # fmt: skip
        said = "; ".join(filter(None, [", ".join(a.changes), ", ".join(a.pipeline), *each.notes]))
        yield f"{each.name:<{widest}}" + "".join(f"{cell:>10}" for cell in cells) + f"  {said}"
        for complaint in each.complaints:
            yield f"  WRONG: {complaint}"
