"""A report as a table, a line, JSON; and what a row of them amounts to."""

from __future__ import annotations

import argparse
import json
import re
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from statistics import fmean
from typing import Any

from pinguin.checks.contract import CheckOptions, CheckType
from pinguin.checks.engine.stopwatch import in_words
from pinguin.checks.runner import Report

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def shown(kind: CheckType, options: CheckOptions, report: Report, arguments: argparse.Namespace) -> str:
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


def summary(reports: Sequence[Report]) -> str:
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
