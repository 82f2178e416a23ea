"""Feeds every parser with what servers may send, for as long as one likes.

    python -m tests.fuzz --minutes 10 [--seed 1] [--only http1 dialogue]

Exits 1 where an input crashed, took longer than a second of CPU time, or where memory grew. An input is its target and
its seed: `--only http1 --seed 123 --inputs 1` runs one again.
"""

from __future__ import annotations

import argparse
import faulthandler
import gc
import random
import sys
import time
import traceback
from collections import Counter
from dataclasses import dataclass, field

from bench.processes import memory_mb
from tests.fuzz.targets import TARGETS, once

MOST_S = 1.0
MOST_GROWN_MB = 48.0
HUNG_S = 120.0


@dataclass
class Tally:
    """What became of the inputs of one target. slowest_s: CPU seconds of the slowest, with its seed."""

    outcomes: Counter[str] = field(default_factory=Counter)
    slowest_s: float = 0.0
    slowest: int = 0
    crashes: list[str] = field(default_factory=list)

    @property
    def inputs(self) -> int:
        return self.outcomes.total()

    def run(self, name: str, seed: int) -> None:
        began = time.process_time()
        try:
            self.outcomes[once(name, seed)] += 1
        except Exception:  # whatever a parser lets through is what we look for
            self.outcomes["crash"] += 1
            self.crashes.append(f"--only {name} --seed {seed} --inputs 1\n{traceback.format_exc()}")
        took = time.process_time() - began
        if took > self.slowest_s:
            self.slowest_s, self.slowest = took, seed


def fuzz(names: list[str], seed: int, seconds: float, inputs: int = 0) -> dict[str, Tally]:
    """Each target in turn, with ever new inputs, until the time is over or each had so many `inputs`."""
    tallies = {name: Tally() for name in names}
    seeds = random.Random(seed)
    until = time.monotonic() + seconds
    number = seed
    while time.monotonic() < until and (not inputs or tallies[names[-1]].inputs < inputs):
        faulthandler.dump_traceback_later(HUNG_S, exit=True, file=2)
        for name in names:
            tallies[name].run(name, number)
        number = seeds.randrange(2**63)
    faulthandler.cancel_dump_traceback_later()
    return tallies


def memory() -> float:
    gc.collect()
    return memory_mb("self")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=time.time_ns())
    parser.add_argument("--inputs", type=int, default=0, help="how many each target gets; 0: as many as there is time")
    parser.add_argument("--only", nargs="+", choices=TARGETS, default=list(TARGETS))
    arguments = parser.parse_args()
    seconds = 60 * arguments.minutes
    print(f"seed {arguments.seed}")
    if arguments.inputs:
        return report(fuzz(arguments.only, arguments.seed, seconds, arguments.inputs), 0.0)
    warm = fuzz(arguments.only, arguments.seed, seconds / 5)
    before = memory()
    tallies = fuzz(arguments.only, arguments.seed + 1, seconds * 4 / 5)
    grown = memory() - before
    print(f"memory after the first fifth {before:.0f} MB, at the end {before + grown:.0f} MB")
    for name, tally in warm.items():
        tallies[name].outcomes += tally.outcomes
        tallies[name].crashes += tally.crashes
    return report(tallies, grown)


def report(tallies: dict[str, Tally], grown_mb: float) -> int:
    """Print what was seen; the exit code."""
    for name, tally in tallies.items():
        outcomes = ", ".join(f"{word} {count:,}" for word, count in tally.outcomes.most_common())
        slowest = f"slowest {1000 * tally.slowest_s:.0f} ms ({tally.slowest})"
        print(f"{name:<14}{tally.inputs:>10,} inputs, {slowest}: {outcomes}")
        for crash in tally.crashes[:3]:
            print(crash)
    faults = [f"{name}: {len(tally.crashes)} crashed" for name, tally in tallies.items() if tally.crashes]
    faults += [f"{name}: an input took {t.slowest_s:.1f} s" for name, t in tallies.items() if t.slowest_s > MOST_S]
    faults += [f"memory grew by {grown_mb:.0f} MB"] if grown_mb > MOST_GROWN_MB else []
    print("\n".join(faults) or "no crash, no hang, no growth")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
