"""What conditions are made of, and what is found of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal["number", "ms", "days", "bytes", "text", "json"]


class Missing:
    """The answer has no such thing. words: how that is told."""

    __slots__ = ("words",)

    def __init__(self, words: str = "missing") -> None:
        self.words = words


class Unreadable(Missing):
    """It cannot be looked at (a body that is no JSON): no condition on it is met, not even `missing`."""


MISSING = Missing()
SEEN = "\0"


class Several(list[Any]):
    """The values that a wide path (`*`, `..`, a filter) led to. Each must be as expected."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What a condition may look at.

    kind: of the value, and so of what it is compared with. Values are an int or float ("number"; "ms", "days",
    "bytes": in that unit), a str, or for "json" anything JSON; `MISSING` where there is none.
    argument: "" where there is none, "word" for one word behind the name, "path" for a JSONPath.
    reason: the code of `pinguin.model.REASONS` where a condition on it is not met.
    says: how a value is told; {name}, {seen}. show: a value in words, where the kind's are not enough.
    wide: it is long, or within something long: that must be kept, and a text of it is not told.
    """

    name: str
    kind: Kind
    help: str
    argument: Literal["", "word", "path"] = ""
    reason: str = "answer"
    says: str = "{name} is {seen}"
    wide: bool = False
    show: Callable[[Any], str] | None = None


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition, ready to be judged.

    line: as it was typed, "" for one that stands for another option: it is told only where it is not met.
    expected: typed by the subject's kind. complaint: the sentence where it is not met, with `SEEN` in it; "" for
    the usual one.
    """

    subject: Subject
    operator: str
    expected: Any
    line: str = ""
    argument: Any = None
    measures_length: bool = False
    negated: bool = False
    warns: bool = False
    label: str = ""
    expectation: str = ""
    complaint: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """A condition, what was seen, and whether it is met. sentence: what is wrong, "" where nothing is."""

    condition: Condition
    seen: str
    met: bool
    sentence: str

    def facts(self) -> dict[str, Any]:
        """For the evidence."""
        return {"condition": self.condition.line, "seen": self.seen, "met": self.met}
