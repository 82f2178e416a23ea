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
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from types import ModuleType
from typing import Any, TypeVar

import msgspec

from pinguin.errors import InvalidInput

T = TypeVar("T")

Examples = Sequence[tuple[str, Mapping[str, Any]]]
"""A sentence, and options in plain JSON types, for each."""


class CheckOptions(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """The options of a check type. A field without a default is required.

    A subclass may define `__post_init__` and raise `InvalidInput` where two fields contradict each other.
    """

    def __repr__(self) -> str:
        """No values: options hold passwords, and a repr ends up in logs. TRAP 24"""
        return f"{type(self).__name__}(…)"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return []

    def target(self) -> str:
        """What is watched, in a few words, without secrets: a URL, `host:port`, a name."""
        raise TypeError(f"{type(self).__name__} does not say what its target is")


def field(
    title: str,
    help: str = "",
    *,
    widget: str = "",
    unit: str = "",
    placeholder: str = "",
    advanced: bool = False,
    secret: bool = False,
    **limits: Any,
) -> msgspec.Meta:
    """Annotate an option: `Annotated[int, field("Port", "…", ge=1, le=65535)]`.

    widget: "" (drawn from the type: text, number, checkbox, select for a Literal, one line an item for a list, one
    `name: value` line an item for a dict) or "textarea". unit: shown behind the field ("ms", "days").
    advanced: folded away at first. secret: never shown again once saved. limits: msgspec's (ge, le, min_length,
    max_length, pattern).
    """
    extra = {
        "widget": widget,
        "unit": unit,
        "placeholder": placeholder,
        "advanced": advanced,
        "secret": secret,
    }
    return msgspec.Meta(title=title, description=help, extra=extra, **limits)


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
    resources: what the checks of one worker share (TLS contexts by policy, the ICMP socket), kept by type.
    """

    timeout: float
    resources: Resources
    phases: dict[str, float] = dataclass_field(default_factory=dict)
    evidence: dict[str, Any] = dataclass_field(default_factory=dict)
    stage: str = ""


class Resources:
    """One object of each type, made at first use, closed with the worker. Belongs to one event loop."""

    def __init__(self) -> None:
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
    """A check type as the scan found it."""

    name: str
    title: str
    options: type[CheckOptions]
    check: Callable[[Any, Context], Awaitable[Outcome]]
    doc: str
    examples: Examples = ()

    @classmethod
    def of(cls, module: ModuleType) -> CheckType:
        name = module.__name__.rpartition(".")[2]
        return cls(
            name,
            module.TITLE,
            module.Options,
            module.check,
            (module.__doc__ or "").strip(),
            getattr(module, "EXAMPLES", ()),
        )

    def parse(self, options: Mapping[str, Any]) -> CheckOptions:
        """Options from plain JSON types. Raises `InvalidInput` that names each wrong field."""
        return convert(options, self.options)


def convert(value: Mapping[str, Any], kind: type[T], *, prefix: str = "") -> T:
    """`value` as the strict struct `kind`. Raises `InvalidInput` with every wrong field, not the first alone."""
    try:
        return msgspec.convert(dict(value), kind)
    except InvalidInput:
        raise
    except msgspec.ValidationError:
        raise InvalidInput({prefix + k: v for k, v in _wrong_fields(value, kind).items()}) from None


def _wrong_fields(value: Mapping[str, Any], kind: type[Any]) -> dict[str, str]:
    wrong: dict[str, str] = {}
    known = {item.encode_name: item for item in msgspec.structs.fields(kind)}
    for name in value:
        if name not in known:
            wrong[name] = f"is not an option here; the options are {', '.join(known)}"
    for name, item in known.items():
        if name not in value:
            if item.required:
                wrong[name] = "is required"
            continue
        try:
            msgspec.convert(value[name], item.type)
        except msgspec.ValidationError as error:
            wrong[name] = _in_words(str(error))
    return wrong or {"options": "do not fit together"}


def _in_words(message: str) -> str:
    """msgspec's own sentence, which names no field of ours beyond a path: `Expected `int` >= 1 - at `$[0]``."""
    text, _, path = message.partition(" - at `$")
    text = text.replace("Expected", "must be", 1).replace("`", "")
    item = path.rstrip("`")
    return text + (f" (item {item})" if item else "")
