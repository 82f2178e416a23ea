"""What a check looked at, one thing after the other, and what all of it amounts to."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from pinguin.errors import CheckFailed

MOST_SHOWN = 30


class Finding(NamedTuple):
    """One thing that was looked at. reason: of the failure, "" where all is well. down: else it is degraded alone.

    condition: what was wanted, in words. seen: what there was. sentence: what is wrong.
    """

    condition: str
    seen: str
    reason: str = ""
    sentence: str = ""
    down: bool = True

    def facts(self) -> dict[str, Any]:
        """For the evidence, in the same words as the conditions that people write (`conditions.py`)."""
        return {"condition": self.condition, "seen": self.seen, "met": not self.reason}


def conclude(findings: Iterable[Finding], evidence: dict[str, Any], latency_ms: float) -> tuple[str, str] | None:
    """Put the findings into the evidence. Why the target is degraded, or None where all is well.

    Raises CheckFailed where it is down. The worst leads, and the sentences of the others follow.
    """
    all_of_them = list(findings)
    if all_of_them:
        evidence["conditions"] = [each.facts() for each in all_of_them[:MOST_SHOWN]]
    wrong = sorted((each for each in all_of_them if each.reason), key=lambda each: not each.down)
    if not wrong:
        return None
    sentence = "; ".join(each.sentence for each in wrong)
    if wrong[0].down:
        raise CheckFailed(wrong[0].reason, sentence, latency_ms=latency_ms)
    return wrong[0].reason, sentence
