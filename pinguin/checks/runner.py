"""Runs one check, bounded in time and in what it may leave behind."""

from __future__ import annotations

import asyncio
import math
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import structlog

from pinguin.checks.contract import CheckOptions, CheckType, Context, Outcome, Resources
from pinguin.checks.engine.deadlines import Deadlines
from pinguin.checks.evidence import bounded, text
from pinguin.errors import CheckFailed, CheckImpossible
from pinguin.model import PHASES, Status

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Report:
    """What one check found; the worker makes a `Result` of it.

    latency_ms is None where nothing answered, and otherwise at least 0.001. phases are milliseconds, evidence is
    plain JSON of a few kilobytes at most. reason and message are None where the target is up.
    """

    status: Status
    reason: str | None = None
    message: str | None = None
    latency_ms: float | None = None
    phases: Mapping[str, float] = field(default_factory=dict)
    evidence: Mapping[str, Any] = field(default_factory=dict)


async def run(kind: CheckType, options: CheckOptions, timeout: float, resources: Resources) -> Report:
    """One check of `options` within `timeout` seconds. Never raises, except when it is cancelled itself."""
    context = Context(timeout=timeout, resources=resources)
    bound = _Bound(resources.get(Deadlines), timeout)
    try:
        with bound:
            outcome = await kind.check(options, context)
        return _answered(outcome, context)
    except CheckFailed as failure:
        return _down(failure, context)
    except CheckImpossible as obstacle:
        return _report(Status.UNKNOWN, context, reason=obstacle.reason, message=obstacle.message)
    except Exception as error:
        # A socket may raise TimeoutError of itself (ETIMEDOUT): only our own clock's is the monitor's timeout.
        if bound.expired:
            return _expired(context)
        return _bug(kind, error, context)


class _Bound:
    """asyncio.timeout, with a deadline that checks share in place of a timer of its own."""

    __slots__ = ("_asked", "_deadline", "_task", "expired")

    def __init__(self, deadlines: Deadlines, seconds: float) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._task, self._asked = task, task.cancelling()
        self._deadline = deadlines.call_later(seconds, self._expire)
        self.expired = False

    def _expire(self) -> None:
        self.expired = True
        self._task.cancel()

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: object, frames: object) -> None:
        self._deadline.cancel()
        del self._deadline  # which knows us: a cycle, and with it the task, would wait for the collector
        # Whoever else asked the task to end must not be disappointed.
        if self.expired and self._task.uncancel() <= self._asked and kind is asyncio.CancelledError:
            raise TimeoutError


def _answered(outcome: Outcome, context: Context) -> Report:
    context.phases.update(outcome.phases)
    context.evidence.update(outcome.evidence)
    reason, message = outcome.degraded or (None, None)
    status = Status.DEGRADED if reason else Status.UP
    return _report(status, context, reason=reason, message=message, latency_ms=outcome.latency_ms)


def _down(failure: CheckFailed, context: Context) -> Report:
    context.phases.update(failure.phases)
    context.evidence.update(failure.evidence)
    return _report(Status.DOWN, context, reason=failure.reason, message=failure.message, latency_ms=failure.latency_ms)


def _bug(kind: CheckType, error: Exception, context: Context) -> Report:
    # Frames and the exception's type alone: its text, or a frame's variables, may hold an option's value. TRAP 24
    frames = "".join(traceback.format_tb(error.__traceback__))
    log.error("check crashed", check_type=kind.name, error=type(error).__name__, frames=frames)
    message = f"the check itself failed with {type(error).__name__}; the worker's log has the details"
    return _report(Status.UNKNOWN, context, reason="internal", message=message)


def _expired(context: Context) -> Report:
    if context.held_up:
        message = f"not checked within {context.timeout:g} s: {context.held_up}"
        return _report(Status.UNKNOWN, context, reason="internal", message=message)
    return _report(Status.DOWN, context, reason="timeout", message=_too_late(context))


def _too_late(context: Context) -> str:
    connected = sum(context.phases.get(phase, 0.0) for phase in ("dns", "connect", "tls"))
    so_far = [f"connected after {connected:.0f} ms"] if "connect" in context.phases else []
    so_far += [context.stage] if context.stage else []
    return f"no answer within {context.timeout:g} s" + (f" ({', '.join(so_far)})" if so_far else "")


def _report(
    status: Status,
    context: Context,
    *,
    reason: str | None = None,
    message: str | None = None,
    latency_ms: float | None = None,
) -> Report:
    return Report(
        status=status,
        reason=reason,
        message=None if message is None else text(message, 500),
        latency_ms=_positive(latency_ms),
        phases={phase: max(context.phases[phase], 0.0) for phase in PHASES if phase in context.phases},
        evidence=bounded(context.evidence),
    )


def _positive(latency_ms: float | None) -> float | None:
    if latency_ms is None or not math.isfinite(latency_ms):
        return None
    return max(latency_ms, 0.001)
