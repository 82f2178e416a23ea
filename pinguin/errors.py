"""The exceptions that cross rooms. A failing target is data (`CheckFailed`); all the rest is ours."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any


class PinguinError(Exception):
    """Something that a person can mend. Its text names the field, setting or service, and the fix."""


class SettingsError(PinguinError):
    """A setting that is unknown or bad; start-up stops."""


class InvalidInput(PinguinError):
    """Input refused at a border. `fields` maps a field's name to what is wrong with it and how to mend it."""

    def __init__(self, fields: Mapping[str, str]) -> None:
        self.fields = dict(fields)
        super().__init__("; ".join(f"{name}: {message}" for name, message in self.fields.items()))

    @classmethod
    def raise_for(cls, faults: Iterable[tuple[str, str | None]]) -> None:
        """Raises it where a field's name comes with words; of several for one the first count."""
        found: dict[str, str] = {}
        for name, words in faults:
            if words:
                found.setdefault(name, words)
        if found:
            raise cls(found)


class NotFound(PinguinError):
    """There is no such thing (any more)."""


class Conflict(PinguinError):
    """Somebody else changed it first: the version that was edited is not the newest."""


class Unavailable(PinguinError):
    """A service that we need does not answer just now. Trying again later is right."""


class SealBroken(PinguinError):
    """A stored secret cannot be opened: another key, or another place. Its text says what to do."""


class CheckFailed(Exception):
    """The target failed its check: it is down.

    reason: a code of `pinguin.model.REASONS`.
    message: a sentence that a person on call understands, with no secret in it.
    phases: milliseconds by phase, as far as the check came (keys of `pinguin.model.PHASES`).
    evidence: what was seen, in plain JSON types.
    latency_ms: how long the answer took, where the target did answer, if not as it should (a status of 503).
    """

    def __init__(
        self,
        reason: str,
        message: str,
        *,
        phases: Mapping[str, float] | None = None,
        evidence: Mapping[str, Any] | None = None,
        latency_ms: float | None = None,
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.phases = dict(phases or {})
        self.evidence = dict(evidence or {})
        self.latency_ms = latency_ms


class CheckImpossible(Exception):
    """This machine cannot run the check (no right to ping, no free port): the result is unknown, never down.

    reason: a code of `pinguin.model.REASONS`. message: a sentence that says what to do about it.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
