"""The rules of push monitors: when a ping is expected, and what pings and silence mean. Pure: no clock, no I/O.

A job pings when it is done. Its schedule says when that is *expected*; the grace behind that ends with the *deadline*.
Between the two it is late, which is shown and nothing more. A run that has started puts the deadline off, at most by
the longest time that a run may take.
"""

from pinguin.push.judge import ALWAYS, judge, look_at
from pinguin.push.receive import meaning, receive
from pinguin.push.schedule import Rules, check_schedule, expected_after
from pinguin.push.watch import Kind, Ping, Run, Taken, Verdict, Watch, in_words, plan

__all__ = [
    "ALWAYS", "Kind", "Ping", "Rules", "Run", "Taken", "Verdict", "Watch", "check_schedule", "expected_after",
    "in_words", "judge", "look_at", "meaning", "plan", "receive",
]  # fmt: skip
