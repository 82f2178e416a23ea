"""`pinguin check`: one check from the shell, without a database, with all that a worker would see."""

from __future__ import annotations

import argparse
import asyncio
import io
import os
import re
import signal
import sys
from collections.abc import Sequence

from pinguin.check_command.printing import printable, shown, summary
from pinguin.check_command.reading import parser, understood, values
from pinguin.checks import check_type, check_types
from pinguin.checks.contract import CheckOptions, CheckType, Resources
from pinguin.checks.describe import main_option
from pinguin.checks.runner import Report, run
from pinguin.errors import InvalidInput
from pinguin.guard import Guard
from pinguin.model import Status

__all__ = ["check", "overview"]

EXIT = {Status.UP: 0, Status.DEGRADED: 0, Status.DOWN: 1, Status.UNKNOWN: 3}
BAD_OPTIONS = 2
SEVERITY = {0: 0, 3: 1, 1: 2}

OVERVIEW = """\
Runs one check here and now, and prints its phases, its conditions and what was seen.

{types}

Each type has its own options: pinguin check TYPE --help
The exit code is 0 for up and degraded, 1 for down, 2 for bad options, 3 for unknown.
"""

_HALF = re.compile("[\ud800-\udfff]")
"""What Python makes of a byte that is no text."""


async def check(words: Sequence[str], guard: Guard | None = None) -> int:
    """words: what stands behind `pinguin check`. guard: says which addresses may be connected to."""
    if not words or words[0] in ("-h", "--help"):
        print(overview(), end="")
        return 0 if words else BAD_OPTIONS
    for number, word in enumerate(words, 1):
        if _HALF.search(word):
            print(f"pinguin check: word {number} is no text in UTF-8", file=sys.stderr)
            return BAD_OPTIONS
    try:
        kind = check_type(words[0])
        if kind.passive:
            raise InvalidInput({"type": f"{kind.name} waits to be pinged, so there is nothing to run"})
        arguments = understood(parser(kind), words[1:])
        options = kind.parse(values(kind, arguments))
    except InvalidInput as wrong:
        for name, message in wrong.fields.items():
            print(f"pinguin check: {_flag(name, words[0])}: {printable(message)}", file=sys.stderr)
        return BAD_OPTIONS
    if isinstance(sys.stdout, io.TextIOWrapper):  # a terminal of Latin-1 has no bars
        sys.stdout.reconfigure(errors="replace")
    try:
        return await _run(kind, options, arguments, guard)
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):  # whoever read along (head, less) has seen enough
            return 128 + signal.SIGPIPE
        print(f"pinguin check: cannot print: {error.strerror}", file=sys.stderr)
        return EXIT[Status.UNKNOWN]


def overview() -> str:
    types = [kind for kind in check_types().values() if not kind.passive]
    width = max(len(kind.name) for kind in types)
    lines = [f"  {kind.name:<{width}}  {kind.title}: {_first_sentence(kind.doc)}" for kind in types]
    return "usage: pinguin check TYPE TARGET [options]\n\n" + OVERVIEW.format(types="\n".join(lines))


def _first_sentence(doc: str) -> str:
    return " ".join(doc.partition("\n\n")[0].split())


def _flag(name: str, type_name: str) -> str:
    """How the field is called here."""
    if name == "type" or type_name not in check_types():
        return name
    return name if name == main_option(check_type(type_name)).name else "--" + name.replace("_", "-")


async def _run(kind: CheckType, options: CheckOptions, arguments: argparse.Namespace, guard: Guard | None) -> int:
    resources = Resources(guard)
    reports: list[Report] = []
    loop = asyncio.get_running_loop()
    try:
        began = loop.time()
        for number in range(arguments.repeat):
            if number:
                await asyncio.sleep(max(began + number * arguments.interval - loop.time(), 0))
            report = await run(kind, options, arguments.timeout, resources)
            reports.append(report)
            print(shown(kind, options, report, arguments), flush=True)
    finally:
        resources.close()
        if len(reports) > 1 and not arguments.json:
            print(summary(reports))
    return max((EXIT[report.status] for report in reports), key=SEVERITY.__getitem__)
