"""What silence means: a ping that is missing, a run that does not end."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec

from pinguin.model import Status
from pinguin.push.schedule import Rules, expected_after
from pinguin.push.watch import Run, Verdict, Watch, clock, expecting, in_words, later

ALWAYS = datetime.min.replace(tzinfo=UTC)
"""Since when pings could be taken, for those who need not know."""


def judge(watch: Watch, rules: Rules, now: datetime, open_since: datetime) -> tuple[Watch, tuple[Verdict, ...]]:
    """What the silence up to `now` says: runs that take too long, and a ping that is missing.

    open_since: since when pings could be taken without a break. What was waited for before that gets a grace from
    there, as it may have knocked at a closed door.
    """
    verdicts = []
    for run in sorted(watch.runs, key=lambda run: run.started_at):
        due = run_due(run, rules, open_since)
        if due is not None and due <= now:
            verdict = _too_long(run, rules, later(due, watch.result_at))
            verdicts.append(verdict)
            runs = tuple(msgspec.structs.replace(each, over=each.over or each.id == run.id) for each in watch.runs)
            watch = msgspec.structs.replace(watch, runs=runs, result_at=verdict.at)
    due = ping_due(watch, rules, open_since)
    if due is not None and due <= now:
        if not any(verdict.at >= due for verdict in verdicts):  # the same silence is told once
            verdicts.append(_missed(watch, rules, later(due, watch.result_at)))
            watch = msgspec.structs.replace(watch, result_at=verdicts[-1].at)
        watch = _skipped(watch, rules, now)
    return watch, tuple(verdicts)


def run_due(run: Run, rules: Rules, open_since: datetime) -> datetime | None:
    """When a run takes too long; None once that is told."""
    return None if run.over else _excused(run.started_at, run.started_at + rules.longest_run, rules, open_since)


def ping_due(watch: Watch, rules: Rules, open_since: datetime) -> datetime | None:
    """When a missing ping is an outage."""
    if watch.expected_at is None or watch.deadline is None:
        return None
    return _excused(watch.expected_at, watch.deadline, rules, open_since)


def _excused(waited_from: datetime, due: datetime, rules: Rules, open_since: datetime) -> datetime:
    return due if waited_from >= open_since else max(due, open_since + rules.grace)


def look_at(watch: Watch, rules: Rules, open_since: datetime) -> datetime | None:
    """When there is something to judge next."""
    dues = [ping_due(watch, rules, open_since), *(run_due(run, rules, open_since) for run in watch.runs)]
    return min((due for due in dues if due is not None), default=None)


def _skipped(watch: Watch, rules: Rules, now: datetime) -> Watch:
    """On to the first expected ping whose deadline is still to come: many missed ones at once are one silence."""
    assert watch.expected_at is not None
    base = watch.expected_at
    if rules.schedule == "cron":
        base = max(base, now - rules.grace)
    else:
        period = timedelta(seconds=rules.period_s)
        base += period * max(0, (now - rules.grace - base) // period)
    watch = msgspec.structs.replace(watch, base_at=base, started_at=None)
    return expecting(watch, rules, expected_after(rules, base))


def _missed(watch: Watch, rules: Rules, at: datetime) -> Verdict:
    assert watch.expected_at is not None
    message = f"no ping by {clock(at)}: expected at {clock(watch.expected_at)}, grace {in_words(rules.grace)}"
    if watch.started_at is not None:
        message += f"; a run began at {clock(watch.started_at)} and did not end"
    evidence = {"expected_at": watch.expected_at.isoformat()}
    if watch.last_ping is not None:
        evidence["last_ping"] = watch.last_ping.isoformat()
    return Verdict(at=at, status=Status.DOWN, reason="missed", message=message, evidence=evidence)


def _too_long(run: Run, rules: Rules, at: datetime) -> Verdict:
    message = f"the run that began at {clock(run.started_at)} has not ended within {in_words(rules.longest_run)}"
    evidence = {"started_at": run.started_at.isoformat()} | ({"run_id": run.id} if run.id else {})
    return Verdict(at=at, status=Status.DOWN, reason="too_long", message=message, evidence=evidence)
