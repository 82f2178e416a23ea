"""What a ping changes."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import msgspec

from pinguin.model import Status
from pinguin.push.schedule import Rules, expected_after
from pinguin.push.watch import TICK, Kind, Ping, Run, Taken, Verdict, Watch, expecting, later

EARLY = timedelta(seconds=60)
"""A job's clock may be fast: a ping so shortly before its time is the one that was expected."""
RUNS = 50
"""Runs of one monitor that are remembered while they last."""
LONGEST_RUN = timedelta(days=30)
EXCERPT = 500
"""Characters of a failed ping's body that the incident keeps; all of it is with the ping."""


def meaning(rules: Rules, ping: Ping) -> Kind:
    """What a ping is taken for. Keywords are looked for where the address does not say what it means."""
    if rules.methods == "POST" and ping.method != "POST":
        return "ignored"
    keywords: tuple[tuple[Kind, tuple[str, ...]], ...] = (
        ("fail", rules.failure_keywords),
        ("success", rules.success_keywords),
        ("start", rules.start_keywords),
    )
    if ping.kind != "success" or not any(words for _, words in keywords):
        return ping.kind
    for kind, words in keywords:
        if any(word in ping.body for word in words):
            return kind
    return "fail" if rules.otherwise == "fail" else "ignored"


def receive(watch: Watch, rules: Rules, ping: Ping, now: datetime) -> tuple[Watch, Taken]:
    """What a ping changes. It came at `ping.at` if it had to wait, else `now`; times never go back."""
    at = min(ping.at or now, now)
    if watch.last_at is not None:
        at = max(at, watch.last_at + TICK)
    kind = meaning(rules, ping)
    watch = msgspec.structs.replace(watch, last_at=at)
    if kind == "start":
        return _started(watch, rules, ping, at), Taken(at=at, kind=kind)
    if kind in ("log", "ignored"):
        return watch, Taken(at=at, kind=kind)
    return _ended(watch, rules, ping, kind, at)


def _started(watch: Watch, rules: Rules, ping: Ping, at: datetime) -> Watch:
    others = [run for run in watch.runs if run.id != _name(ping) and at - run.started_at < LONGEST_RUN]
    runs = (*others[1 - RUNS :], Run(_name(ping), at))
    watch = msgspec.structs.replace(watch, runs=runs, last_start=at, started_at=watch.started_at or at)
    return expecting(watch, rules, watch.expected_at)


def _name(ping: Ping) -> str:
    return str(ping.run_id or "")


def _ended(watch: Watch, rules: Rules, ping: Ping, kind: Kind, at: datetime) -> tuple[Watch, Taken]:
    run = next((run for run in watch.runs if run.id == _name(ping)), None)
    # An end without a run id ends whatever runs, as there is no telling which; it measures only its like.
    left = tuple(each for each in watch.runs if each is not run) if ping.run_id else ()
    duration = None if run is None else at - run.started_at
    before = watch
    watch = msgspec.structs.replace(
        watch,
        runs=left,
        last_ping=at,
        result_at=later(at, watch.result_at),
        base_at=_base(watch, rules, at),
        started_at=None,
    )
    watch = expecting(watch, rules, expected_after(rules, watch.base_at))
    verdict = _verdict(before, ping, kind, duration, watch.result_at or at)
    return watch, Taken(at=at, kind=kind, duration=duration, verdict=verdict)


def _base(watch: Watch, rules: Rules, at: datetime) -> datetime:
    """What the schedule goes on from: the ping itself, or its proper time where it came a little early."""
    expected = watch.expected_at
    if rules.schedule == "period" or expected is None or at >= expected:
        return at
    following = expected_after(rules, expected)
    gap = EARLY if following is None else (following - expected) / 4
    return expected if expected - at <= min(EARLY, rules.grace, gap) else at


def _verdict(before: Watch, ping: Ping, kind: Kind, duration: timedelta | None, at: datetime) -> Verdict:
    evidence: dict[str, Any] = {"kind": kind}
    if ping.exit_code is not None:
        evidence["exit_code"] = ping.exit_code
    if ping.run_id is not None:
        evidence["run_id"] = str(ping.run_id)
    if duration is not None:
        evidence["run_s"] = duration.total_seconds()
    if before.last_ping is not None:
        evidence["since_last_ping_s"] = (at - before.last_ping).total_seconds()
    if kind != "fail" and not ping.exit_code:
        return Verdict(at=at, status=Status.UP, duration=duration, evidence=evidence)
    message = "the job says that it failed"
    if ping.exit_code:
        message = f"the job ended with exit code {ping.exit_code}"
    if ping.body:
        evidence["body"] = ping.body[:EXCERPT]
    return Verdict(
        at=at, status=Status.DOWN, reason="failed", message=message, duration=duration, evidence=evidence
    )  # fmt: skip
