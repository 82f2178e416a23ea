"""Checks at full rate for a long time, one target in twenty hostile, and looks whether memory and files stay flat.

    python -m tests.soak --minutes 20 [--rate 300]

Exits 1 where something grew, a result is missing, a hostile target was up or an honest one was not.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import tempfile
from collections import Counter
from pathlib import Path

from bench.bounds import Bound, verdict
from pinguin.lifecycle import configure_logs
from pinguin.settings import Settings
from tests.soak.run import FEW_FILES, Figures, grown, soak

MOST_GROWN_MB, MOST_GROWN_FILES = 8, 10


def bounds(figures: Figures) -> list[Bound]:
    """What must hold of a soak."""
    well, unwell = figures.results(hostile=False, up=True), figures.results(hostile=False, up=False)
    return [
        Bound("memory grown after the warm-up", grown(figures.memory_mb), MOST_GROWN_MB, "MB"),
        Bound("files grown after the warm-up, at the least", grown(figures.files, min), MOST_GROWN_FILES),
        Bound("files when nothing is left to check", figures.files_at_rest, FEW_FILES),
        Bound("share of the slots that have a result", figures.recorded / figures.expected, 0.99, at_least=True),
        Bound("results of hostile targets that were up", figures.results(hostile=True, up=True), 0),
        Bound("share of up among honest targets", well / (well + unwell), 0.995, at_least=True),
        Bound("kinds of hostile targets met", len(figures.hostile & {name for name, _, _ in figures.seen}),
              len(figures.hostile), at_least=True),
    ]  # fmt: skip


def show(figures: Figures) -> None:
    for name in sorted(figures.hostile):
        met = Counter({reason: count for (each, _, reason), count in figures.seen.items() if each == name})
        print(f"  {name:<42}{', '.join(f'{reason} {count}' for reason, count in met.most_common())}")
    print(f"{figures.recorded:,} results in {figures.seconds / 60:.1f} minutes, {figures.cpu_us:.0f} µs of CPU each;")
    for what, samples in (("memory, MB", figures.memory_mb), ("open files", figures.files)):
        ordered = f"least {min(samples):.1f}, median {statistics.median(samples):.1f}, most {max(samples):.1f}"
        more = f"grown by {grown(samples):+.1f}, at the least by {grown(samples, min):+.1f}"
        print(f"{what} of the worker after the warm-up: {ordered}; {more}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--rate", type=int, default=300, help="checks a second")
    arguments = parser.parse_args()
    configure_logs(Settings(log_level="error"), "soak")

    def say(line: str) -> None:
        print(line, flush=True)

    with tempfile.TemporaryDirectory(prefix="pinguin-soak-", ignore_cleanup_errors=True) as folder:
        figures = asyncio.run(soak(Path(folder) / "data", 60 * arguments.minutes, arguments.rate, say))
    show(figures)
    return verdict(bounds(figures), enforced=True)


if __name__ == "__main__":
    sys.exit(main())
