"""Pings, what is known of a push monitor, and what follows from both."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from uuid import UUID

import msgspec

from pinguin.model import Status
from pinguin.push.schedule import Rules, expected_after

Kind = Literal["start", "success", "fail", "log", "exit", "ignored"]
"""What a ping says. exit: by its exit code. ignored: the monitor's options say so."""

TICK = timedelta(microseconds=1)


class Ping(msgspec.Struct, frozen=True, kw_only=True):
    """One ping as it came. id: tells a repeated write from a second ping. at: when, where it had to wait; else None.

    token, or key and slug: whom it is for. create: make the monitor where there is none for the slug.
    """

    id: UUID
    kind: Kind = "success"
    token: UUID | None = None
    slug: str | None = None
    create: bool = False
    exit_code: int | None = None
    run_id: UUID | None = None
    at: datetime | None = None
    method: str = "GET"
    remote: str | None = None
    user_agent: str = ""
    body: str = ""


class Run(msgspec.Struct, frozen=True, array_like=True):
    """A run that has started and not ended. id: "" where the job gives none. over: too long, and that is told."""

    id: str
    started_at: datetime
    over: bool = False


class Watch(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a push monitor.

    version: the monitor's, for which the times below were computed; None where they are still to be.
    base_at: what the schedule counts from: the last ping that was expected, or when it was made or resumed.
    changed_at: when the version began; nothing is expected before that.
    expected_at, deadline: None where the schedule never comes again.
    started_at: the first start since the last end.
    last_at: the newest ping of any kind; result_at: the newest result. Times of one monitor only grow.
    """

    version: int | None
    base_at: datetime
    changed_at: datetime
    expected_at: datetime | None = None
    deadline: datetime | None = None
    started_at: datetime | None = None
    last_at: datetime | None = None
    last_ping: datetime | None = None
    last_start: datetime | None = None
    result_at: datetime | None = None
    runs: tuple[Run, ...] = ()


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """A result in the making: what a ping, or the lack of one, says of the job."""

    at: datetime
    status: Status
    reason: str | None = None
    message: str | None = None
    duration: timedelta | None = None
    evidence: dict[str, Any] = {}


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a ping: when it came, what it was taken for, how long the run was that it ended."""

    at: datetime
    kind: Kind
    duration: timedelta | None = None
    verdict: Verdict | None = None


def plan(watch: Watch, rules: Rules, version: int) -> Watch:
    """`watch` with its times computed anew, for a version that it was not computed for."""
    expected = expected_after(rules, watch.base_at)
    if expected is not None:
        expected = max(expected, watch.changed_at)
    return expecting(msgspec.structs.replace(watch, version=version), rules, expected)


def expecting(watch: Watch, rules: Rules, expected: datetime | None) -> Watch:
    deadline = None if expected is None else expected + rules.grace
    if deadline is not None and watch.started_at is not None:
        deadline = max(deadline, watch.started_at + rules.longest_run)
    return msgspec.structs.replace(watch, expected_at=expected, deadline=deadline)


def later(at: datetime, newest: datetime | None) -> datetime:
    return at if newest is None else max(at, newest + TICK)


def clock(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def in_words(span: timedelta) -> str:
    """45 s, 5 min, 1 h 30 min, 2 d: nothing is left out."""
    left, parts = round(span.total_seconds()), []
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min"), (1, "s")):
        count, left = divmod(left, size)
        parts += [f"{count} {unit}"] if count else []
    return " ".join(parts) or "0 s"
