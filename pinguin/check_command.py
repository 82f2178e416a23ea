"""`pinguin check`: one check from the shell, without a database, with all that a worker would see."""

from __future__ import annotations

import argparse
import asyncio
import io
import json
import os
import re
import shutil
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from math import nan
from pathlib import Path
from statistics import fmean
from typing import Any

from pinguin.checks import check_type, check_types
from pinguin.checks.contract import CheckOptions, CheckType, Resources
from pinguin.checks.describe import main_option, takes_port
from pinguin.checks.engine.stopwatch import in_words
from pinguin.checks.runner import Report, run
from pinguin.checks.verdict import wrong_host
from pinguin.errors import InvalidInput
from pinguin.fields.describe import Option, options_of
from pinguin.guard import Guard
from pinguin.model import Status

EXIT = {Status.UP: 0, Status.DEGRADED: 0, Status.DOWN: 1, Status.UNKNOWN: 3}
BAD_OPTIONS = 2
SEVERITY = {0: 0, 3: 1, 1: 2}

OVERVIEW = """\
Runs one check here and now, and prints its phases, its conditions and what was seen.

{types}

Each type has its own options: pinguin check TYPE --help
The exit code is 0 for up and degraded, 1 for down, 2 for bad options, 3 for unknown.
"""

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")

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
        arguments = _understood(parser(kind), words[1:])
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


def _understood(made: argparse.ArgumentParser, words: Sequence[str]) -> argparse.Namespace:
    """Exits, as argparse does, with what was meant perhaps in place of an option that there is not."""
    arguments, others = made.parse_known_args(words)
    if others:
        flags = [flag for flag in made._option_string_actions if flag.startswith("--")]
        unknown = others[0].partition("=")[0]
        near = get_close_matches(unknown, flags, 1) if unknown.startswith("-") else []
        hint = f"; did you mean {near[0]}?" if near else ""
        made.error(f"unrecognized arguments: {' '.join(others)}{hint}")
    return arguments


def overview() -> str:
    types = [kind for kind in check_types().values() if not kind.passive]
    width = max(len(kind.name) for kind in types)
    lines = [f"  {kind.name:<{width}}  {kind.title}: {_first_sentence(kind.doc)}" for kind in types]
    return "usage: pinguin check TYPE TARGET [options]\n\n" + OVERVIEW.format(types="\n".join(lines))


