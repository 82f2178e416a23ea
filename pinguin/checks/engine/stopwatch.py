"""Times the phases of one check as it goes."""

from __future__ import annotations

from time import perf_counter

from pinguin.checks.contract import Context


class Stopwatch:
    """Starts when it is made. `done(phase)` adds the time since the last `begin` or `done` to it."""

    __slots__ = ("_context", "_mark", "started")

    def __init__(self, context: Context) -> None:
        self._context = context
        self.started = self._mark = perf_counter()

    def begin(self, words: str) -> None:
        """A phase begins here: what we did ourselves since the last one counts for none."""
        self._context.stage = words
        self._mark = perf_counter()

    def stage(self, words: str) -> None:
        """What the check waits for from now on, for the sentence of a timeout."""
        self._context.stage = words

    def done(self, phase: str, at: float | None = None) -> float:
        """When that was. at: when it ended, where we have done more since (`perf_counter`)."""
        now = perf_counter() if at is None else at
        phases = self._context.phases
        phases[phase] = phases.get(phase, 0.0) + (now - self._mark) * 1000
        self._mark = now
        return now

    def last_ms(self) -> float:
        """Milliseconds from the start of the check to the end of its last phase."""
        return (self._mark - self.started) * 1000

    def total_ms(self) -> float:
        """Milliseconds since the check began."""
        return (perf_counter() - self.started) * 1000

    def seconds_left(self) -> float:
        return self._context.timeout - (perf_counter() - self.started)


def in_words(milliseconds: float) -> str:
    """`3 ms`, `0.4 ms`, `1.2 s`."""
    if milliseconds >= 1000:
        return f"{milliseconds / 1000:.1f} s"
    return f"{milliseconds:.0f} ms" if milliseconds >= 1 else f"{milliseconds:.1f} ms"
