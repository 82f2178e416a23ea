"""Every fault against the real processes: what each cost, as a table; exit 1 where a count is wrong.

    python -m tests.chaos [--short] [--hold SECONDS] [NAME …]

NAME is a part of a fault's name, such as "worker" or "valkey: flushed".
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Sequence

from pinguin.lifecycle import configure_logs
from pinguin.settings import Settings
from tests.chaos.account import Trial, table, trial
from tests.chaos.faults import FAULTS, Fault
from tests.chaos.system import running_somewhere


async def run(faults: Sequence[Fault], *, short: bool, hold_s: float | None) -> list[Trial]:
    trials = []
    async with running_somewhere() as system:
        for fault in faults:
            print(f"{fault.name} …", file=sys.stderr, flush=True)
            usual_s, lead_s, tail_s = (fault.short_s, 2, 4) if short else (fault.hold_s, 5, 10)
            trials.append(await trial(system, fault, hold_s or usual_s, lead_s, tail_s))
            for complaint in trials[-1].complaints:
                print(f"  WRONG: {complaint}", file=sys.stderr, flush=True)
    return trials


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="parts of the names of faults; without one, all")
    parser.add_argument("--short", action="store_true", help="hold each fault for a few seconds only")
    parser.add_argument("--hold", type=float, metavar="SECONDS", help="hold each fault for so long instead")
    arguments = parser.parse_args()
    names = arguments.names or [""]
    chosen = [fault for fault in FAULTS if any(name in fault.name for name in names)]
    if not chosen:
        parser.error("no fault has such a name: " + "; ".join(fault.name for fault in FAULTS))
    configure_logs(Settings(log_level="error"), "chaos")
    possible = [fault for fault in chosen if not fault.impossible]
    trials = asyncio.run(run(possible, short=arguments.short, hold_s=arguments.hold)) if possible else []
    print()
    for line in table(trials) if trials else ():
        print(line)
    for fault in chosen:
        if fault.impossible:
            print(f"{fault.name}: not possible here: {fault.impossible}")
    wrong = sum(bool(each.complaints) for each in trials)
    print(f"\nThe machine: {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} over the last minute.")
    print(f"{len(trials) - wrong} faults as they should be, {wrong} not.")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