def parser(kind: CheckType) -> argparse.ArgumentParser:
    """What `pinguin check TYPE` understands, drawn from the type's options."""
    target = main_option(kind)
    made = argparse.ArgumentParser(
        prog=f"pinguin check {kind.name}",
        usage=f"pinguin check {kind.name} {target.name.upper()}{'[:PORT]' if takes_port(kind) else ''} [options]",
        description=kind.doc,
        epilog="A text may stand in a file: --option @FILE, or @- for standard input; @@ begins a text with an @.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    made.add_argument("target", metavar=target.name, help=_percent(_help(target)))
    ours = made.add_argument_group("about this run")
    ours.add_argument("--timeout", type=_seconds, default=10.0, metavar="S", help="for the whole check (default: 10 s)")
    ours.add_argument("--repeat", type=_times, default=1, metavar="N", help="check so many times (default: 1)")
    ours.add_argument("--interval", type=_seconds, default=1.0, metavar="S", help="from check to check (default: 1 s)")
    ours.add_argument("--json", action="store_true", help="print a line of JSON for each check")
    theirs = made.add_argument_group(f"options of {kind.name}")
    for option in options_of(kind.options)[1:]:
        _add(theirs, option)
    return made


def values(kind: CheckType, arguments: argparse.Namespace) -> dict[str, Any]:
    """The options that were given, in plain JSON types. Raises InvalidInput."""
    given: dict[str, Any] = {main_option(kind).name: arguments.target}
    if takes_port(kind):
        given |= _host_and_port(arguments.target)
    wrong: dict[str, str] = {}
    for option in options_of(kind.options)[1:]:
        value = getattr(arguments, f"option_{option.name}")
        if value is None:
            continue
        try:
            given[option.name] = _value(option, value)
        except (ValueError, OSError) as error:
            wrong[option.name] = str(error)
    if wrong:
        raise InvalidInput(wrong)
    return given


def _add(group: argparse._ArgumentGroup, option: Option) -> None:
    common: dict[str, Any] = {"dest": f"option_{option.name}", "default": None, "help": _percent(_help(option))}
    match option.kind:
        case "yes or no":
            group.add_argument(option.flag, action=argparse.BooleanOptionalAction, **common)
        case "whole number" | "number":
            number = int if option.kind == "whole number" else float
            group.add_argument(option.flag, type=number, metavar=option.unit.upper() or "N", **common)
        case "choice":
            few = len(option.choices) <= 12
            metavar = "{" + ",".join(option.choices) + "}" if few else "NAME"
            group.add_argument(option.flag, choices=option.choices, metavar=metavar, **common)
        case "list" | "pairs":
            metavar = "TEXT" if option.kind == "list" else "'NAME: VALUE'"
            group.add_argument(option.flag, action="append", metavar=metavar, **common)
        case _:
            group.add_argument(option.flag, metavar="TEXT", **common)


def _help(option: Option) -> str:
    """One option in a line or two."""
    facts = []
    if option.limits and not option.limits.endswith("characters"):
        facts.append(f"{option.limits} {option.unit}".strip())
    elif option.unit:
        facts.append(option.unit)
    if len(option.choices) > 12:
        facts.append("one of " + ", ".join(option.choices))
    if option.kind in ("list", "pairs"):
        facts.append("may be given several times")
    if option.required:
        facts.append("required")
    elif option.default not in ("", [], {}):
        facts.append(f"default: {_default(option)}")
    words = f"{option.title}. {option.help}".strip()
    return words + (f" ({'; '.join(facts)})" if facts else "")


def _default(option: Option) -> str:
    if isinstance(option.default, bool):
        return "yes" if option.default else "no"
    return ", ".join(option.default) if isinstance(option.default, list) else str(option.default)


def _percent(words: str) -> str:
    return words.replace("%", "%%")  # argparse takes a % for a place to fill in


def _first_sentence(doc: str) -> str:
    return " ".join(doc.partition("\n\n")[0].split())


def _flag(name: str, type_name: str) -> str:
    """How the field is called here."""
    if name == "type" or type_name not in check_types():
        return name
    return name if name == main_option(check_type(type_name)).name else "--" + name.replace("_", "-")


def _host_and_port(target: str) -> dict[str, Any]:
    """`host`, `host:port`, `::1` or `[::1]:port`. What fits none of these is for the options to refuse."""
    match = re.fullmatch(r"\[([^\]]*)\](?::([0-9]{1,5}))?|([^:]*):([0-9]{1,5})", target)
    if not match:
        wrong = wrong_host(target) if re.search(r"[:\[\]]", target) else None
        if wrong:
            ours = "must be host:port, or [address]:port for IPv6, with a port from 1 to 65535"
            raise InvalidInput({"host": wrong if "://" in target else ours})
        return {"host": target}
    host, port = (match[1], match[2]) if match[1] is not None else (match[3], match[4])
    return {"host": host, **({"port": int(port)} if port else {})}


def _value(option: Option, value: Any) -> Any:
    """Raises ValueError, OSError."""
    match option.kind:
        case "list":
            return [_text(each) for each in value]
        case "pairs":
            return _pairs(value)
        case "text":
            # Editors end a file with a line break, which belongs to no password.
            return _text(value).rstrip("\r\n") if option.secret else _text(value)
    return value


def _text(value: str) -> str:
    if value.startswith("@@"):
        return value[1:]
    if value == "@-":
        return sys.stdin.read()
    if value == "@":
        raise ValueError("needs a file behind the @; a text that is @ alone is written @@")
    if value.startswith("@"):
        try:
            return Path(value[1:]).read_text(encoding="utf-8")
        except OSError as error:
            raise ValueError(f"{value[1:]} cannot be read: {error.strerror}") from None
        except UnicodeDecodeError:
            raise ValueError(f"{value[1:]} is no text in UTF-8") from None
    return value


def _pairs(lines: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in map(_name_and_value, lines):
        if name in found:
            raise ValueError(f"{name} is given twice; leave one of them")
        found[name] = value
    return found


def _name_and_value(line: str) -> tuple[str, str]:
    name, colon, value = line.partition(":")
    if not colon or not name.strip():
        raise ValueError("must be `name: value`")
    return name.strip(), _text(value.strip()).rstrip("\r\n")


def _seconds(words: str) -> float:
    try:
        value = float(words)
    except ValueError:
        value = nan
    if not 0 < value <= 600:
        raise argparse.ArgumentTypeError("must be more than 0 and at most 600 seconds")
    return value


def _times(words: str) -> int:
    if not re.fullmatch("[0-9]{1,7}", words) or not 1 <= int(words) <= 1_000_000:
        raise argparse.ArgumentTypeError("must be a whole number from 1 to 1,000,000")
    return int(words)


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
            print(_shown(kind, options, report, arguments), flush=True)
    finally:
        resources.close()
        if len(reports) > 1 and not arguments.json:
            print(_summary(reports))
    return max((EXIT[report.status] for report in reports), key=SEVERITY.__getitem__)


def _shown(kind: CheckType, options: CheckOptions, report: Report, arguments: argparse.Namespace) -> str:
    if arguments.json:
        return json.dumps(plain(kind, options, report), ensure_ascii=sys.stdout.encoding.lower() != "utf-8")
    if arguments.repeat > 1:
        return _line(report)
    return "\n".join(table(kind, options, report))


def plain(kind: CheckType, options: CheckOptions, report: Report) -> dict[str, Any]:
    return {
        "type": kind.name,
        "target": options.target(),
        "status": str(report.status),
        "reason": report.reason,
        "message": report.message,
        "latency_ms": report.latency_ms,
        "phases": dict(report.phases),
        "evidence": dict(report.evidence),
    }


def table(kind: CheckType, options: CheckOptions, report: Report) -> Iterator[str]:
    """The report for a person, line by line."""
    latency = "" if report.latency_ms is None else f" after {_took(report.latency_ms)}"
    yield f"{report.status.upper()}{latency}  {kind.name} {printable(options.target())}"
    if report.reason:
        yield f"  {report.reason}: {printable(report.message or '')}"
    evidence = dict(report.evidence)
    conditions = evidence.pop("conditions", None)
    if report.phases:
        yield "\nphases"
        yield from _phases(report.phases)
    if isinstance(conditions, list) and conditions:
        yield "\nconditions"
        yield from _conditions(conditions)
    if evidence:
        yield "\nevidence"
        yield from _tree(evidence, "  ")


def _phases(phases: Mapping[str, float]) -> Iterator[str]:
    total = sum(phases.values()) or 1.0
    width = min(40, shutil.get_terminal_size().columns - 30)
    before = 0.0
    for phase, milliseconds in phases.items():
        start, end = round(before / total * width), round((before + milliseconds) / total * width)
        before += milliseconds
        yield f"  {phase:<10} {milliseconds:>10.2f} ms  {' ' * start}{'█' * max(end - start, 1)}"


def _conditions(conditions: Sequence[Any]) -> Iterator[str]:
    for each in conditions:
        if isinstance(each, Mapping):
            mark = "✓" if each.get("met") else "✗"
            yield f"  {mark} {printable(str(each.get('condition')))}  —  {printable(str(each.get('seen')))}"


def _tree(value: Any, indent: str) -> Iterator[str]:
    for name, item in value.items() if isinstance(value, Mapping) else enumerate(value, 1):
        label = printable(str(name))
        if isinstance(item, (Mapping, list)) and item and not _is_short(item):
            yield f"{indent}{label}:"
            yield from _tree(item, indent + "  ")
        else:
            words = ", ".join(map(str, item)) if isinstance(item, list) else item
            yield f"{indent}{label}: {printable('yes' if item is True else 'no' if item is False else str(words))}"


def _is_short(item: Any) -> bool:
    return isinstance(item, list) and all(isinstance(each, (str, int, float)) for each in item) and len(str(item)) < 90


def _took(milliseconds: float) -> str:
    return in_words(milliseconds) if milliseconds >= 1 else f"{milliseconds:.2f} ms"


def _line(report: Report) -> str:
    latency = "-" if report.latency_ms is None else _took(report.latency_ms)
    phases = "  ".join(f"{phase} {milliseconds:.1f}" for phase, milliseconds in report.phases.items())
    why = f"  {report.reason}: {printable(report.message or '')}" if report.reason else ""
    return f"{report.status.upper():<8} {latency:>8}  {phases}{why}"


def _summary(reports: Sequence[Report]) -> str:
    good = sum(report.status.answers for report in reports)
    words = f"{good} of {len(reports)} answered well ({100 * good / len(reports):.1f} %)"
    latencies = sorted(report.latency_ms for report in reports if report.latency_ms is not None)
    if not latencies:
        return words
    middle = latencies[len(latencies) // 2]
    figures = (latencies[0], middle, fmean(latencies), latencies[-1])
    return f"{words}; min / median / mean / max: {' / '.join(map(_took, figures))}"


def printable(words: str) -> str:
    """What a server sent must not move the cursor, colour the screen or turn the line around."""
    return _CONTROL.sub(lambda match: f"\\x{ord(match[0]):02x}", words.replace("\r\n", "\\r\\n").replace("\n", "\\n"))
