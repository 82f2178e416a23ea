"""What a check type is: one module in this folder with three names.

    TITLE = "TCP port"                                   # as people read it

    class Options(CheckOptions, frozen=True):            # strict; its annotations draw the form and the docs
        host: Annotated[str, field("Host", "A name or an address.", min_length=1)]

    async def check(options: Options, context: Context) -> Outcome: ...

and, for the documentation, `EXAMPLES`: what each shows, and its options.

`check` returns an `Outcome` (the target is up, perhaps degraded) or raises `CheckFailed` (it is down) or
`CheckImpossible` (this machine cannot run it: *unknown*). Any other exception is our own bug: *unknown* as well.
The runner bounds the whole check by the monitor's timeout and cancels it; a check leaves no socket behind when it
is cancelled.

A type with `PASSIVE = True` has no `check`: it waits to be told. Its options say for how long: `interval_s`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from types import ModuleType
from typing import Any, TypeVar

from pinguin.errors import CheckImpossible
from pinguin.fields import Examples, StrictOptions, convert
from pinguin.guard import Guard

T = TypeVar("T")


class CheckOptions(StrictOptions, frozen=True):
    """The options of a check type."""

    def interval_s(self) -> int:
        """Of a passive type: about how far apart its results are, in seconds, 1 to 86400."""
        raise TypeError(f"{type(self).__name__} does not say how often it expects a result")


@dataclass(slots=True)
class Outcome:
    """A target that answered.

    latency_ms: what the monitor charts, in milliseconds, above 0.
    phases: milliseconds by phase (keys of `pinguin.model.PHASES`).
    evidence: what was seen, in plain JSON types, a few hundred bytes.
    degraded: None, or why an answering target is not well: (reason, message).
    """

    latency_ms: float
    phases: Mapping[str, float] = dataclass_field(default_factory=dict)
    evidence: Mapping[str, Any] = dataclass_field(default_factory=dict)
    degraded: tuple[str, str] | None = None


@dataclass(slots=True)
class Context:
    """What a check gets beside its options.

    timeout: the whole check's budget, in seconds; the runner enforces it, a check may use it to word its failure.
    phases, evidence: filled in by the check as it goes, so that a check cut off by the timeout still shows how far
    it came.
    stage: what the check waits for now, in words ("waiting for the first byte"), for the sentence of a timeout.
    held_up: what of ours keeps the check from the target, if anything does: a timeout then says nothing about it.
    resources: what the checks of one worker share (TLS contexts by policy, the ICMP socket), kept by type.
    """

    timeout: float
    resources: Resources
    phases: dict[str, float] = dataclass_field(default_factory=dict)
    evidence: dict[str, Any] = dataclass_field(default_factory=dict)
    stage: str = ""
    held_up: str = ""


class Resources:
    """One object of each type, made at first use, closed with the worker. Belongs to one event loop.

    guard: says which addresses checks may connect to.
    """

    def __init__(self, guard: Guard | None = None) -> None:
        self.guard = guard or Guard()
        self._made: dict[type[Any], Any] = {}

    def get(self, kind: type[T]) -> T:
        """The one `kind` of this worker. `kind` takes no arguments and has a `close()`."""
        made = self._made.get(kind)
        if made is None:
            made = self._made[kind] = kind()
        return made

    def close(self) -> None:
        while self._made:
            self._made.popitem()[1].close()


@dataclass(frozen=True, slots=True)
class CheckType:
    """A check type as the scan found it. passive: never dispatched; it waits to be told."""

    name: str
    title: str
    options: type[CheckOptions]
    check: Callable[[Any, Context], Awaitable[Outcome]]
    doc: str
    examples: Examples = ()
    passive: bool = False

    @classmethod
    def of(cls, module: ModuleType) -> CheckType:
        name = module.__name__.rpartition(".")[2]
        passive = getattr(module, "PASSIVE", False)
        return cls(
            name,
            module.TITLE,
            module.Options,
            _told if passive else module.check,
            (module.__doc__ or "").strip(),
            getattr(module, "EXAMPLES", ()),
            passive,
        )

    def parse(self, options: Mapping[str, Any]) -> CheckOptions:
        """Options from plain JSON types. Raises `InvalidInput` that names each wrong field."""
        return convert(options, self.options)


async def _told(options: Any, context: Context) -> Outcome:
    raise CheckImpossible("options", "this monitor waits to be pinged; there is nothing to check")
