"""Waits for a job to ping it: a cron job, a backup, anything that runs now and then. A ping that is missing, a run that
takes too long or a job that says that it failed is an outage.

Nothing is checked from here. The job calls the monitor's address when it is done, and at its start if it likes;
docs/push.md has the ways. The latency is the time from start to end, where the job tells both. From the expected time
to the end of the grace the monitor is late, which alerts nobody.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

import msgspec

from pinguin.checks.contract import CheckOptions
from pinguin.fields import Examples, field
from pinguin.push import Rules, check_schedule, expected_after, in_words

TITLE = "Push (cron job)"
PASSIVE = True

EXAMPLES: Examples = [
    ("A heartbeat every five minutes, with a minute to spare.", {"period_s": 300, "grace_s": 60}),
    (
        "A nightly backup that starts at three, wherever the clocks are, and takes two hours at most.",
        {
            "schedule": "cron",
            "expression": "0 3 * * *",
            "zone": "Europe/Berlin",
            "grace_s": 1800,
            "max_run_s": 7200,
        },
    ),
    (
        "A job that always calls the same address, and says in its text how it went.",
        {"period_s": 86400, "success_keywords": ["backup complete"], "otherwise": "fail"},
    ),
]

Keyword = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
Keywords = list[Keyword]
AT = datetime(2026, 1, 1, tzinfo=UTC)
"""A time like any other, to see how far apart a schedule's times are."""


class Options(CheckOptions, frozen=True):
    schedule: Annotated[
        Literal["period", "cron"],
        field("Schedule", "period: so often after the last ping. cron: at the times of a cron expression."),
    ] = "period"
    period_s: Annotated[
        int, field("Period", "From one ping to the next. Not for cron.", unit="s", ge=1, le=366 * 86400)
    ] = 86400
    expression: Annotated[
        str,
        field(
            "Cron expression",
            "Five fields: minute, hour, day of the month, month, day of the week.",
            placeholder="0 3 * * *",
            max_length=200,
        ),
    ] = ""
    zone: Annotated[
        str, field("Time zone", "Where the job's machine has its clock.", placeholder="Europe/Berlin", max_length=60)
    ] = "UTC"
    grace_s: Annotated[
        int, field("Grace", "How late a ping may be before that is an outage.", unit="s", ge=1, le=31 * 86400)
    ] = 3600
    max_run_s: Annotated[
        int,
        field(
            "Longest run",
            "From the start that a job tells to its end. 0: as long as the grace.",
            unit="s",
            ge=0,
            le=29 * 86400,
        ),
    ] = 0
    slug: Annotated[
        str,
        field(
            "Slug",
            "A name for addresses with the ping key, as /ping/KEY/SLUG (PINGUIN_PING_KEY).",
            placeholder="nightly-backup",
            advanced=True,
            max_length=100,
            pattern="^[a-z0-9_-]*$",
        ),
    ] = ""
    methods: Annotated[
        Literal["any", "POST"],
        field(
            "Methods", "POST: other pings are only listed, such as those of a chat that previews links.", advanced=True
        ),
    ] = "any"
    success_keywords: Annotated[
        Keywords,
        field(
            "Success words",
            "One a line. A ping with one of them in its body is a success.",
            advanced=True,
            max_length=20,
        ),
    ] = msgspec.field(default_factory=list)
    failure_keywords: Annotated[
        Keywords,
        field("Failure words", "One a line. They are looked for first.", advanced=True, max_length=20),
    ] = msgspec.field(default_factory=list)
    start_keywords: Annotated[
        Keywords,
        field("Start words", "One a line. They are looked for last.", advanced=True, max_length=20),
    ] = msgspec.field(default_factory=list)
    otherwise: Annotated[
        Literal["ignore", "fail"],
        field("Without any of these words", "What a ping is, where words are given and none is there.", advanced=True),
    ] = "ignore"

    def __post_init__(self) -> None:
        check_schedule(self.schedule, self.expression, self.zone)

    def target(self) -> str:
        when = f"every {in_words(timedelta(seconds=self.period_s))}"
        if self.schedule == "cron":
            when = f"{' '.join(self.expression.split())} {self.zone}"
        return f"{when}, grace {in_words(timedelta(seconds=self.grace_s))}"

    def interval_s(self) -> int:
        rules = Rules.of(msgspec.to_builtins(self))
        first = expected_after(rules, AT)
        second = first and expected_after(rules, first)
        apart = (second - first).total_seconds() if first and second else 86400
        return max(1, min(86400, round(apart)))
