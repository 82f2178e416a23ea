"""When a push monitor expects its pings."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import msgspec
from cronsim import CronSim, CronSimError

from pinguin.errors import InvalidInput
from pinguin.wallclock import zone_of


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """What a push monitor is judged by: its options, as they are stored."""

    schedule: Literal["period", "cron"] = "period"
    period_s: int = 86400
    expression: str = ""
    zone: str = "UTC"
    grace_s: int = 3600
    max_run_s: int = 0
    methods: Literal["any", "POST"] = "any"
    start_keywords: tuple[str, ...] = ()
    success_keywords: tuple[str, ...] = ()
    failure_keywords: tuple[str, ...] = ()
    otherwise: Literal["ignore", "fail"] = "ignore"

    @classmethod
    def of(cls, options: Any) -> Rules:
        """From stored options. Raises `msgspec.ValidationError` for what no form of ours has written."""
        return msgspec.convert(options, cls)

    @property
    def grace(self) -> timedelta:
        return timedelta(seconds=self.grace_s)

    @property
    def longest_run(self) -> timedelta:
        """A run may take as long as the grace, unless something else is said."""
        return timedelta(seconds=self.max_run_s or self.grace_s)


def check_schedule(schedule: str, expression: str, zone: str) -> None:
    """Raises `InvalidInput` for a time zone or an expression that nobody can follow."""
    wrong: dict[str, str] = {}
    try:
        zone_of(zone)
    except InvalidInput as error:
        wrong |= error.fields
    if schedule == "cron" and (words := _wrong_cron(expression)):
        wrong["expression"] = words
    if wrong:
        raise InvalidInput(wrong)


def _wrong_cron(expression: str) -> str | None:
    if len(expression.split()) != 5:
        return "must have five fields: minute, hour, day of the month, month, day of the week"
    try:
        next(CronSim(expression, datetime(2000, 1, 1)))
    except CronSimError as error:
        return f"is not a cron expression: {error}"
    except StopIteration:
        return "never comes"
    return None


def expected_after(rules: Rules, moment: datetime) -> datetime | None:
    """The first time after `moment` at which the schedule expects a ping; None where it never does again."""
    if rules.schedule == "period":
        return moment + timedelta(seconds=rules.period_s)
    # In local time, where cronsim knows about clock changes; back in UTC, where adding to it is safe.
    for found in CronSim(rules.expression, moment.astimezone(zone_of(rules.zone))):
        if (at := found.astimezone(UTC)) > moment:
            return at
    return None
