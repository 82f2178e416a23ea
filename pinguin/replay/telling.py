"""Which alerts there would have been: by the monitor's rules as they are now, without what people and channels did.

Acknowledging, snoozing, quiet hours and dependencies are not known of outages that were none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from pinguin.model import AlertRules
from pinguin.replay.history import Outage

_LATEST = datetime.max.replace(tzinfo=UTC)


def tell(outages: Sequence[Outage], rules: AlertRules, maintained: Mapping[datetime, datetime | None]) -> None:
    """Set `told` of each outage. maintained: for each `confirmed_at`, until when it was in maintenance."""
    steady_at = datetime.min.replace(tzinfo=UTC)
    window = timedelta(seconds=rules.flap_window_s)
    nobody = rules.steps is not None and not rules.steps
    for place, outage in enumerate(outages):
        ended = outage.ended_at or _LATEST
        told_at = max(maintained.get(outage.confirmed_at) or outage.confirmed_at, outage.confirmed_at)
        if nobody or (told_at > outage.confirmed_at and ended <= told_at):
            continue
        lately = sum(told_at - other.started_at < window for other in outages[: place + 1])
        if told_at < steady_at or (rules.flap_outages and lately >= rules.flap_outages):
            outage.told = ["flapping"] if told_at >= steady_at else []
            steady_at = (outage.ended_at or told_at) + window / 4
            continue
        outage.told = ["down", *["reminder"] * _reminders(told_at, outage.ended_at, rules)]
        if outage.ended_at is not None:
            outage.told.append("up")


def _reminders(told_at: datetime, ended_at: datetime | None, rules: AlertRules) -> int:
    if not rules.remind_every_s or ended_at is None:
        return 0
    return max(int((ended_at - told_at).total_seconds() // rules.remind_every_s), 0)
