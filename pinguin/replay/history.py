"""A monitor's results through the state machine once more. Pure: no clock, no database.

What people did in the meantime (edits, pauses, outages that they called over) happens again at the same time. Results
are taken in the order of their slots, so one that came too late to count counts here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import msgspec

from pinguin.model import Policy, State, Status, Transition, advance
from pinguin.store.replay import Act, Beginning, Recorded, Version


@dataclass(slots=True)
class Outage:
    """An outage as it would have been. ended_at is None while it lasts; told: kinds of the news of it."""

    started_at: datetime
    confirmed_at: datetime
    reason: str
    message: str
    ended_at: datetime | None = None
    told: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Thresholds:
    """What is to be different; None is what each version had."""

    failure: int | None = None
    recovery: int | None = None

    def of(self, policy: Policy) -> Policy:
        return Policy(
            self.failure or policy.failure_threshold,
            self.recovery or policy.recovery_threshold,
            policy.interval_s,
            policy.timeout_s,
            policy.passive,
        )


class History:
    """Add results in order, then `end`; `transitions` and `outages` are what follows from them."""

    def __init__(
        self, begin: Beginning, versions: Sequence[Version], acts: Iterable[Act], thresholds: Thresholds | None = None
    ) -> None:
        self._thresholds = thresholds or Thresholds()
        first = next((v for v in reversed(versions) if v.valid_from <= begin.at), versions[0])
        self._policy = self._thresholds.of(first.policy)
        self._state = State(begin.status, begin.at, first.number, down=begin.down)
        # Of the same moment the version is first: it is what a pause or a resumption is written with.
        edits: list[tuple[datetime, int, Version | Act]] = [
            (version.valid_from, 0, version) for version in versions if version.number > first.number
        ]
        done = [*edits, *((act.at, 1, act) for act in acts)]
        self._coming = sorted(done, key=lambda each: each[:2], reverse=True)
        self.transitions: list[Transition] = []
        self.outages: list[Outage] = []
        self.results = 0
        if begin.down:
            self.outages.append(Outage(begin.at, begin.at, "", "was down already"))

    def add(self, page: Iterable[Recorded]) -> None:
        for result, recorded_at in page:
            self.end(recorded_at)
            self._state, made = advance(self._state, result, self._policy)
            self.results += 1
            for transition in made:
                self._note(transition)

    def end(self, at: datetime) -> None:
        """What people did until then."""
        while self._coming and self._coming[-1][0] <= at:
            _, _, what = self._coming.pop()
            if isinstance(what, Version):
                self._edit(what)
            elif what.by_hand:
                self._resolve(what.at)
            else:
                self._switch(what)

    def _edit(self, version: Version) -> None:
        """What was counted under the old version does not count under the new one (001_monitors.sql)."""
        self._policy = self._thresholds.of(version.policy)
        self._state = msgspec.structs.replace(self._state, version=version.number, last_slot=None)
        self._forget()

    def _forget(self) -> None:
        self._state = msgspec.structs.replace(self._state, failures=0, successes=0, unknowns=0, streak_since=None)

    def _switch(self, act: Act) -> None:
        """Paused, or resumed."""
        if act.status is not self._state.status:
            self._become(act.status, act.at)
        self._state = msgspec.structs.replace(self._state, last_slot=None)
        self._forget()

    def _resolve(self, at: datetime) -> None:
        """Called over by hand, if there is anything to call over."""
        if self._state.down:
            last = self._state.last_slot
            self._become(Status.PENDING, at)
            self._state = msgspec.structs.replace(self._state, last_slot=at if last is None else max(last, at))
            self._forget()

    def _become(self, status: Status, at: datetime) -> None:
        closes = self._state.down
        self._note(Transition(at, at, self._state.status, status, closes=closes))
        self._state = msgspec.structs.replace(self._state, status=status, since=at, down=False)

    def _note(self, transition: Transition) -> None:
        self.transitions.append(transition)
        if transition.opens:
            reason, message = transition.reason or "internal", transition.message or ""
            self.outages.append(Outage(transition.at, transition.confirmed_at, reason, message))
        if transition.closes:
            self.outages[-1].ended_at = max(transition.at, self.outages[-1].started_at)
