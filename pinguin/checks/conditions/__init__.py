"""Conditions: what somebody expects of an answer, one a line, in words that a person likes to type.

    status < 400
    header content-type contains json
    body not contains error
    json $.items | length >= 3
    warn time < 500 ms

A line is a subject, an operator and what is expected; `warn` before it makes the target degraded instead of down.
A check type says which subjects it has (`Subject`), reads the lines when the options are read
(`syntax.parse`), and later gives the value of each (`judge`). Every condition is reported with the value
that was seen.
"""

from __future__ import annotations

from pinguin.checks.conditions.documents import at, read_json
from pinguin.checks.conditions.judging import effort, judge, report
from pinguin.checks.conditions.parts import MISSING, SEEN, Condition, Finding, Missing, Several, Subject, Unreadable
from pinguin.checks.conditions.syntax import MOST_CONDITIONS, parse

__all__ = [
    "MISSING", "MOST_CONDITIONS", "SEEN", "Condition", "Finding", "Missing", "Several", "Subject", "Unreadable", "at",
    "effort", "judge", "parse", "read_json", "report",
]  # fmt: skip
